"""What the machine claims, what people decided, and what stands because of it.

Decision is the truth. ProductTag, FacetCompletion, Change and the queue's status are folds of it, and
``rebuild_standing_tags --check`` proves that they are.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotations.models.catalogue import Catalogue, Product
from annotations.models.taxonomy import Facet, Tag


class Band(models.TextChoices):
    STRONG = "strong", _("strong")
    LIKELY = "likely", _("likely")
    UNSURE = "unsure", _("unsure")


class Suggestion(models.Model):
    """The machine's claim that a tag fits. Overwritten by later claims, never by a person's verdict."""

    class Source(models.TextChoices):
        MODEL = "model", _("model")
        DICTIONARY = "dictionary", _("dictionary")
        SOURCE = "source", _("source data")
        LABEL = "label", _("label text")
        LLM = "llm", _("language model")

    product = models.ForeignKey(Product, models.CASCADE, related_name="suggestions")
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="suggestions")
    score = models.FloatField(help_text="calibrated probability, 0 to 1")
    band = models.CharField(max_length=8, choices=Band)
    source = models.CharField(max_length=10, choices=Source, default=Source.MODEL)
    spans = models.JSONField(default=list, help_text="[{field, start, end}], code points of the product's own text")
    model_version = models.ForeignKey("annotations.ModelVersion", models.SET_NULL, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "tag"], name="one_suggestion_per_product_and_tag"),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="suggestion_score_in_0_1"),
        ]
        # the grid reads the surest products of a tag from its top
        indexes = [models.Index(F("tag"), F("score").desc(), name="surest_of_a_tag")]

    def __str__(self) -> str:
        return f"{self.tag_id} {self.score:.2f}"


class Verdict(models.TextChoices):
    ACCEPT = "accept", _("accept")
    REJECT = "reject", _("reject")
    ADD = "add", _("add")
    REMOVE = "remove", _("remove")
    COMPLETE = "complete", _("complete")  # the facet has been looked at as a whole; carries no tag
    REOPEN = "reopen", _("look again")  # the facet wants another look, because of this tag, which was split
    UNDO = "undo", _("undo")


class Input(models.TextChoices):
    KEY = "key", _("key")
    CLICK = "click", _("click")
    GRID = "grid", _("grid")
    BULK = "bulk", _("bulk")
    API = "api", _("API")
    POLICY = "policy", _("policy")
    TAXONOMY = "taxonomy", _("taxonomy change")  # what a merge or a split does to each product; nobody looked at it


class Reason(models.TextChoices):
    """Why a tag was rejected. Only WRONG_VALUE teaches the model that the tag is wrong."""

    WRONG_VALUE = "wrong_value", _("wrong value")
    NOT_VISIBLE = "not_visible", _("not visible")
    SOURCE_WRONG = "source_wrong", _("source data wrong")
    VALUE_MISSING = "value_missing", _("value missing from taxonomy")
    AMBIGUOUS = "ambiguous", _("ambiguous")


class Voice(models.TextChoices):
    """What weight a decision has. Only ``alone`` and ``agreed`` say what stands."""

    ALONE = "alone", _("alone")  # has the last word at once
    VOTE = "vote", _("vote")  # one reviewer's share of a panel: counts only with the others'
    AGREED = "agreed", _("agreed")  # what the votes of a panel add up to, written when the last of them came in
    GOLD = "gold", _("gold")  # an answer to a question whose answer is known: measures the reviewer, nothing else


class Decision(models.Model):
    """What somebody decided about one tag (or one whole facet) of one product. Append-only, held by triggers.

    ``id`` is made by whoever decides, so that sending twice is deciding once. ``seq`` is commit order within the
    catalogue. ``undoes`` names the decision that an undo takes back (which may itself be an undo: a redo).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    catalogue = models.ForeignKey(Catalogue, models.PROTECT, related_name="decisions")
    product = models.ForeignKey(Product, models.PROTECT, related_name="decisions")
    facet = models.ForeignKey(Facet, models.PROTECT, related_name="decisions")
    tag = models.ForeignKey(Tag, models.PROTECT, null=True, blank=True, related_name="decisions")
    verdict = models.CharField(max_length=8, choices=Verdict)
    undoes = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="undone_by")
    reason = models.CharField(max_length=16, choices=Reason, blank=True)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="decisions")
    role = models.CharField(max_length=10)
    taxonomy_revision = models.PositiveIntegerField()
    model_version = models.ForeignKey("annotations.ModelVersion", models.SET_NULL, null=True, blank=True)
    score_shown = models.FloatField(null=True, blank=True)
    evidence_shown = models.JSONField(default=list, blank=True)
    source = models.CharField(max_length=10, blank=True, help_text="where the suggestion came from; empty: none shown")
    blind = models.BooleanField(default=False)
    shown_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(default=timezone.now)
    input = models.CharField(max_length=8, choices=Input, default=Input.KEY)
    voice = models.CharField(max_length=6, choices=Voice, default=Voice.ALONE)
    wanted = models.PositiveSmallIntegerField(default=1, help_text="of a vote: how many reviewers the panel wants")
    batch = models.UUIDField(help_text="what was saved together, and is undone together")
    product_version = models.PositiveIntegerField(help_text="the product's version after it was saved")
    seq = models.BigIntegerField()

    class Meta:
        ordering = ["seq"]
        constraints = [
            models.UniqueConstraint(fields=["catalogue", "seq"], name="one_decision_per_seq"),
            models.CheckConstraint(
                condition=Q(verdict="undo", undoes__isnull=False) | (~Q(verdict="undo") & Q(undoes__isnull=True)),
                name="only_an_undo_undoes",
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["complete", "undo"]) | Q(tag__isnull=False), name="a_verdict_needs_a_tag"
            ),
        ]
        indexes = [
            models.Index(fields=["product", "seq"]),
            models.Index(fields=["catalogue", "reviewer", "-seq"]),
            models.Index(fields=["batch"]),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.verdict}"


