"""A claim: the right to work on a job, for as long as its lease is renewed and nobody else was given the job."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from annotations.models import Catalogue, Job, User

log = logging.getLogger(__name__)

LOG_LINES, LOG_CHARS = 200, 16_000
SECONDS_BETWEEN_WRITES = 0.5
# A handler that gives no sign for this long is taken for hung: its lease is no longer renewed, so another may try.
PATIENCE_SECONDS = 900.0


class LeaseLost(Exception):
    """Somebody else has the job now; whatever this worker still writes must change nothing."""


class JobCancelled(Exception):
    """A person asked for the job to stop."""


class JobPaused(Exception):
    """A person asked for the job to rest: it ends at a place from which it can go on later."""


class JobInterrupted(Exception):
    """This worker is being stopped; the job goes back and is picked up again."""


class TryAgain(Exception):
    """What went wrong may go right the next time. The message, in plain words, is the job's error after the last."""


class Claim:
    """What a handler is given. Every write names the epoch, so that a stale worker's write changes nothing.

    ``progress`` and ``log`` may be called for each row: they are written at most twice a second. Both, and ``check``,
    raise LeaseLost, JobCancelled, JobPaused or JobInterrupted when it is time to stop; a handler lets those pass.
    """

    def __init__(self, job: Job, *, patience: float = PATIENCE_SECONDS) -> None:
        self.job = job
        self.epoch = job.epoch
        self.patience = patience
        self.stopping = threading.Event()  # set by the worker when it shuts down
        self._lost = threading.Event()
        self._cancelled = threading.Event()
        self._paused = threading.Event()
        self._lines = job.log.splitlines()[-LOG_LINES:]
        self._unwritten: dict[str, Any] = {}
        self._written_at = self._alive_at = self._counted_at = time.monotonic()
        self._counted_from = 0

    @property
    def params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.job.params
        return params

    @property
    def catalogue(self) -> Catalogue:
        if self.job.catalogue is None:
            raise ValueError(f"job {self.job.pk} ({self.job.kind}) has no catalogue")
        return self.job.catalogue

    @property
    def user(self) -> User | None:
        return self.job.user

    def progress(
        self,
        done: int | None = None,
        total: int | None = None,
        step: str | None = None,
        rate: float | None = None,
    ) -> None:
        """How far it is, what it is doing, and how fast (``done`` per second; measured here when not said)."""
        self._alive_at = time.monotonic()
        said: dict[str, Any] = {}
        if step is not None and step != self._unwritten.get("step", self.job.step):
            said["step"] = step[:200]
            self._counted_at, self._counted_from = self._alive_at, done or 0  # a new step has a speed of its own
        if total is not None:
            said["total_count"] = total
        if done is not None:
            said["done_count"] = done
            seconds = self._alive_at - self._counted_at
            if rate is None and seconds > 0 and done > self._counted_from:
                rate = (done - self._counted_from) / seconds
        if rate is not None:
            said["rate"] = rate
        self._unwritten.update(said)
        self._write(now="step" in said)

    def log(self, text: str) -> None:
        """Add to the tail that the page shows; the oldest lines make room."""
        self._alive_at = time.monotonic()
        self._lines = [*self._lines, *text.rstrip().splitlines()][-LOG_LINES:]
        self._unwritten["log"] = "\n".join(self._lines)[-LOG_CHARS:]
        self._write()

    def check(self) -> None:
        """Raise when it is time to stop. Costs nothing: the heartbeat keeps the answer fresh."""
        self._alive_at = time.monotonic()
        if self._lost.is_set():
            raise LeaseLost(str(self.job.pk))
        if self._cancelled.is_set():
            raise JobCancelled(str(self.job.pk))
        if self._paused.is_set():
            raise JobPaused(str(self.job.pk))
        if self.stopping.is_set():
            raise JobInterrupted(str(self.job.pk))

    def look(self) -> None:
        """As ``check``, with a fresh answer: one small read, for a handler that is silent itself for seconds."""
        self._hear()
        self.check()

    def _hear(self) -> None:
        """What the row asks of us."""
        row = self._mine().values_list("cancel_requested_at", "pause_requested_at").first()
        if row is None:
            self._lost.set()
        elif row[0] is not None:
            self._cancelled.set()
        elif row[1] is not None:
            self._paused.set()

    def renew(self) -> None:
        """Take the lease for another term. A cancelled job keeps its lease while its handler cleans up."""
        if not self._mine().update(lease_until=lease_end()):
            self._lost.set()
            raise LeaseLost(str(self.job.pk))
        self._hear()

    def keep(self, position: int) -> None:
        """What was done up to ``position`` (in units of its own, rising) is safe, whatever happens to this attempt.

        An attempt that got further than any before was not in vain: it does not count towards the last one.
        """
        if position <= self.job.kept:
            return
        if self._mine().update(kept=position, fruitless=0):
            self.job.kept, self.job.fruitless = position, 0

    def fence(self) -> None:
        """First thing in a transaction that stores results: from here to its end nobody else can be given the job.

        Raises LeaseLost when somebody already was; the caller's transaction then rolls back.
        """
        if not connection.in_atomic_block:
            raise transaction.TransactionManagementError("a fence holds only inside a transaction")
        if not self._mine().update(lease_until=lease_end()):
            self._lost.set()
            raise LeaseLost(str(self.job.pk))

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Renew the lease from a thread of its own for as long as the block runs."""
        done = threading.Event()
        thread = threading.Thread(target=self._beat, args=(done,), name=f"heartbeat {self.job.pk}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(timeout=5)

    def unwritten(self) -> dict[str, Any]:
        """Fields that were said but not written yet, for the write that ends the job."""
        said, self._unwritten = self._unwritten, {}
        return said

    def _mine(self) -> Any:
        return Job.objects.filter(pk=self.job.pk, epoch=self.epoch, state=Job.State.RUNNING)

    def _write(self, *, now: bool = False) -> None:
        self.check()
        if not now and time.monotonic() - self._written_at < SECONDS_BETWEEN_WRITES:
            return
        self._written_at = time.monotonic()
        fields = self.unwritten()
        wanted = self._mine().filter(cancel_requested_at=None, pause_requested_at=None)
        if wanted.update(lease_until=lease_end(), **fields):
            for name, value in fields.items():
                setattr(self.job, name, value)
            return
        self._hear()
        self._unwritten = fields
        self.check()

    def _beat(self, done: threading.Event) -> None:
        """Every third of the lease; a database that is busy or away for a moment is asked again."""
        try:
            while not done.wait(settings.JOB_LEASE_SECONDS / 3):
                if time.monotonic() - self._alive_at > self.patience:
                    log.error("job %s gave no sign for %d s: its lease runs out", self.job.pk, self.patience)
                    return
                try:
                    self.renew()
                except LeaseLost:
                    return
                except DatabaseError as error:
                    log.warning("job %s: heartbeat not written (%s)", self.job.pk, error)
                    connection.close()
        finally:
            connection.close()


def lease_end(seconds: float | None = None) -> Any:
    return timezone.now() + timedelta(seconds=settings.JOB_LEASE_SECONDS if seconds is None else seconds)
