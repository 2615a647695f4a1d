"""A statement that waits for SQLite's one place to write gets it soon, or says in time that it didn't."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from django.db import OperationalError, connection, transaction

from annotations.models import Catalogue

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's writers don't wait for each other"),
]
HOLDS = 200


class Busy:
    """Somebody who writes all the time and lets go for a moment between two transactions."""

    def __init__(self, hold: float, gap: float) -> None:
        self.hold, self.gap = hold, gap
        self.holds = 0
        self.begun = threading.Event()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.write)

    def write(self) -> None:
        other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=20)
        while self.holds < HOLDS and not self.stop.is_set():
            other.execute("BEGIN IMMEDIATE")
            self.begun.set()
            time.sleep(self.hold)
            other.execute("COMMIT")
            self.holds += 1
            time.sleep(self.gap)
        other.close()

    def __enter__(self) -> Busy:
        self.thread.start()
        self.begun.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


def test_a_save_gets_its_turn_between_two_transactions_of_a_job() -> None:
    with Busy(hold=0.03, gap=0.008) as job:
        for number in range(10):
            with transaction.atomic():
                Catalogue.objects.create(slug=f"c{number}", name="C")
        waited = job.holds
    assert Catalogue.objects.count() == 10
    assert waited < HOLDS, "the job had to end before anyone else could write"


def test_nobody_starves_where_writes_inside_and_outside_of_transactions_alternate() -> None:
    Catalogue.objects.create(slug="c", name="C")
    written: list[int] = []

    def alternate(number: int) -> None:
        try:
            for _ in range(150):
                with transaction.atomic():
                    Catalogue.objects.filter(slug="c").update(name="inside")
                Catalogue.objects.filter(slug="c").update(name="outside")
            written.append(number)
        finally:
            connection.close()

    writers = [threading.Thread(target=alternate, args=(number,)) for number in range(5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(written) == list(range(5)), "a writer was told that the database is locked"


def test_rows_written_one_by_one_outside_a_transaction_are_written_once() -> None:
    with Busy(hold=0.02, gap=0.008) as job, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE numbers (n INTEGER)")
        cursor.executemany("INSERT INTO numbers VALUES (%s)", [[n] for n in range(20)])
        cursor.execute("SELECT n FROM numbers ORDER BY rowid")
        written = [n for (n,) in cursor.fetchall()]
        cursor.execute("DROP TABLE numbers")
        assert job.holds < HOLDS
    assert written == list(range(20))


def test_who_waits_too_long_is_told_and_the_connection_stays_good() -> None:
    connection.ensure_connection()
    patience = connection.settings_dict["OPTIONS"]["timeout"]
    connection.settings_dict["OPTIONS"]["timeout"] = 0.2
    try:
        with Busy(hold=0.6, gap=0.05), pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pass
    finally:
        connection.settings_dict["OPTIONS"]["timeout"] = patience
    with transaction.atomic():
        Catalogue.objects.create(slug="c", name="C")
    assert Catalogue.objects.get().slug == "c"
