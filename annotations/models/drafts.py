"""Texts about a product that a model drafted, and what people made of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotations.models.catalogue import Catalogue, Product


class Draft(models.Model):
    """A text that a model wrote from a product's approved tags. Nothing shows it outside before a person approved it.

    ``text`` is what was written, ``edited`` what the person made of it (empty: approved as it came). One waits, and one
    is approved, for each product, kind and language.
    """

    class Kind(models.TextChoices):
        TITLE = "title", _("title")
        SELLING_POINTS = "selling_points", _("selling points")
        KEYWORDS = "keywords", _("keywords")

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")
        APPROVED = "approved", _("approved")
        REFUSED = "refused", _("refused")

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="drafts")
    product = models.ForeignKey(Product, models.CASCADE, related_name="drafts")
    kind = models.CharField(max_length=16, choices=Kind)
    language = models.CharField(max_length=16)
    text = models.TextField()
    edited = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.PROPOSED)
    model = models.ForeignKey("annotations.ModelVersion", models.SET_NULL, null=True, blank=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["catalogue", "state", "id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["product", "kind", "language", "state"], condition=~models.Q(state="refused"),
                name="one_draft_waits_and_one_is_approved",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} of {self.product_id}"

    @property
    def said(self) -> str:
        """What the text is now."""
        return self.edited or self.text
