"""Jobs: long work as a row. The row is the truth; the broker's message is only a doorbell."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class JobQuerySet(models.QuerySet["Job"]):
    def live(self) -> JobQuerySet:
        return self.filter(state__in=Job.LIVE)

    def orphaned(self) -> JobQuerySet:
        """Running, but whoever ran them has stopped renewing the lease."""
        return self.filter(state=Job.State.RUNNING, lease_until__lt=timezone.now())


class Job(models.Model):
    """Work for a worker.

    A worker claims a job with one guarded UPDATE that raises ``epoch`` and takes a lease; each later write names the
    epoch, so that a worker that was given up for dead changes nothing when it wakes. ``coalesce_key``: at most one
    such job runs and one waits. ``slot``: at most one running job holds it (an import's catalogue, say). ``needs``: the
    kind of slot that the worker who claims it must have free; which one it got is then in ``slot``. ``rank``: those with
    a lower one go first.

    ``attempts`` counts all claims, ``fruitless`` those in a row after which nothing more was safe than before: a job
    that gets further each time is not given up, however often it is killed (docs/decisions/0080-pausing.md).
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    LIVE = (State.QUEUED, State.RUNNING, State.PAUSED)  # has not ended
    MAX_ATTEMPTS = 3

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    queue = models.CharField(max_length=8, choices=[("io", "io"), ("ml", "ml")])
    catalogue = models.ForeignKey("annotations.Catalogue", models.CASCADE, null=True, blank=True, related_name="jobs")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    coalesce_key = models.CharField(max_length=120, null=True, blank=True)
    slot = models.CharField(max_length=60, null=True, blank=True)
    needs = models.CharField(max_length=20, blank=True, help_text="a kind of slot that its worker must have free")
    rank = models.PositiveSmallIntegerField(default=0, help_text="after those with a lower one")
    owner = models.CharField(max_length=120, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    fruitless = models.PositiveSmallIntegerField(default=0)
    kept = models.BigIntegerField(default=0, help_text="how far its work is safe, in units of its own")
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    rung_at = models.DateTimeField(null=True, blank=True, help_text="when the doorbell last rang")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    pause_requested_at = models.DateTimeField(null=True, blank=True)
    step = models.CharField(max_length=200, blank=True)
    done_count = models.BigIntegerField(default=0)
    total_count = models.BigIntegerField(default=0)
    rate = models.FloatField(default=0.0, help_text="done_count per second")
    log = models.TextField(blank=True, help_text="the last lines")
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True, help_text="plain words for the person who asked")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["coalesce_key"], condition=Q(state="queued"), name="one_waiting_job_per_coalesce_key"
            ),
            models.UniqueConstraint(
                fields=["coalesce_key"], condition=Q(state="running"), name="one_running_job_per_coalesce_key"
            ),
            models.UniqueConstraint(fields=["slot"], condition=Q(state="running"), name="one_running_job_per_slot"),
        ]
        indexes = [models.Index(fields=["state", "created_at"]), models.Index(fields=["catalogue", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

    @property
    def live(self) -> bool:
        return self.state in self.LIVE

    @property
    def share(self) -> float | None:
        """How much is done, 0 to 1; None when nobody can say."""
        return min(1.0, self.done_count / self.total_count) if self.total_count else None

    @property
    def seconds_left(self) -> float | None:
        return (self.total_count - self.done_count) / self.rate if self.rate > 0 and self.total_count else None


class WorkerBeat(models.Model):
    """A worker says that it lives, and for which queue. Works with every broker, remote control or none."""

    name = models.CharField(max_length=120, unique=True)
    queues = models.CharField(max_length=60)
    slots = models.JSONField(default=list, help_text="names of what it trains on")
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
