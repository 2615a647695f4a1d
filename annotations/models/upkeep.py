"""What happened to rows on their way in and afterwards, and what is done to many products at once."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotations.models.catalogue import Catalogue, Product


class Original(models.Model):
    """The cells of a row that cleaning changed, as they came. What is not here stands in the product unchanged."""

    product = models.OneToOneField(Product, models.CASCADE, primary_key=True, related_name="original")
    cells = models.JSONField(default=dict, help_text="field or facet name to {was: the cell, steps: what changed it}")

    def __str__(self) -> str:
        return f"{self.product_id}"


class RowChange(models.Model):
    """One change of a product's row, with what it was before: by an import, or by hand for many at once.

    ``fields`` is {name: [before, after]}, long texts cut; ``reopened`` are the tags whose evidence went with it.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="row_changes")
    batch = models.ForeignKey("annotations.ImportBatch", models.SET_NULL, null=True, blank=True)
    run = models.ForeignKey("annotations.BulkRun", models.SET_NULL, null=True, blank=True, related_name="row_changes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    revision = models.PositiveIntegerField(help_text="the product's revision after it")
    fields = models.JSONField(default=dict)
    reopened = models.JSONField(default=list, blank=True, help_text="[{facet, tag, because}]")
    reopens = models.BooleanField(default=False, help_text="whether there are any in ``reopened``")
    undone = models.BooleanField(default=False, help_text="the bulk action it belongs to was taken back")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["product", "-id"]),
            models.Index(fields=["run", "product"]),
            models.Index(fields=["product"], condition=models.Q(reopens=True), name="changes_that_reopen"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.revision}"


class Boilerplate(models.Model):
    """A line that many products of one supplier share. Accepted, it is taken out of their descriptions."""

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="boilerplate")
    supplier = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    digest = models.CharField(max_length=64, help_text="of supplier and text, since a text can be long")
    products = models.PositiveIntegerField(default=0, help_text="how many had it when it was found")
    state = models.CharField(max_length=8, choices=State, default=State.PROPOSED)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "digest"], name="one_boilerplate_per_text")]

    def __str__(self) -> str:
        return self.text[:60]


class FamilyProposal(models.Model):
    """Products that look like one article: near duplicates (a family), or the very same row twice (a duplicate).

    Accepted, they become one family, or all but the first are set aside. Declined, the same products are not proposed
    again. ``digest`` names the set of products.
    """

    class Kind(models.TextChoices):
        FAMILY = "family", _("family")
        DUPLICATE = "duplicate", _("duplicate")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="family_proposals")
    kind = models.CharField(max_length=10, choices=Kind)
    members = models.JSONField(default=list, help_text="primary keys, the first one first")
    digest = models.CharField(max_length=64)
    similarity = models.FloatField(help_text="the least estimated Jaccard similarity to the first, 0 to 1")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    before = models.JSONField(default=dict, blank=True, help_text="what the members were before it was accepted")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "digest"], name="one_proposal_per_set_of_products")]
        indexes = [models.Index(fields=["catalogue", "state", "-similarity", "id"], name="proposals_in_order")]

    def __str__(self) -> str:
        return f"{self.kind} of {len(self.members)}"


class SavedFilter(models.Model):
    """A view of the product list that somebody keeps under a name."""

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="saved_filters")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=60)
    query = models.JSONField(default=dict, help_text="names and values as in the address of the list")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "user", "name"], name="one_saved_filter_per_name")]

    def __str__(self) -> str:
        return self.name


class BulkRun(models.Model):
    """One verb over many products, as a job that can be stopped, and undone as a whole.

    ``filters`` or ``selection`` say which products, ``params`` what is done; ``position`` is the last product that is
    settled, where an interrupted run goes on. ``decisions`` is the batch that its decisions carry.
    """

    class Kind(models.TextChoices):
        ACCEPT = "accept", _("accept suggestions")
        ADD_TAG = "add_tag", _("add a tag")
        REMOVE_TAG = "remove_tag", _("remove a tag")
        CATEGORY = "category", _("set the category")
        FAMILY = "family", _("set the family")
        ARCHIVE = "archive", _("archive")
        RESTORE = "restore", _("restore")
        PRIORITY = "priority", _("set the priority")
        FLAG = "flag", _("flag for a lead")
        UNFLAG = "unflag", _("take the flag off")

    DECIDES = (Kind.ACCEPT, Kind.ADD_TAG, Kind.REMOVE_TAG)

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="bulk_runs")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="bulk_runs")
    job = models.OneToOneField("annotations.Job", models.SET_NULL, null=True, blank=True, related_name="bulk_run")
    undo_job = models.OneToOneField("annotations.Job", models.SET_NULL, null=True, blank=True, related_name="bulk_undo")
    kind = models.CharField(max_length=12, choices=Kind)
    params = models.JSONField(default=dict)
    filters = models.JSONField(default=dict)
    selection = models.JSONField(default=list)
    decisions = models.UUIDField(default=uuid.uuid4)
    position = models.BigIntegerField(default=0)
    total = models.PositiveIntegerField(default=0, help_text="products that were meant when it was asked for")
    seen = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    held_count = models.PositiveIntegerField(default=0)
    held = models.JSONField(default=list, help_text="the first products that were left out: [{product, name, why}]")
    undone = models.PositiveIntegerField(default=0, help_text="products that were put back")
    kept = models.PositiveIntegerField(default=0, help_text="products that an undo left, since they changed again")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.seen}/{self.total}"
