"""Two worker processes and one slot to train on (simulated): never two at once on it, and nothing else waits for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from annotations.actions import jobs
from annotations.models import Job, WorkerBeat
from annotations.queries.jobs import places

from .conftest import Worker, ended, until

pytestmark = [pytest.mark.worker, pytest.mark.django_db(transaction=True), pytest.mark.long]
Start = Callable[..., Worker]
CALM = {"JOB_LEASE_SECONDS": "20"}  # a busy machine is late with heartbeats, and nobody is given up for dead here
Held = tuple[str, str, float, float]


def trainings(file: Path, count: int = 8) -> list[Job]:
    return [
        jobs.enqueue(kind="fault-slot", queue="ml", needs="train", params={"file": str(file)}) for _ in range(count)
    ]


def held(file: Path) -> list[Held]:
    rows = [line.split() for line in file.read_text().splitlines()]
    return sorted(((slot, pid, float(begun), float(end)) for slot, pid, begun, end in rows), key=lambda row: row[2])


def overlaps(rows: list[Held]) -> int:
    return sum(first[3] > second[2] for first, second in itertools.combinations(rows, 2) if first[2] <= second[2])


def test_never_two_on_one_slot(worker: Start, tmp_path: Path) -> None:
    for _ in range(2):
        worker(TRAINING_SLOTS="cpu", TRAINING_HOST="box", **CALM)
    assert [place.slot for place in places()] == ["box/cpu"] and WorkerBeat.objects.count() == 2
    asked = trainings(tmp_path / "held")
    until(lambda: Job.objects.filter(state=Job.State.RUNNING, slot="box/cpu").exists())
    other = ended(jobs.enqueue(kind="fault-quick", queue="ml"))
    assert other.state == Job.State.DONE and any(Job.objects.get(pk=job.pk).live for job in asked), (
        "serving waits for none"
    )
    assert {ended(job).state for job in asked} == {Job.State.DONE}
    rows = held(tmp_path / "held")
    print(f"{len(rows)} on one slot by {len({row[1] for row in rows})} workers, {overlaps(rows)} at once")
    assert len(rows) == len(asked) and overlaps(rows) == 0


def test_control_workers_that_do_not_know_of_the_same_machine_do_hold_it_twice(worker: Start, tmp_path: Path) -> None:
    """And this is how several machines train beside each other."""
    for host in ("box", "other"):
        worker(TRAINING_SLOTS="cpu", TRAINING_HOST=host, **CALM)
    asked = trainings(tmp_path / "held")
    assert {ended(job).state for job in asked} == {Job.State.DONE}
    rows = held(tmp_path / "held")
    assert {row[0] for row in rows} == {"box/cpu", "other/cpu"} and overlaps(rows) > 0
    for slot in ("box/cpu", "other/cpu"):
        assert overlaps([row for row in rows if row[0] == slot]) == 0


def test_a_worker_that_trains_nothing_takes_no_run(worker: Start, tmp_path: Path) -> None:
    worker(TRAINING_SLOTS="none", **CALM)
    (job,) = trainings(tmp_path / "held", 1)
    assert ended(jobs.enqueue(kind="fault-quick", queue="ml")).state == Job.State.DONE
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
    worker(TRAINING_SLOTS="cpu", TRAINING_HOST="box", **CALM)
    assert ended(job).state == Job.State.DONE
