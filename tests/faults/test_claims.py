"""Many at once: one job goes to one worker, one waits per key, one runs per slot, and no wake-up is lost."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from annotations.actions import jobs
from annotations.models import Catalogue, Job
from annotations.queries.jobs import claimable
from tagstudio import doorbell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "ring", lambda job_id, queue: None)


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What ``count`` threads return (or raise) that begin together."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count

    def body(number: int) -> None:
        try:
            barrier.wait()
            results[number] = work(number)
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def new(**more: Any) -> Job:
    return jobs.enqueue(**{"kind": "k", "queue": "ml", **more})


def test_each_job_goes_to_one_worker() -> None:
    waiting = [new() for _ in range(20)]
    owners: Counter[str] = Counter()

    def take_all(number: int) -> int:
        mine = 0
        for job in waiting:
            if jobs.claim(job_id=job.pk, owner=f"w{number}"):
                owners[str(job.pk)] += 1
                mine += 1
        return mine

    taken = at_once(8, take_all)
    assert sum(taken) == 20 and set(owners.values()) == {1}
    assert set(Job.objects.values_list("epoch", "attempts")) == {(1, 1)}


def test_control_a_claim_that_looks_first_and_writes_then_doubles_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_then_write(job_id: Any, owner: str) -> bool:
        if not Job.objects.filter(claimable(timezone.now()), pk=job_id).exists():
            return False
        time.sleep(0.05)
        Job.objects.filter(pk=job_id).update(state=Job.State.RUNNING, owner=owner)
        return True

    job = new()
    assert sum(at_once(8, lambda number: look_then_write(job.pk, f"w{number}"))) > 1


def test_one_left_behind_goes_to_one_worker() -> None:
    job = new()
    jobs.claim(job_id=job.pk, owner="dead")
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claims = [c for c in at_once(8, lambda n: jobs.claim(job_id=job.pk, owner=f"w{n}")) if c]
    assert len(claims) == 1 and claims[0].epoch == 2


def test_one_waits_per_key_however_many_ask() -> None:
    for _ in range(5):
        asked = at_once(8, lambda _number: new(coalesce_key="refit:1").pk)
        assert len(set(asked)) == 1
        assert Job.objects.filter(coalesce_key="refit:1", state=Job.State.QUEUED).count() == 1
        Job.objects.all().delete()


def test_asking_while_others_claim_loses_nothing() -> None:
    """Askers and a worker at once: never more than one waits, one runs, and a job begins after the last asking."""
    asked_at: list[float] = []
    claimed_at: list[float] = []
    done: list[int] = []

    def body(number: int) -> None:
        if number == 0:
            while len(done) < 4 or Job.objects.filter(state=Job.State.QUEUED).exists():
                for pk in list(Job.objects.filter(state=Job.State.QUEUED).values_list("pk", flat=True)):
                    begun = time.monotonic()
                    if claim := jobs.claim(job_id=pk, owner="w"):
                        claimed_at.append(begun)
                        assert Job.objects.filter(state=Job.State.RUNNING).count() == 1
                        jobs.finish(claim=claim)
            return
        try:
            for _ in range(25):
                new(coalesce_key="refit:1")
                asked_at.append(time.monotonic())
                assert Job.objects.filter(state=Job.State.QUEUED).count() <= 1
        finally:
            done.append(number)  # also by one that failed: the claimer must not wait for it for ever

    at_once(5, body)
    assert len(asked_at) == 100 and 1 <= len(claimed_at) <= 100
    assert not Job.objects.exclude(state=Job.State.DONE).exists()


def test_one_runs_per_slot() -> None:
    waiting = [new(slot="train:0") for _ in range(8)]
    for round_ in range(3):
        claims = [c for c in at_once(8, lambda n: jobs.claim(job_id=waiting[n].pk, owner=f"w{n}")) if c]
        assert len(claims) == 1 and Job.objects.filter(state=Job.State.RUNNING).count() == 1, round_
        jobs.finish(claim=claims[0])


def a_claim_sees_what_the_asker_wrote() -> bool:
    """An asker finds a job that waits, and commits a moment later; a worker claims in between. What does it see?"""
    catalogue = Catalogue.objects.create(slug="c", name="before")
    job = new(coalesce_key="refit:1")
    asked = threading.Event()

    def body(number: int) -> str:
        if number == 0:
            with transaction.atomic():
                Catalogue.objects.filter(pk=catalogue.pk).update(name="decided")
                assert new(coalesce_key="refit:1").pk == job.pk
                asked.set()
                time.sleep(0.5)
            return ""
        asked.wait()
        assert jobs.claim(job_id=job.pk, owner="w") is not None
        return Catalogue.objects.get(pk=catalogue.pk).name

    return "decided" in at_once(2, body)


def test_a_job_that_waits_cannot_begin_before_its_asker_has_committed() -> None:
    assert a_claim_sees_what_the_asker_wrote()


def test_control_without_the_touch_the_decision_would_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time: SQLite's IMMEDIATE transactions hold the claim back by themselves")
    monkeypatch.setattr(
        jobs, "_touch_waiting", lambda key: Job.objects.filter(coalesce_key=key, state=Job.State.QUEUED).first()
    )
    assert not a_claim_sees_what_the_asker_wrote()


@pytest.mark.long
def test_a_heartbeat_keeps_a_silent_handler_its_lease(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 2
    job = new()
    claim = jobs.claim(job_id=job.pk, owner="a")
    assert claim is not None
    with claim.heartbeat():
        time.sleep(3.5)
        assert jobs.claim(job_id=job.pk, owner="b") is None
    jobs.finish(claim=claim)


def test_control_without_a_heartbeat_it_is_given_away(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 1
    job = new()
    jobs.claim(job_id=job.pk, owner="a")
    time.sleep(1.2)
    assert jobs.claim(job_id=job.pk, owner="b") is not None


@pytest.mark.long
def test_a_hung_handler_loses_its_lease(settings: Any) -> None:
    """A heartbeat alone would keep a job for ever; one that gives no sign for its patience is let go."""
    settings.JOB_LEASE_SECONDS = 1
    job = new()
    claim = jobs.claim(job_id=job.pk, owner="a")
    assert claim is not None
    claim.patience = 0.5
    with claim.heartbeat():
        time.sleep(2.5)
        fresh = jobs.claim(job_id=job.pk, owner="b")
        assert fresh is not None
    with pytest.raises(jobs.LeaseLost):
        jobs.finish(claim=claim)
