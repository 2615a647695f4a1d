"""What leaves the house: the feed of changes, and files."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotations.models.catalogue import Catalogue, Product
from annotations.models.review import Decision
from annotations.models.taxonomy import Facet, Tag


class Change(models.Model):
    """A change of what stands, as other systems read it. ``seq`` is that of the decision behind it. Append-only.

    States: approved, rejected, removed (a fact that stood no longer does).
    """

    class State(models.TextChoices):
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")
        REMOVED = "removed", _("removed")

    catalogue = models.ForeignKey(Catalogue, models.PROTECT, related_name="changes")
    seq = models.BigIntegerField()
    product = models.ForeignKey(Product, models.PROTECT, related_name="changes")
    facet = models.ForeignKey(Facet, models.PROTECT, related_name="+")
    tag = models.ForeignKey(Tag, models.PROTECT, related_name="changes")
    state = models.CharField(max_length=8, choices=State)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="changes")

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "seq"], name="one_change_per_seq")]
        indexes = [models.Index(fields=["product", "tag", "-seq"])]

    def __str__(self) -> str:
        return f"{self.seq} {self.state}"


class ExportBatch(models.Model):
    """A file of approved tags as of one sequence number: the same ``as_of`` and format give the same bytes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="export_batches")
    job = models.OneToOneField("annotations.Job", models.SET_NULL, null=True, blank=True, related_name="export_batch")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    format = models.CharField(max_length=20)
    as_of = models.BigIntegerField()
    path = models.CharField(max_length=255, blank=True, help_text="below TAGSTUDIO_HOME/exports")
    rows = models.PositiveIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.format} as of {self.as_of}"
