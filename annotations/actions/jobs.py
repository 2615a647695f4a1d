"""Jobs: enqueue, claim, finish, fail, give back, cancel, pause, resume, sweep.

The row is the truth. The broker's message is a doorbell that may be lost, doubled or late without any harm: a claim is
one guarded UPDATE, and workers also look for themselves (docs/decisions/0010-doorbells.md).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions.claims import (
    Claim,
    JobCancelled,
    JobInterrupted,
    JobPaused,
    LeaseLost,
    TryAgain,
    lease_end,
)
from annotations.models import Catalogue, Job, User, WorkerBeat
from annotations.queries.jobs import claimable
from tagstudio import doorbell

__all__ = [
    "Claim", "JobCancelled", "JobInterrupted", "JobPaused", "LeaseLost", "TryAgain", "beat", "cancel", "claim",
    "end_cancelled", "end_paused", "enqueue", "fail", "finish", "forget_worker", "give_back", "pause", "resume", "settle",
    "sweep",
]  # fmt: skip

log = logging.getLogger(__name__)

BEATS_KEPT = timedelta(minutes=10)


def enqueue(
    *,
    kind: str,
    queue: str,
    catalogue: Catalogue | None = None,
    user: User | None = None,
    params: dict[str, Any] | None = None,
    coalesce_key: str | None = None,
    slot: str | None = None,
    needs: str = "",
    rank: int = 0,
    not_before: datetime | None = None,
) -> Job:
    """A queued job, rung for when the transaction commits.

    With a ``coalesce_key`` that already waits, that job comes back instead of a second one. It is touched, so that no
    worker can start on it before the caller's own writes are there to be seen.
    """
    now = timezone.now()
    # what comes after everything else is rung for by nobody: workers find it when there is nothing better to do
    due = rank == 0 and (not_before is None or not_before <= now)
    while True:
        if coalesce_key and (waiting := _touch_waiting(coalesce_key)):
            return waiting
        try:
            with transaction.atomic():
                job = Job.objects.create(
                    kind=kind, queue=queue, catalogue=catalogue, user=user, params=params or {},
                    coalesce_key=coalesce_key, slot=slot, needs=needs, rank=rank, not_before=not_before, rung_at=now if due else None,
                )  # fmt: skip
        except IntegrityError:
            if coalesce_key is None:
                raise
            continue  # somebody else's came in first; it waits, or was claimed since and does not count
        if due:
            transaction.on_commit(partial(doorbell.ring, str(job.pk), queue), robust=True)
        return job


def touch_waiting(*, coalesce_key: str) -> bool:
    """Whether one with this key waits; it then cannot begin before the caller's own writes are there to be seen."""
    return bool(_waiting(coalesce_key).update(coalesce_key=coalesce_key))


def _touch_waiting(coalesce_key: str) -> Job | None:
    return _waiting(coalesce_key).first() if touch_waiting(coalesce_key=coalesce_key) else None


def _waiting(coalesce_key: str) -> models.QuerySet[Job]:
    return Job.objects.filter(coalesce_key=coalesce_key, state=Job.State.QUEUED)


def claim(*, job_id: Any, owner: str, slots: Sequence[str] = ()) -> Claim | None:
    """The job, if it waits (or ran under somebody whose lease is over) and its slot is free; else None.

    slots: names of what this worker trains on; a job that needs one gets the first that is free
    """
    needs = Job.objects.filter(pk=job_id).values_list("needs", flat=True).first()
    if not needs:
        return _claim(job_id, owner)
    return next((claim for slot in slots if (claim := _claim(job_id, owner, slot=slot))), None)