class ChosenEvidence(models.Model):
    """The words that a reviewer selected as the evidence of a tag, kept beside the decision they speak for."""

    decision = models.OneToOneField(Decision, models.PROTECT, related_name="chosen")
    spans = models.JSONField(default=list, help_text="[{field, start, end}], code points of the product's own text")

    def __str__(self) -> str:
        return f"{self.decision_id}"


class ProductTag(models.Model):
    """What stands for a product and a tag: approved or rejected. Absent: nobody has said, or it was removed."""

    class State(models.TextChoices):
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")

    product = models.ForeignKey(Product, models.CASCADE, related_name="standing_tags")
    tag = models.ForeignKey(Tag, models.PROTECT, related_name="standing")
    state = models.CharField(max_length=8, choices=State)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["product", "tag"], name="one_standing_fact_per_product_and_tag")]
        indexes = [models.Index(fields=["tag", "state"])]

    def __str__(self) -> str:
        return f"{self.tag_id} {self.state}"


class FacetCompletion(models.Model):
    """The facet of the product has been looked at as a whole: what is not approved there is known to be wrong."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="completions")
    facet = models.ForeignKey(Facet, models.PROTECT, related_name="completions")
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "facet"], name="one_completion_per_product_and_facet")
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.facet_id}"


class QueueItemQuerySet(models.QuerySet["QueueItem"]):
    def waiting(self) -> QueueItemQuerySet:
        """Those that still want a decision, leased or not."""
        return self.filter(status__in=QueueItem.WAITING)

    def scored(self) -> int:
        """Say that these are new no longer, nor will be after an undo. One guarded statement: a decision may come in
        between."""
        unscored = self.filter(Q(status=QueueItem.Status.NEW) | Q(was_new=True))
        waits = Case(When(status=QueueItem.Status.NEW, then=Value(QueueItem.Status.QUEUED.value)), default=F("status"))
        return unscored.update(status=waits, was_new=False)

    def free_at(self, moment: object) -> QueueItemQuerySet:
        """Those that nobody holds then."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lte=moment))

    def free_for(self, user: object) -> QueueItemQuerySet:
        """Those that nobody else holds right now."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lt=timezone.now()) | Q(lease_owner=user))


class QueueItem(models.Model):
    """The one place that says where a product stands, and who holds it. One row per product.

    ``version`` counts what was saved about the product; a save names the version it saw, so the slower of two is told
    (409) instead of overwriting. A lease is ``lease_owner`` until ``lease_until``; an expired one is no lease.
    ``priority`` orders the queue, highest first; ``why`` says in data why the product is asked for. ``was_new``: it
    was decided on before it was scored, so that an undo makes it new again.
    """

    class Status(models.TextChoices):
        NEW = "new", _("new")  # not scored yet
        QUEUED = "queued", _("queued")
        DONE = "done", _("done")
        SECOND_OPINION = "second_opinion", _("second opinion")
        CONFLICT = "conflict", _("conflict")

    WAITING = (Status.NEW, Status.QUEUED, Status.SECOND_OPINION)

    product = models.OneToOneField(Product, models.CASCADE, related_name="queue_item")
    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="queue_items")
    status = models.CharField(max_length=16, choices=Status, default=Status.NEW)
    priority = models.FloatField(default=0.0)
    boost = models.FloatField(default=0.0, help_text="what a person adds to the model's priority")
    why = models.JSONField(default=dict, blank=True)
    blind = models.BooleanField(default=False)
    cluster = models.IntegerField(null=True, blank=True)
    version = models.PositiveIntegerField(default=0)
    lease_owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="leases"
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="assigned",
        help_text="who is asked first; none: anybody",
    )  # fmt: skip
    flagged = models.CharField(max_length=200, blank=True, help_text="why somebody flagged it; empty: not flagged")
    done_at = models.DateTimeField(null=True, blank=True)
    was_new = models.BooleanField(default=False)

    objects = QueueItemQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["catalogue", "status", "-priority", "id"], name="queue_order"),
            models.Index(fields=["catalogue", "status", "assignee", "-priority", "id"], name="assigned_order"),
            models.Index(fields=["lease_owner", "lease_until"]),
            models.Index(fields=["catalogue"], condition=~Q(flagged=""), name="flagged_items"),  # few
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.status}"

    @property
    def leased(self) -> bool:
        return self.lease_until is not None and self.lease_until > timezone.now()


QUEUE_ORDER = (F("priority").desc(), "id")
