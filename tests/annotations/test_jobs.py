"""Jobs: one worker at a time, nobody stale, an end for each, and plain words for what went wrong."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.test import TestCase
from django.utils import timezone

from annotations.actions import claims, jobs
from annotations.actions.errors import Refused
from annotations.models import Job, WorkerBeat
from annotations.queries.jobs import job_status, next_jobs, workers_alive
from annotations.tasks import registry
from annotations.tasks.run import run_job, run_now, work
from tagstudio import doorbell

from .conftest import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was rung for; nothing is sent."""
    rung: list[str] = []
    monkeypatch.setattr(doorbell, "ring", lambda job_id, queue: rung.append(job_id))
    monkeypatch.setattr(doorbell, "prune", lambda: 0)
    return rung


@pytest.fixture
def kinds() -> Iterator[Any]:
    """Register handlers for one test."""
    mine: list[str] = []

    def handles(kind: str) -> Any:
        mine.append(kind)
        return registry.handles(kind)

    yield handles
    for kind in mine:
        registry._handlers.pop(kind, None)


def new(**more: Any) -> Job:
    return jobs.enqueue(**{"kind": "probe", "queue": "ml", **more})


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def held(job: Job, owner: str = "a") -> jobs.Claim:
    claim = jobs.claim(job_id=job.pk, owner=owner)
    assert claim is not None
    return claim


class TestDoorbell(TestCase):
    def test_it_rings_when_the_transaction_commits_and_not_before(self) -> None:
        with self.captureOnCommitCallbacks(execute=False) as callbacks:
            new()
        assert len(callbacks) == 1

    def test_a_rolled_back_save_leaves_no_job_and_no_bell(self) -> None:
        with self.captureOnCommitCallbacks(execute=False) as callbacks:
            try:
                with transaction.atomic():
                    new()
                    raise ValueError
            except ValueError:
                pass
        assert not callbacks and not Job.objects.exists()

    def test_what_is_due_later_is_not_rung_for(self) -> None:
        with self.captureOnCommitCallbacks(execute=False) as callbacks:
            job = new(not_before=timezone.now() + timedelta(hours=1))
        assert not callbacks
        assert jobs.claim(job_id=job.pk, owner="a") is None and next_jobs(["ml"]) == []


def test_one_worker_gets_it() -> None:
    job = new()
    claim = held(job)
    assert (claim.job.state, claim.job.attempts, claim.epoch) == (Job.State.RUNNING, 1, 1)
    assert jobs.claim(job_id=job.pk, owner="b") is None


def test_after_the_lease_another_gets_it_and_the_first_changes_nothing() -> None:
    job = new()
    stale = held(job)
    expire(job)
    fresh = held(job, "b")
    fresh.progress(5, 10, "fresh")
    assert stale_worker_is_harmless(stale, job)
    jobs.finish(claim=fresh, result={"by": "b"})
    job.refresh_from_db()
    assert (job.state, job.result) == (Job.State.DONE, {"by": "b"})


def test_control_without_the_epoch_a_stale_worker_is_seen_to_do_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims.Claim, "_mine", lambda self: Job.objects.filter(pk=self.job.pk, state=Job.State.RUNNING))
    job = new()
    stale = held(job)
    expire(job)
    held(job, "b").progress(5, 10, "fresh")
    assert not stale_worker_is_harmless(stale, job)


def stale_worker_is_harmless(stale: jobs.Claim, job: Job) -> bool:
    """Try everything a stale worker may do; whether the row is as it was."""
    before = Job.objects.filter(pk=job.pk).values().get()
    for write in (
        lambda: stale.progress(9, 10, "stale"),
        stale.renew,
        lambda: fenced(stale),
        lambda: jobs.finish(claim=stale, result={"by": "a"}),
        lambda: jobs.fail(claim=stale, error="stale"),
        lambda: jobs.end_cancelled(claim=stale),
        lambda: jobs.give_back(claim=stale),
    ):
        try:
            write()
        except jobs.LeaseLost:
            continue
    return Job.objects.filter(pk=job.pk).values().get() == before


def fenced(claim: jobs.Claim) -> None:
    with transaction.atomic():
        claim.fence()


def test_a_fence_outside_a_transaction_is_a_mistake() -> None:
    claim = held(new())
    claims.connection.in_atomic_block, before = False, claims.connection.in_atomic_block
    try:
        with pytest.raises(transaction.TransactionManagementError):
            claim.fence()
    finally:
        claims.connection.in_atomic_block = before


