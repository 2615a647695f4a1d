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
    "score": _("Suggesting tags"),
    "proof": _("Measuring what learning saves"),
    "second_look": _("Looking for unlikely decisions"),
    "read": _("Reading the products"),
    "train": _("Training"),
    "adopt": _("Taking in a model"),
    "import": _("Import"),
    "export": _("Export"),
    "taxonomy": _("Change of the taxonomy"),
    "bulk": _("Bulk action"),
    "bulk_undo": _("Taking a bulk action back"),
    "families": _("Looking for families and shared texts"),
    "shared_texts": _("Taking shared texts out"),
}


def claimable(now: datetime) -> Q:
    """Waiting and due, or left behind by a worker that died; not one that somebody wants stopped."""
    waits = Q(state=Job.State.QUEUED) & (Q(not_before=None) | Q(not_before__lte=now))
    left = Q(state=Job.State.RUNNING, lease_until__lt=now)
    return (waits | left) & Q(cancel_requested_at=None, attempts__lt=Job.MAX_ATTEMPTS)


def next_jobs(queues: Sequence[str], count: int = 20) -> list[str]:
    """Ids of jobs that a worker of these queues may try to claim, oldest first."""
    waiting = Job.objects.filter(claimable(timezone.now()), queue__in=queues).order_by("created_at")
    return [str(pk) for pk in waiting.values_list("pk", flat=True)[:count]]


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
        seconds_left=job.seconds_left if job.live else None,
        log=tuple(job.log.splitlines()[-LOG_TAIL:]),
        error=retell(job.error),
        result=job.result,
        cancelling=job.live and job.cancel_requested_at is not None,
        interrupted=job.state == Job.State.RUNNING and job.lease_until is not None and job.lease_until < now,
        attempts=job.attempts,
        worker_alive=not job.live or workers_alive(job.queue) > 0,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def live_jobs(catalogue: Catalogue) -> list[JobStatus]:
    return [job_status(job) for job in Job.objects.live().filter(catalogue=catalogue)]
