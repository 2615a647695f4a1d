"""From a doorbell to a job that has ended: the Celery tasks, and the one way in which a job is worked on."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.utils.translation import gettext as _

from annotations.actions import drift, jobs, retention, schedules
from annotations.actions.errors import Refused
from annotations.models import Job
from annotations.tasks.registry import handler_of
from annotations.tasks.runner import RUNNERS
from tagstudio.celery import app

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0


@app.task(name="annotations.run_job")
def run_job(job_id: str) -> None:
    """The doorbell. In a worker, a thread of the runner answers; without one the job is worked on right here."""
    if RUNNERS:
        for runner in RUNNERS:
            runner.ring(job_id)
    else:
        work(job_id)


@app.task(name="annotations.sweep")
def sweep() -> None:
    jobs.sweep()


@app.task(name="annotations.start_due_training")
def start_due_training() -> None:
    schedules.start_due()


@app.task(name="annotations.tidy_models")
def tidy_models() -> None:
    retention.tidy_all()


@app.task(name="annotations.look_for_drift")
def look_for_drift() -> None:
    drift.look_when_due()


def run_now(job: Job) -> Job:
    """Work on a job in this process, for a command that waits for it. Another worker may have been quicker."""
    work(str(job.pk))
    job.refresh_from_db()
    return job


def work(job_id: str, *, owner: str = "", stopping: threading.Event | None = None) -> bool:
    """Claim the job and see it to its end. False when it was not to be had. Never raises: the row says what happened."""
    me = owner or f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
    claim = jobs.claim(job_id=job_id, owner=me, slots=[slot.name for slot in settings.TRAINING_SLOTS])
    if claim is None:
        return False
    if stopping is not None:
        claim.stopping = stopping
    try:
        _see_through(claim)
    except jobs.LeaseLost:
        log.warning("job %s was given to another worker; what was left of this attempt is dropped", job_id)
    return True


def _see_through(claim: jobs.Claim) -> None:
    try:
        with claim.heartbeat():  # from the start: the first of its kind may load a lot
            handler = handler_of(claim.job.kind)
            if handler is None:
                raise Refused(_("This version of TagStudio does not know how to do “%s”.") % claim.job.kind, "kind")
            claim.patience = handler.patience
            result = handler.work(claim)
        jobs.finish(claim=claim, result=result)
    except jobs.JobCancelled:
        jobs.end_cancelled(claim=claim)
    except jobs.JobPaused:
        jobs.end_paused(claim=claim)
    except jobs.JobInterrupted:
        jobs.give_back(claim=claim, counts=False)
    except jobs.LeaseLost:
        raise
    except Refused as refusal:
        jobs.fail(claim=claim, error=refusal.message)
    except jobs.TryAgain as error:
        _try_later(claim, str(error))
    except OperationalError as error:
        log.warning("job %s: database: %s", claim.job.pk, error)
        _try_later(claim, _("The database was busy or not to be reached."))
    except Exception as error:
        log.exception("job %s (%s) failed", claim.job.pk, claim.job.kind)
        jobs.fail(claim=claim, error=in_plain_words(error))


def _try_later(claim: jobs.Claim, words: str) -> None:
    """Give it back for another try; after the third in a row that got no further it has failed."""
    if claim.job.fruitless < Job.MAX_ATTEMPTS:
        log.warning("job %s (%s), attempt %d: %s", claim.job.pk, claim.job.kind, claim.job.attempts, words)
        jobs.give_back(claim=claim, seconds=RETRY_SECONDS)
    else:
        jobs.fail(
            claim=claim, error=_("%(words)s (tried %(times)d times)") % {"words": words, "times": claim.job.fruitless}
        )


def in_plain_words(error: BaseException) -> str:
    """What a person can do something with; the worker's log has the rest."""
    if isinstance(error, MemoryError):
        return _("There was not enough memory for this.")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _("The disk is full.")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS):
        return _("A file could not be written: %s") % (error.strerror or "")
    return _("Something went wrong that nobody foresaw (%(kind)s: %(text)s). The worker's log says more.") % {
        "kind": type(error).__name__,
        "text": str(error)[:200],
    }


def report(job: Job) -> dict[str, Any]:
    """What a command prints about a job that it waited for."""
    return {"job": str(job.pk), "state": job.state, "error": job.error, **job.result}
