"""What every test may use: the shared catalogues, a catalogue with people in it, and a flush that history allows."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.apps import apps
from django.core.signals import request_finished, request_started
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.test.client import ClientHandler

from annotations.queries import offers, safety

# a slow machine is no failure
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent
append_only = import_module("annotations.migrations.0015_panels")
GUARDED = import_module("annotations.migrations.0002_append_only").TABLES


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real catalogues that developers have beside their checkout. Skips, saying so, where it is not."""
    for folder in (os.environ.get("TAGSTUDIO_SHARED"), ROOT.parent / "shared", ROOT.parent.parent / "shared"):
        if folder and (Path(folder) / "data").is_dir():
            return Path(folder) / "data"
    pytest.skip("no shared/data beside this checkout: the real catalogues are not part of the repository")


@pytest.fixture(autouse=True)
def no_taxonomy_kept() -> None:
    """Catalogues of different tests share numbers, so what a process keeps of one is not another's."""
    offers.forget()
    safety.forget()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The home that the test settings made for this run goes with it."""
    if "TAGSTUDIO_TEST_HOME" not in os.environ and "/tagstudio-test-" in os.environ.get("TAGSTUDIO_HOME", ""):
        shutil.rmtree(os.environ["TAGSTUDIO_HOME"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests come first, so that two processes end at about the same time (they take a file at a time). In
    CI, a test that drives a browser or worker processes gets a second try (docs/decisions/0119)."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in long)
    if os.environ.get("CI"):
        for item in items:
            if item.get_closest_marker("browser") or item.get_closest_marker("worker"):
                item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A failure that a second try hid is a defect still, of the test or of the product: it is shown whole."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"failed at its first try: {report.nodeid}")
        terminalreporter.line(report.longreprtext)


class Served:
    """Requests under way at this process's server: a page that is closed may have asked for something that is still being
    made. Not those of a test's own client, which ends no stream that the test does not read."""

    def __init__(self) -> None:
        self.count = 0
        self.nobody = threading.Condition()
        request_started.connect(self._begun)
        request_finished.connect(self._ended)

    def _begun(self, sender: type, **_: Any) -> None:
        if sender is ClientHandler:
            return
        with self.nobody:
            self.count += 1

    def _ended(self, sender: type, **_: Any) -> None:
        if sender is ClientHandler:
            return
        with self.nobody:
            self.count = max(0, self.count - 1)  # a response may be closed twice
            self.nobody.notify_all()

    def wait(self, seconds: float = 10) -> None:
        """Until none is, or not longer; what was cut off without an end is not waited for again."""
        with self.nobody:
            self.nobody.wait_for(lambda: self.count == 0, seconds)
            self.count = 0


@pytest.fixture(autouse=True, scope="session")
def real_transactions_leave_nothing() -> Iterator[None]:
    """What stands in for Django's flush after a test with real transactions. On PostgreSQL an emptying and a request that a
    closed browser had begun would each wait for the other, so it waits for the request first."""
    original = TransactionTestCase._fixture_teardown
    served = Served()

    def teardown(self: Any) -> None:
        served.wait()
        empty_tables()

    TransactionTestCase._fixture_teardown = teardown
    yield
    TransactionTestCase._fixture_teardown = original


def empty_tables() -> None:
    """Rows are deleted where there are any: to truncate all tables, as a flush does, and to make content types and
    permissions anew, takes PostgreSQL seconds. The triggers that keep history step aside for it."""
    kept = {"django_migrations", "django_content_type", "auth_permission"}
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - kept)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{t}' WHERE EXISTS (SELECT 1 FROM {t})" for t in tables))
        filled = [name for (name,) in cursor.fetchall()]
    with history_unguarded(filled), transaction.atomic(), connection.cursor() as cursor:
        for table in filled:  # in any order: what refers to what is looked at when all is gone
            cursor.execute(f"DELETE FROM {table}")


@contextmanager
def history_unguarded(tables: Collection[str]) -> Iterator[None]:
    guarded = [table for table in GUARDED if table in tables]
    if not guarded:
        yield
    elif connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in guarded:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            try:
                yield
            finally:
                for table in guarded:
                    cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    else:
        with connection.schema_editor() as editor:
            append_only.remove(apps, editor)
        try:
            yield
        finally:
            with connection.schema_editor() as editor:
                append_only.install(apps, editor)