def test_one_waits_and_one_runs_per_key() -> None:
    first = new(coalesce_key="refit:1")
    assert new(coalesce_key="refit:1").pk == first.pk
    claim = held(first)
    second = new(coalesce_key="refit:1")
    assert second.pk != first.pk and new(coalesce_key="refit:1").pk == second.pk
    assert jobs.claim(job_id=second.pk, owner="b") is None
    second.refresh_from_db()
    assert (second.state, second.attempts) == (Job.State.QUEUED, 0)
    jobs.finish(claim=claim)
    assert jobs.claim(job_id=second.pk, owner="b") is not None


def test_one_runs_per_slot() -> None:
    first, second = new(slot="train:0"), new(slot="train:0")
    claim = held(first)
    assert jobs.claim(job_id=second.pk, owner="b") is None
    expire(first)
    assert jobs.claim(job_id=second.pk, owner="b") is None, "one left behind keeps its slot until it has ended"
    jobs.fail(claim=claim, error="x")
    assert jobs.claim(job_id=second.pk, owner="b") is not None


def test_one_left_behind_keeps_its_place_before_the_one_that_waits() -> None:
    first = new(coalesce_key="k")
    held(first)
    second = new(coalesce_key="k")
    expire(first)
    assert next_jobs(["ml"]) == [str(first.pk), str(second.pk)]
    assert jobs.claim(job_id=second.pk, owner="b") is None
    assert held(first, "b").job.attempts == 2


def test_three_attempts_then_failed_in_words() -> None:
    job = new()
    for attempt in range(3):
        assert jobs.settle() == 0
        assert held(job, str(attempt)).job.attempts == attempt + 1
        expire(job)
    assert jobs.claim(job_id=job.pk, owner="fourth") is None
    assert jobs.sweep()["settled"] == 1
    job.refresh_from_db()
    assert job.state == Job.State.FAILED and "stopped 3 times" in job.error


def test_attempts_that_got_further_do_not_count_towards_the_last() -> None:
    job = new()
    for attempt in range(6):
        claim = held(job, str(attempt))
        claim.keep(attempt + 1)
        expire(job)
    for attempt in range(3):
        claim = held(job, str(attempt))
        claim.keep(6)  # no further than it was
        assert jobs.settle() == 0
        expire(job)
    assert jobs.claim(job_id=job.pk, owner="tenth") is None
    jobs.settle()
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.FAILED, 9) and "stopped 3 times" in job.error


def test_a_stale_worker_keeps_nothing() -> None:
    job = new()
    stale = held(job)
    expire(job)
    held(job, "b")
    stale.keep(100)
    job.refresh_from_db()
    assert (job.kept, job.fruitless) == (0, 2)


def test_cancelled_while_it_is_pausing_it_ends() -> None:
    job = new()
    claim = held(job)
    jobs.pause(job=job, user=None)
    jobs.cancel(job=job, user=None)
    jobs.end_paused(claim=claim)
    jobs.settle()
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED


def test_cancel_before_it_runs_and_while_it_runs() -> None:
    waiting, running, ended = new(), new(), new()
    jobs.cancel(job=waiting, user=None)
    assert waiting.state == Job.State.CANCELLED and jobs.claim(job_id=waiting.pk, owner="a") is None
    claim = held(running)
    jobs.cancel(job=running, user=None)
    with pytest.raises(jobs.JobCancelled):
        claim.progress(1, 2, "on")
    claim.renew()  # its handler may clean up under the lease
    jobs.end_cancelled(claim=claim)
    jobs.finish(claim=held(ended))
    jobs.cancel(job=ended, user=None)
    assert ended.state == Job.State.DONE and ended.cancel_requested_at is None


def test_cancelled_and_left_behind_ends_as_cancelled() -> None:
    job = new()
    held(job)
    jobs.cancel(job=job, user=None)
    expire(job)
    assert jobs.claim(job_id=job.pk, owner="b") is None
    jobs.sweep()
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED


def test_a_handler_is_told_by_the_heartbeat(settings: Any) -> None:
    claim = held(new())
    claim.check()
    jobs.cancel(job=claim.job, user=None)
    claim.renew()
    with pytest.raises(jobs.JobCancelled):
        claim.check()


def test_progress_is_measured_and_written_sparingly(django_assert_max_num_queries: Any) -> None:
    claim = held(new())
    claim.progress(0, 1000, "reading")
    with django_assert_max_num_queries(1):
        for row in range(1000):
            claim.progress(row + 1)
            claim.log(f"row {row}")
    jobs.finish(claim=claim)
    job = Job.objects.get(pk=claim.job.pk)
    assert (job.step, job.done_count, job.total_count) == ("reading", 1000, 1000)
    assert job.rate > 0 and job.log.splitlines()[-1] == "row 999" and len(job.log.splitlines()) == claims.LOG_LINES


