"""What was proposed for the taxonomy, and what of it was not wanted."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from annotations.models.catalogue import Catalogue


class FoundProposals(models.Model):
    """What the last look through a catalogue found to propose, as ``queries.proposals`` writes it. What became a tag or
    was declined since is left out where it is read."""

    catalogue = models.OneToOneField(Catalogue, models.CASCADE, related_name="found_proposals")
    found = models.JSONField(default=list)
    products = models.PositiveIntegerField(default=0, help_text="that were looked at")
    looked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.catalogue_id} {self.looked_at}"


class DeclinedProposal(models.Model):
    """A proposal for the taxonomy that a person declined, so that it does not come back until they take that back.
    ``digest`` names what was proposed: its kind, its facet, the tag of a synonym, and the words (queries/proposals.py)."""

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="declined_proposals")
    digest = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, blank=True, help_text="value, synonym, words; empty: of an older version")
    facet = models.ForeignKey("annotations.Facet", models.CASCADE, null=True, blank=True, related_name="+")
    tag = models.ForeignKey("annotations.Tag", models.CASCADE, null=True, blank=True, related_name="+")
    text = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "digest"], name="one_declined_proposal_per_digest")]

    def __str__(self) -> str:
        return self.text
