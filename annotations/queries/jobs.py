"""What runs, what waits, and who is there to do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotations.models import Catalogue, Job, WorkerBeat
from annotations.retelling import retell

LOG_TAIL = 12
LABELS = {
    "refit": _("Learning from the decisions"),
    "calibrate": _("Learning how far scores can be trusted"),
    "score": _("Suggesting tags"),
    "proof": _("Measuring what learning saves"),
    "second_look": _("Looking for unlikely decisions"),
    "read": _("Reading the products"),
    "restore": _("Bringing back the suggestions of the former model"),
    "train": _("Training"),
    "trial": _("Trying a plan"),
    "ask_model": _("Asking the language model"),
    "relations": _("Looking for relations between tags"),
    "word_scan": _("Looking for blocked words"),
    "adopt": _("Taking in a model"),
    "drift": _("Looking for drift"),
    "notify": _("Telling of an alert"),
    "import": _("Import"),
    "export": _("Export"),
    "taxonomy": _("Change of the taxonomy"),
    "starter": _("Starter taxonomy"),
    "proposals": _("Looking for proposals"),
    "drafts": _("Writing drafts"),
    "bulk": _("Bulk action"),
    "bulk_undo": _("Taking a bulk action back"),
    "families": _("Looking for families and shared texts"),
    "shared_texts": _("Taking shared texts out"),
}


def claimable(now: datetime) -> Q:
    """Waiting and due, or left behind by a worker that died; not one that somebody wants stopped or paused."""
    waits = Q(state=Job.State.QUEUED) & (Q(not_before=None) | Q(not_before__lte=now))
    left = Q(state=Job.State.RUNNING, lease_until__lt=now)
    return (waits | left) & Q(cancel_requested_at=None, pause_requested_at=None, fruitless__lt=Job.MAX_ATTEMPTS)


def next_jobs(queues: Sequence[str], count: int = 20, *, slots: Sequence[str] = ()) -> list[str]:
    """Ids of jobs that a worker of these queues, with these slots, may try to claim: by rank, then oldest first."""
    waiting = Job.objects.filter(claimable(timezone.now()), queue__in=queues).order_by("rank", "created_at")
    if not free_slots(slots):  # what has to wait must not hide what need not
        waiting = waiting.filter(needs="")
    return [str(pk) for pk in waiting.values_list("pk", flat=True)[:count]]


def free_slots(slots: Sequence[str]) -> list[str]:
    """Those that no live worker trains on; one whose worker has gone is free for whoever goes on there."""
    if not slots:
        return []
    held = Job.objects.filter(state=Job.State.RUNNING, slot__in=slots, lease_until__gte=timezone.now())
    taken = set(held.values_list("slot", flat=True))
    return [slot for slot in slots if slot not in taken]


@dataclass(frozen=True, slots=True)
class Place:
    """Something to train on, and the job that is there now."""

    slot: str
    job: Job | None

    @property
    def host(self) -> str:
        return self.slot.rpartition("/")[0]

    @property
    def device(self) -> str:
        return self.slot.rpartition("/")[2]


def places() -> list[Place]:
    """What the workers that are alive train on. Two queries."""
    beats = WorkerBeat.objects.filter(beat_at__gte=alive_since()).values_list("slots", flat=True)
    names = sorted({name for slots in beats for name in slots})
    jobs = Job.objects.filter(state=Job.State.RUNNING, slot__in=names).select_related("catalogue", "training_run")
    holds = {job.slot: job for job in jobs}
    return [Place(name, holds.get(name)) for name in names]


def alive_since() -> datetime:
    """A worker that has not said so since is not alive: it beats every sweep, and may be late three times."""
    return timezone.now() - timedelta(seconds=max(4 * settings.JOB_SWEEP_SECONDS, 20))


def workers_alive(queue: str | None = None) -> int:
    """How many workers serve the queue (any queue, when none is named) and said so lately."""
    beats = WorkerBeat.objects.filter(beat_at__gte=alive_since())
    return sum(1 for beat in beats if queue is None or queue in beat.queues.split(","))


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as pages and the API show it."""

    id: str
    kind: str
    label: str
    queue: str
    state: str
    live: bool
    step: str
    done: int
    total: int
    share: float | None
    percent: int | None
    rate: float
    seconds_left: float | None
    log: tuple[str, ...]
    error: str
    result: dict[str, Any]
    cancelling: bool
    pausing: bool
    paused: bool
    interrupted: bool  # its worker died; it is picked up again
    attempts: int
    worker_alive: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def job_status(job: Job) -> JobStatus:
    now = timezone.now()
    return JobStatus(
        id=str(job.pk),
        kind=job.kind,
        label=str(LABELS.get(job.kind, job.kind)),
        queue=job.queue,
        state=job.state,
        live=job.live,
        step=retell(job.step),
        done=job.done_count,
        total=job.total_count,
        share=job.share,
        percent=None if job.share is None else int(100 * job.share),
        rate=job.rate,
        seconds_left=job.seconds_left if job.live and job.state != Job.State.PAUSED else None,
        log=tuple(job.log.splitlines()[-LOG_TAIL:]),
        error=retell(job.error),
        result=job.result,
        cancelling=job.live and job.cancel_requested_at is not None,
        pausing=job.state == Job.State.RUNNING and job.pause_requested_at is not None,
        paused=job.state == Job.State.PAUSED,
        interrupted=job.state == Job.State.RUNNING and job.lease_until is not None and job.lease_until < now,
        attempts=job.attempts,
        worker_alive=not job.live or job.state == Job.State.PAUSED or workers_alive(job.queue) > 0,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def live_jobs(catalogue: Catalogue) -> list[JobStatus]:
    return [job_status(job) for job in Job.objects.live().filter(catalogue=catalogue)]


def rescoring(catalogue: Catalogue) -> list[JobStatus]:
    """What still runs or waits before every product has the suggestions of the model in use, in the order it goes."""
    order = {"restore": 0, "read": 1, "refit": 2, "calibrate": 3, "score": 4}
    live = Job.objects.live().filter(catalogue=catalogue, kind__in=order)
    return sorted(map(job_status, live), key=lambda job: order[job.kind])