def test_every_end_of_a_handler_is_an_end_of_the_job(kinds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(error: BaseException) -> Any:
        def handler(claim: jobs.Claim) -> None:
            raise error

        return handler

    kinds("fine")(lambda claim: {"rows": 3})
    kinds("refused")(raising(Refused("the file is empty")))
    kinds("full")(raising(OSError(errno.ENOSPC, "No space left on device")))
    kinds("bug")(raising(KeyError("colour")))
    kinds("memory")(raising(MemoryError()))
    states = {kind: run_now(new(kind=kind)) for kind in ("fine", "refused", "full", "bug", "memory", "unknown-kind")}
    assert (states["fine"].state, states["fine"].result) == (Job.State.DONE, {"rows": 3})
    assert states["refused"].error == "the file is empty"
    assert states["full"].error == "The disk is full."
    assert "KeyError" in states["bug"].error and "log" in states["bug"].error
    assert "memory" in states["memory"].error
    assert "unknown-kind" in states["unknown-kind"].error
    assert {kind for kind, job in states.items() if job.state == Job.State.FAILED} == states.keys() - {"fine"}


def test_a_busy_database_is_worth_three_attempts(kinds: Any) -> None:
    def handler(claim: jobs.Claim) -> None:
        raise OperationalError("database is locked")

    kinds("busy")(handler)
    job = new(kind="busy")
    for attempt in (1, 2):
        run_now(job)
        assert (job.state, job.attempts) == (Job.State.RUNNING, attempt)
        assert not work(str(job.pk)), "not at once"
        expire(job)
    assert run_now(job).state == Job.State.FAILED and "database" in job.error


def test_a_worker_that_stops_gives_its_job_back_and_the_attempt_does_not_count(kinds: Any) -> None:
    import threading

    stopping = threading.Event()

    def handler(claim: jobs.Claim) -> None:
        stopping.set()
        claim.progress(1, 2, "half")

    kinds("long")(handler)
    job = new(kind="long")
    assert work(str(job.pk), stopping=stopping)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.RUNNING, 0)
    assert held(job, "next").job.attempts == 1


def test_the_task_takes_the_id_as_json_would(kinds: Any) -> None:
    kinds("probe")(lambda claim: None)
    job = new()
    run_job.apply(args=json.loads(json.dumps([str(job.pk)])), throw=True)
    job.refresh_from_db()
    assert job.state == Job.State.DONE
    run_job.apply(args=[str(job.pk)], throw=True)  # doubled bells do nothing
    job.refresh_from_db()
    assert job.attempts == 1


def test_two_functions_for_a_kind_are_a_mistake(kinds: Any) -> None:
    kinds("once")(lambda claim: None)
    with pytest.raises(ValueError, match="two functions"):
        kinds("once")(test_one_worker_gets_it)


def test_the_sweeper_rings_again_with_growing_pauses(bells: list[str]) -> None:
    job = new()
    assert jobs.sweep()["rung"] == 0, "it was rung for a moment ago"
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now() - timedelta(seconds=6))
    bells.clear()
    assert jobs.sweep()["rung"] == 1 and bells == [str(job.pk)]
    assert jobs.sweep()["rung"] == 0


def test_who_is_alive(settings: Any) -> None:
    assert workers_alive() == 0 and not job_status(new()).worker_alive
    jobs.beat(name="w1", queues=["io", "ml"])
    jobs.beat(name="w1", queues=["ml"])
    assert (workers_alive(), workers_alive("ml"), workers_alive("io")) == (1, 1, 0)
    assert job_status(new()).worker_alive
    WorkerBeat.objects.update(beat_at=timezone.now() - timedelta(minutes=1))
    assert workers_alive() == 0
    WorkerBeat.objects.update(beat_at=timezone.now() - timedelta(hours=1))
    assert jobs.sweep()["beats"] == 1 and not WorkerBeat.objects.exists()


def test_a_job_belongs_to_its_catalogue(world: World) -> None:
    claim = held(new(catalogue=world.catalogue, user=world.people["lead"]))
    assert claim.catalogue == world.catalogue and claim.user == world.people["lead"]
    with pytest.raises(ValueError, match="has no catalogue"):
        _ = held(new()).catalogue
