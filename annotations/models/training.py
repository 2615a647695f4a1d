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
    replaced = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+",
        help_text="of a full model: the instant head that suggested when it was promoted; going back brings it back",
    )  # fmt: skip
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
    """A request to train a full model, its plan, and the report it ended with.

    ``device``: what it computes on, as its process says: name, memory, threads, peak memory, and per stage how fast.
    """

    class Reason(models.TextChoices):
        ASKED = "asked", _("somebody asked for it")
        DECISIONS = "decisions", _("so many new decisions")
        WEEK = "week", _("its hour of the week")
        UPLOAD = "upload", _("a model from elsewhere")

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="training_runs")
    job = models.OneToOneField("annotations.Job", models.PROTECT, related_name="training_run")
    number = models.PositiveIntegerField(help_text="counted per catalogue from 1")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    reason = models.CharField(max_length=12, choices=Reason, default=Reason.ASKED)
    plan = models.JSONField(default=dict)
    device = models.JSONField(default=dict)
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


class FormerSuggestions(models.Model):
    """What was suggested for a product before ``successor`` was promoted, whole: ``rows`` are [tag, score, band, source,
    spans, model version]. Written with the first suggestions that come of the successor, and taken by its rollback.
    """

    product = models.ForeignKey("annotations.Product", models.CASCADE, related_name="+")
    successor = models.ForeignKey(ModelVersion, models.CASCADE, related_name="former_suggestions")
    rows = models.JSONField(default=list)
    revision = models.PositiveIntegerField(
        default=1, help_text="of the product; of another one nothing is brought back"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["successor", "product"], name="former_suggestions_are_written_once")
        ]

    def __str__(self) -> str:
        return f"{self.product_id} before {self.successor_id}"


class Judgement(models.Model):
    """What a person thinks of two models' outputs for one product, told without knowing which is whose."""

    class Better(models.TextChoices):
        CURRENT = "current", _("the one in use")
        CANDIDATE = "candidate", _("the candidate")
        SAME = "same", _("neither")

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="judgements")
    product = models.ForeignKey("annotations.Product", models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    candidate_first = models.BooleanField(help_text="which one stood on the left")
    current_reasonable = models.BooleanField()
    current_complete = models.BooleanField()
    candidate_reasonable = models.BooleanField()
    candidate_complete = models.BooleanField()
    better = models.CharField(max_length=10, choices=Better)
    judged_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "product", "user"], name="one_judgement_per_person_and_product")
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.product_id} {self.better}"


class DriftAlert(models.Model):
    """What comes now is unlike what came before: of a facet, of a supplier, or of both. Open until somebody has seen it.

    ``before`` and ``now``: the share that was taken (acceptance); else ``now`` is how far apart the two are.
    """

    class Kind(models.TextChoices):
        ACCEPTANCE = "acceptance", _("fewer suggestions taken")
        PRIOR = "prior", _("other tags suggested")
        EMBEDDING = "embedding", _("other products")
        WORDS = "words", _("other words")

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="drift_alerts")
    kind = models.CharField(max_length=10, choices=Kind)
    facet = models.ForeignKey("annotations.Facet", models.CASCADE, null=True, blank=True, related_name="+")
    supplier = models.CharField(max_length=200, blank=True)
    before = models.FloatField(null=True, blank=True)
    now = models.FloatField()
    p = models.FloatField(help_text="of a difference at least so large by chance")
    families = models.PositiveIntegerField(help_text="recent families that it was measured on")
    words = models.JSONField(default=list, help_text="words that are new")
    told_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["catalogue", "seen_at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.supplier}"
