"""Where files come from: the columns of a supplier's, a shop's or a program's files, and what they mean."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from annotations.models.catalogue import Catalogue, attribute_uses


class ImportSource(models.Model):
    """A mapping under a name, for every further file of the same columns.

    ``signature`` names the set of headers that the mapping was made for (``formats.mapping.signature``): a file with
    the same set is recognised by it, whatever the order of its columns.
    """

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="import_sources")
    name = models.CharField(max_length=100)
    signature = models.CharField(max_length=64, db_index=True)
    mapping = models.JSONField(default=dict)
    attributes_as = models.CharField(max_length=12, default="source", choices=attribute_uses)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, blank=True, help_text="when a file of it was last begun")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "name"], name="one_source_per_name")]

    def __str__(self) -> str:
        return self.name
