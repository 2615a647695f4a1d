"""Training runs and the models that came of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotations.models.catalogue import Catalogue


class ModelVersion(models.Model):
    """A bundle on disk with its card. ``path`` is relative to TAGSTUDIO_HOME/models."""

    class Tier(models.TextChoices):
        INSTANT = "instant", _("instant")
        FULL = "full", _("full")

    class State(models.TextChoices):
        CANDIDATE = "candidate", _("candidate")
        PROMOTED = "promoted", _("promoted")
        RETIRED = "retired", _("retired")
        DISCARDED = "discarded", _("discarded")

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField(help_text="counted per catalogue from 1")
    tier = models.CharField(max_length=8, choices=Tier)
    state = models.CharField(max_length=10, choices=State, default=State.CANDIDATE)
    path = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, blank=True)
    encoder = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="heads")
    metrics = models.JSONField(default=dict)
    card = models.JSONField(default=dict)
    decided_seq = models.BigIntegerField(default=0, help_text="the last decision it has seen")
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    promoted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "number"], name="one_model_per_number")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"{self.tier}-{self.number}"


class TrainingRun(models.Model):
    """A request to train a full model, its plan, and the report it ended with."""

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="training_runs")
    job = models.OneToOneField("annotations.Job", models.PROTECT, related_name="training_run")
    number = models.PositiveIntegerField(help_text="counted per catalogue from 1")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    plan = models.JSONField(default=dict)
    data_hash = models.CharField(max_length=64, blank=True)
    decided_seq = models.BigIntegerField(default=0)
    decision_count = models.PositiveIntegerField(default=0)
    product_count = models.PositiveIntegerField(default=0)
    curve = models.JSONField(default=list, help_text="[{step, epoch, loss, val}] as the child said them")
    report = models.JSONField(default=dict)
    model_version = models.OneToOneField(
        ModelVersion, models.SET_NULL, null=True, blank=True, related_name="training_run"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "number"], name="one_run_per_number")]

    def __str__(self) -> str:
        return f"run {self.number}"


class TrainingSchedule(models.Model):
    """When a catalogue trains by itself: after so many new decisions, or at an hour of a weekday, or both.

    Times are those of the installation (``TIME_ZONE``). Whoever set it is who its runs are started by.
    """

    catalogue = models.OneToOneField(Catalogue, models.CASCADE, related_name="training_schedule")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    plan = models.JSONField(default=dict)
    after_decisions = models.PositiveIntegerField(null=True, blank=True, help_text="none: not by their number")
    weekday = models.PositiveSmallIntegerField(null=True, blank=True, help_text="0 is Monday; none: not by the week")
    hour = models.PositiveSmallIntegerField(default=2)
    set_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True, help_text="when it last started a run")

    def __str__(self) -> str:
        return f"schedule of {self.catalogue_id}"