def _claim(job_id: Any, owner: str, **more: Any) -> Claim | None:
    now = timezone.now()
    free = Job.objects.filter(claimable(now), pk=job_id)
    try:
        with transaction.atomic():
            got = free.update(
                state=Job.State.RUNNING,
                owner=owner[:120],
                epoch=F("epoch") + 1,
                attempts=F("attempts") + 1,
                fruitless=F("fruitless") + 1,
                lease_until=lease_end(),
                started_at=now,
                step="",
                done_count=0,
                total_count=0,
                rate=0.0,
                **more,
            )
    except IntegrityError:
        return None  # the slot is taken, or one with the same key runs: it goes on waiting
    if not got:
        return None
    job = Job.objects.select_related("catalogue", "user").get(pk=job_id)
    return Claim(job) if job.owner == owner[:120] else None


def finish(*, claim: Claim, result: dict[str, Any] | None = None) -> None:
    """Done. Raises LeaseLost when the job is somebody else's by now."""
    said = claim.unwritten()
    _end(claim, Job.State.DONE, result=result or {}, error="", **said)


def fail(*, claim: Claim, error: str) -> None:
    """Ended without a result; ``error`` is for the person who asked, in plain words."""
    _end(claim, Job.State.FAILED, error=error, **claim.unwritten())


def end_cancelled(*, claim: Claim) -> None:
    _end(claim, Job.State.CANCELLED, error="", **claim.unwritten())


def end_paused(*, claim: Claim) -> None:
    """It rests, its slot is free; ``resume`` queues it again. The attempt does not count.

    Resumed or cancelled before it got here, it is given back at once instead, for whoever is next to see to that.
    """
    mine = Job.objects.filter(pk=claim.job.pk, epoch=claim.epoch, state=Job.State.RUNNING)
    said = claim.unwritten()
    rests = {"state": Job.State.PAUSED, "pause_requested_at": None, "lease_until": None, "coalesce_key": None}
    if (
        not mine.filter(cancel_requested_at=None)
        .exclude(pause_requested_at=None)
        .update(**rests, **said, **_uncounted())
    ):
        mine.update(lease_until=lease_end(0), **said, **_uncounted())


def _uncounted() -> dict[str, Any]:
    return {"attempts": Greatest(F("attempts") - 1, 0), "fruitless": Greatest(F("fruitless") - 1, 0)}


def _end(claim: Claim, state: Job.State, **fields: Any) -> None:
    mine = Job.objects.filter(pk=claim.job.pk, epoch=claim.epoch, state=Job.State.RUNNING)
    if not mine.update(state=state, finished_at=timezone.now(), lease_until=None, **fields):
        raise LeaseLost(str(claim.job.pk))
    log.info("job %s (%s) %s", claim.job.pk, claim.job.kind, state)


def give_back(*, claim: Claim, seconds: float = 0, counts: bool = True) -> None:
    """Let another worker have it after ``seconds``. It keeps its slot; a stopped worker's attempt does not count."""
    mine = Job.objects.filter(pk=claim.job.pk, epoch=claim.epoch, state=Job.State.RUNNING)
    mine.update(lease_until=lease_end(seconds), **({} if counts else _uncounted()), **claim.unwritten())


def cancel(*, job: Job, user: User | None) -> Job:
    """Stop it: at once when it waits; when it runs, its handler is told and stops within seconds.

    Sent twice, or after the end, it changes nothing.
    """
    now = timezone.now()
    asked = Job.objects.filter(pk=job.pk, cancel_requested_at=None)
    if asked.filter(state__in=(Job.State.QUEUED, Job.State.PAUSED)).update(
        state=Job.State.CANCELLED, cancel_requested_at=now, finished_at=now
    ) or asked.filter(state=Job.State.RUNNING).update(cancel_requested_at=now):
        log.info("job %s (%s) cancelled by %s", job.pk, job.kind, user.pk if user else "-")
    job.refresh_from_db()
    return job


def pause(*, job: Job, user: User | None) -> Job:
    """Let it rest: at once when it waits; when it runs, its handler is told and stops where it can go on from.

    A paused job holds neither its slot nor its coalesce key, so that others run and wait meanwhile. Sent twice, or
    after the end, it changes nothing. Only for kinds whose handlers go on from where they stopped.
    """
    free = Job.objects.filter(pk=job.pk, cancel_requested_at=None, pause_requested_at=None)
    if free.filter(state=Job.State.QUEUED).update(state=Job.State.PAUSED, coalesce_key=None) or free.filter(
        state=Job.State.RUNNING
    ).update(pause_requested_at=timezone.now()):
        log.info("job %s (%s) paused by %s", job.pk, job.kind, user.pk if user else "-")
    job.refresh_from_db()
    return job


