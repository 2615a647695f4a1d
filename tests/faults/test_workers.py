"""A job ends, whatever happens to worker and broker. Real processes on the lane's database and broker."""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from annotations.actions import jobs
from annotations.models import Job, WorkerBeat
from tagstudio import broker, doorbell

from .conftest import ROOT, Worker, database_url, ended, lose_every_message, until

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True), pytest.mark.long]
Start = Callable[..., Worker]


def counting(tmp_path: Path, **more: Any) -> Job:
    params = {"file": str(tmp_path / "steps"), **more}
    return jobs.enqueue(kind="fault-steps", queue="io", params=params)


def test_a_ring_is_answered_at_once(worker: Start) -> None:
    worker()
    seconds = []
    for _ in range(12):
        job = ended(jobs.enqueue(kind="fault-quick", queue="ml"))
        assert job.state == Job.State.DONE, job.error
        seconds.append((job.started_at - job.created_at).total_seconds())  # type: ignore[operator]
        time.sleep(0.2)
    print(
        f"from the doorbell to the start on {settings.CELERY_BROKER_URL.split(':')[0]}: median "
        f"{1000 * statistics.median(seconds):.0f} ms, longest {1000 * max(seconds):.0f} ms"
    )


def test_killed_in_the_middle_another_goes_on(worker: Start, tmp_path: Path) -> None:
    first = worker()
    job = counting(tmp_path, steps=30)
    until(lambda: (tmp_path / "steps").exists() and len((tmp_path / "steps").read_text().splitlines()) > 5)
    first.kill()
    second = worker()
    job = ended(job)
    assert (job.state, job.attempts, job.result["pid"]) == (Job.State.DONE, 2, second.process.pid)
    lines = [int(line.split()[0]) for line in (tmp_path / "steps").read_text().splitlines()]
    assert lines == list(range(30)), "each step once, none left out"


def test_killed_three_times_it_fails_in_words(worker: Start, tmp_path: Path) -> None:
    job = counting(tmp_path, steps=1000, pause=0.05)
    for attempt in range(3):
        one = worker()
        until(lambda attempt=attempt: Job.objects.filter(pk=job.pk, attempts=attempt + 1).exclude(step=""))
        one.kill()
    worker()
    job = ended(job)
    assert job.state == Job.State.FAILED and "stopped 3 times" in job.error and "counting" in job.error


def test_a_worker_that_is_stopped_gives_its_job_back(worker: Start, tmp_path: Path) -> None:
    first = worker()
    job = counting(tmp_path, steps=60)
    until(lambda: Job.objects.get(pk=job.pk).done_count > 2)
    begun = time.monotonic()
    first.stop()
    print(f"stopped in {time.monotonic() - begun:.1f} s")
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.RUNNING, 0)
    assert not WorkerBeat.objects.exists(), "it said goodbye"
    worker()
    job = ended(job)
    assert (job.state, job.attempts) == (Job.State.DONE, 1)


def test_cancel_stops_a_running_job(worker: Start, tmp_path: Path) -> None:
    worker()
    job = counting(tmp_path, steps=1000)
    until(lambda: Job.objects.get(pk=job.pk).done_count > 2)
    begun = time.monotonic()
    jobs.cancel(job=job, user=None)
    ended(job)
    print(f"cancelled in {time.monotonic() - begun:.1f} s")
    assert job.state == Job.State.CANCELLED


def test_jobs_go_on_beside_a_long_one(worker: Start, tmp_path: Path) -> None:
    worker()
    long = counting(tmp_path, steps=100)
    until(lambda: Job.objects.get(pk=long.pk).done_count > 1)
    assert ended(jobs.enqueue(kind="fault-quick", queue="ml")).state == Job.State.DONE
    long.refresh_from_db()
    assert long.state == Job.State.RUNNING
    jobs.cancel(job=long, user=None)


def test_a_broker_that_loses_every_message_loses_no_job(worker: Start) -> None:
    waiting = [jobs.enqueue(kind="fault-quick", queue="ml") for _ in range(10)]
    lost = lose_every_message()
    if broker.embedded(settings.CELERY_BROKER_URL):
        assert lost >= 10
    worker()
    assert {ended(job).state for job in waiting} == {Job.State.DONE}


def test_control_a_worker_that_only_listens_never_starts_what_was_lost(worker: Start) -> None:
    job = jobs.enqueue(kind="fault-quick", queue="ml")
    lose_every_message()
    worker(FAULT_DEAF="1")
    time.sleep(4)  # several of its looks, had it looked
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
    # and then the sweeper rings
    Job.objects.update(rung_at=None)
    jobs.sweep()
    assert ended(job).state == Job.State.DONE


def test_without_a_broker_saves_are_as_quick_and_jobs_still_run(worker: Start) -> None:
    """The web's side in a process of its own, whose broker is not there; the worker has none either."""
    nobody = "redis://127.0.0.1:9/0"
    program = (
        "import django, time; django.setup(); from annotations.actions import jobs\n"
        "for n in range(20):\n"
        "    begun = time.monotonic(); job = jobs.enqueue(kind='fault-quick', queue='io')\n"
        "    print(job.pk, time.monotonic() - begun, flush=True)\n"
        "from tagstudio import doorbell; doorbell.flush(30)\n"
    )
    worker()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tagstudio.settings.test",
        "TEST_BROKER_URL": nobody,
        "TAGSTUDIO_TEST_HOME": str(settings.TAGSTUDIO_HOME),
        "TEST_DATABASE_URL": database_url(),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=ROOT, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    print(f"longest enqueue without a broker: {1000 * max(float(row[1]) for row in rows):.0f} ms")
    assert "cannot be reached" in done.stderr and len(rows) == 20
    assert {ended(Job.objects.get(pk=pk)).state for pk, _seconds in rows} == {Job.State.DONE}


def test_an_unknown_kind_fails_in_words(worker: Start) -> None:
    worker()
    job = ended(jobs.enqueue(kind="fault-unheard-of", queue="io"))
    assert job.state == Job.State.FAILED and "fault-unheard-of" in job.error


def test_delivered_messages_are_pruned(worker: Start) -> None:
    if not broker.embedded(settings.CELERY_BROKER_URL):
        assert broker.prune() == 0
        return
    worker()
    for _ in range(5):
        ended(jobs.enqueue(kind="fault-quick", queue="io"))
    doorbell.flush(5)
    file = Path(settings.TAGSTUDIO_HOME) / "broker.sqlite3"
    count = lambda: sqlite3.connect(file).execute("SELECT count(*) FROM kombu_message").fetchone()[0]  # noqa: E731
    until(lambda: count() > 0 and jobs.sweep()["messages"] > 0)
    until(lambda: jobs.sweep() and count() == 0)
