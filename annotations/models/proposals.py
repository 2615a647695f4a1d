"""What was proposed for the taxonomy and not wanted."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from annotations.models.catalogue import Catalogue


class DeclinedProposal(models.Model):
    """A proposal for the taxonomy that a person declined, so that it does not come back. ``digest`` names what was
    proposed: its kind, its facet, the tag of a synonym, and the words (queries/proposals.py)."""

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="declined_proposals")
    digest = models.CharField(max_length=64)
    text = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "digest"], name="one_declined_proposal_per_digest")]

    def __str__(self) -> str:
        return self.text