def resume(*, job: Job, user: User | None) -> Job:
    """Queue a paused job again; one that was asked to pause and has not got there yet simply goes on.

    Anything else is left as it is.
    """
    now = timezone.now()
    with transaction.atomic():
        asked = Job.objects.filter(pk=job.pk, cancel_requested_at=None)
        # fruitless: whoever resumes it has looked into what went wrong
        if asked.filter(state=Job.State.PAUSED).update(
            state=Job.State.QUEUED, pause_requested_at=None, fruitless=0, rung_at=now
        ):
            log.info("job %s (%s) resumed by %s", job.pk, job.kind, user.pk if user else "-")
            transaction.on_commit(partial(doorbell.ring, str(job.pk), job.queue), robust=True)
        else:
            asked.filter(state=Job.State.RUNNING).update(pause_requested_at=None)
    job.refresh_from_db()
    return job


def settle() -> int:
    """End what nobody will work on any more: left behind and to be stopped or paused, or left behind once too often."""
    now = timezone.now()
    orphans = Job.objects.orphaned()
    stopped = orphans.exclude(cancel_requested_at=None).update(
        state=Job.State.CANCELLED, finished_at=now, lease_until=None
    )
    paused = orphans.filter(cancel_requested_at=None).exclude(pause_requested_at=None)
    stopped += paused.update(state=Job.State.PAUSED, pause_requested_at=None, lease_until=None, coalesce_key=None)
    failed = 0
    for job in orphans.filter(cancel_requested_at=None, fruitless__gte=Job.MAX_ATTEMPTS):
        error = _(
            "The worker stopped %(times)d times while doing this (last step: %(step)s). It may need more memory than "
            "there is. The worker's log says more; then start it again."
        ) % {"times": job.fruitless, "step": job.step or _("start")}
        failed += orphans.filter(pk=job.pk, epoch=job.epoch).update(
            state=Job.State.FAILED, finished_at=now, lease_until=None, error=error
        )
    return stopped + failed


def sweep() -> dict[str, int]:
    """What has to be done every few seconds whatever else happens. Returns how many of each."""
    settled = settle()
    rung = _ring_again()
    dead = WorkerBeat.objects.filter(beat_at__lt=timezone.now() - BEATS_KEPT).delete()[0]
    pruned = doorbell.prune()
    return {"settled": settled, "rung": rung, "beats": dead, "messages": pruned}


def _ring_again() -> int:
    """Ring for what should have been answered by now: again after 5 s, then after twice as long, a minute at most."""
    now = timezone.now()
    rung = 0
    waiting = Job.objects.filter(claimable(now), rank=0).order_by("created_at")
    for job in waiting.only("pk", "queue", "created_at", "rung_at")[:500]:
        last = job.rung_at
        pause = min(max((last - job.created_at).total_seconds(), settings.JOB_SWEEP_SECONDS), 60) if last else 0
        if last is None or (now - last).total_seconds() >= pause:
            rung += Job.objects.filter(pk=job.pk, rung_at=last).update(rung_at=now)
            doorbell.ring(str(job.pk), job.queue)
    return rung


def beat(*, name: str, queues: Sequence[str], slots: Sequence[str] = ()) -> None:
    """A worker says that it lives, for which queues, and what it trains on."""
    WorkerBeat.objects.update_or_create(
        name=name[:120],
        defaults={"queues": ",".join(queues)[:60], "slots": list(slots), "beat_at": timezone.now()},
    )


def forget_worker(*, name: str) -> None:
    """A worker says goodbye."""
    WorkerBeat.objects.filter(name=name[:120]).delete()
