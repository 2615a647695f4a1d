"""Facets and tags: the questions we ask of a product and the answers we allow."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from annotations.models.catalogue import Catalogue


def in_language(texts: dict[str, str], fallback: str, language: str | None = None) -> str:
    """The text for the reader's language, else its base language, else any, else the fallback.

    The data's codes come from many hands (zh, zh-hans, zh-CN), so they are compared by their first part last.
    """
    if not texts:
        return fallback
    language = (language or get_language() or "en").lower()
    lowered = {code.lower(): text for code, text in texts.items() if text}
    base = language.split("-")[0]
    near = next((text for code, text in lowered.items() if code.split("-")[0] == base), None)
    return lowered.get(language) or near or lowered.get("en") or next(iter(lowered.values()), fallback)


class LiveQuerySet(models.QuerySet):  # type: ignore[type-arg]
    def live(self) -> LiveQuerySet:
        return self.filter(retired_at=None)


class Facet(models.Model):
    """A property that tags answer: colour, material, occasion.

    ``position`` orders the facets and never moves by itself, so that keys stay where they are. ``categories`` are
    path prefixes where the facet applies; none: everywhere. A variant axis (colour, size) differs inside a family.
    """

    class Kind(models.TextChoices):
        MULTI = "multi", _("several values")
        SINGLE = "single", _("one value")

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="facets")
    slug = models.CharField(max_length=100)
    labels = models.JSONField(default=dict, help_text="language code to name")
    descriptions = models.JSONField(default=dict, blank=True)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.MULTI)
    variant_axis = models.BooleanField(default=False)
    required = models.BooleanField(default=False)
    categories = models.JSONField(default=list, blank=True)
    position = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = LiveQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "slug"], name="one_facet_per_slug")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return in_language(self.labels, self.slug)

    def applies(self, category: str) -> bool:
        return not self.categories or any(
            category == prefix or category.startswith(prefix.rstrip("/") + "/") for prefix in self.categories
        )


class Tag(models.Model):
    """An allowed value of a facet. Its slug and position stay; its labels and synonyms are free to change.

    ``threshold`` is the score from which the tag comes checked; none: learned. ``merged_into`` is where a merged
    tag went, so that old names can be followed.
    """

    facet = models.ForeignKey(Facet, models.CASCADE, related_name="tags")
    slug = models.CharField(max_length=100)
    labels = models.JSONField(default=dict)
    synonyms = models.JSONField(default=dict, blank=True, help_text="language code to list of words")
    definitions = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    position = models.PositiveIntegerField(default=0)
    threshold = models.FloatField(null=True, blank=True)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = LiveQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["facet", "slug"], name="one_tag_per_slug")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return in_language(self.labels, self.slug)

    @property
    def words(self) -> list[str]:
        """Labels and synonyms of every language, without repeats."""
        synonyms = [word for words in self.synonyms.values() for word in words]
        return list(dict.fromkeys(w for w in (*self.labels.values(), *synonyms) if w))


class TaxonomyRevision(models.Model):
    """One change to the facets or tags of a catalogue, in words and data; numbered per catalogue from 1."""

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="taxonomy_revisions")
    number = models.PositiveIntegerField()
    word = models.CharField(max_length=40, help_text="what happened: imported, renamed, merged, retired ...")
    data = models.JSONField(default=dict)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "number"], name="one_taxonomy_revision_per_number")]

    def __str__(self) -> str:
        return f"{self.number} {self.word}"


class TagRequest(models.Model):
    """A value that a reviewer missed. It waits for the taxonomy's owner and is never silently a new tag."""

    facet = models.ForeignKey(Facet, models.CASCADE, related_name="requests")
    product = models.ForeignKey("annotations.Product", models.SET_NULL, null=True, blank=True)
    text = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.text
