"""Real worker processes on the test's own database and broker."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from annotations.models import Job, WorkerBeat
from tagstudio import broker, doorbell

ROOT = Path(__file__).resolve().parents[2]
LOOK_S = 0.02


def until(true: Callable[[], object], seconds: float = 40, every: float = LOOK_S) -> None:
    """Seconds are counted in looks, not by the clock: a machine that stood still has not waited."""
    for _look in range(round(seconds / every)):
        if true():
            return
        time.sleep(every)
    raise AssertionError("waited in vain")


def ended(job: Job, seconds: float = 60) -> Job:
    """The job once it has ended."""

    def over() -> bool:
        job.refresh_from_db()
        return not job.live

    until(over, seconds)
    return job


def database_url() -> str:
    """The database of this test run, for another process."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    given = connection.settings_dict
    host = f"{given['HOST'] or '127.0.0.1'}:{given['PORT'] or 5432}"
    return f"postgresql://{quote(given['USER'])}:{quote(given['PASSWORD'])}@{host}/{name}"


def lose_every_message() -> int:
    """Whatever the broker holds for us is gone."""
    doorbell.flush(5)
    if broker.embedded(settings.CELERY_BROKER_URL):
        with sqlite3.connect(Path(settings.TAGSTUDIO_HOME) / "broker.sqlite3", timeout=10) as database:
            lost = database.execute("SELECT count(*) FROM kombu_message WHERE visible = 1").fetchone()[0]
            database.execute("DELETE FROM kombu_message")
            return int(lost)
    from tagstudio.celery import app

    with app.connection_for_write() as connection:
        purged: int = sum(connection.default_channel.queue_purge(queue) or 0 for queue in ("io", "ml"))
    return purged


def environment(**more: str) -> dict[str, str]:
    """What another process needs to work on this test run's home, database and broker."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tagstudio.settings.test",
        "TAGSTUDIO_TEST_HOME": str(settings.TAGSTUDIO_HOME),
        "TEST_DATABASE_URL": database_url(),
        "JOB_LEASE_SECONDS": "2",
        "JOB_SWEEP_SECONDS": "1",
        **more,
        # the test database is there already, and its name is not made up again
        "PYTEST_XDIST_WORKER": "",
    }


class Worker:
    """A worker process of its own; ``kill`` is kill -9."""

    COMMAND: Sequence[str] = (sys.executable, "-m", "tests.faults.worker")

    def __init__(self, log: Path, **more: str) -> None:
        self.log = log
        self.process = subprocess.Popen(
            self.COMMAND, env=environment(**more), stdout=log.open("ab"), stderr=subprocess.STDOUT, cwd=ROOT
        )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@pytest.fixture
def worker(transactional_db: Any, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Start workers; they are gone after the test."""
    started: list[Worker] = []

    def start(**environment: str) -> Worker:
        one = Worker(tmp_path / f"worker-{len(started)}.log", **environment)
        started.append(one)
        until(lambda: WorkerBeat.objects.filter(name__endswith=f":{one.process.pid}") or one.process.poll() is not None)
        assert one.process.poll() is None, one.said
        return one

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()
