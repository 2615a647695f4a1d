"""Facets and tags: the questions we ask of a product and the answers we allow."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
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


def below(category: str, prefixes: Sequence[str]) -> bool:
    """Whether a category is one of the paths or lies below one; no paths mean everywhere."""
    return not prefixes or any(category == p or category.startswith(p.rstrip("/") + "/") for p in prefixes)


class LiveQuerySet(models.QuerySet):  # type: ignore[type-arg]
    def live(self) -> LiveQuerySet:
        return self.filter(retired_at=None)


class Facet(models.Model):
    """A property that tags answer: colour, material, occasion.

    Kinds: one value, several, yes or no (a product has one of two tags), a number with a unit (one value; its tags
    say numbers in the facet's ``unit``), and open (a list that is never finished, such as brands). A value that is
    missing is requested from the taxonomy's owner; in an open facet and in one of numbers it becomes a tag where it
    comes up, and the owner hears of it (``actions/new_values.py``).

    ``implied_parents``: who accepts a tag accepts the tags above it. ``position`` orders the facets and never moves by
    itself, so that keys stay where they are. ``categories`` are path prefixes where the facet applies; none:
    everywhere. A variant axis (colour, size) differs inside a family.
    """

    class Kind(models.TextChoices):
        MULTI = "multi", _("several values")
        SINGLE = "single", _("one value")
        BOOLEAN = "boolean", _("yes or no")
        NUMERIC = "numeric", _("a number with a unit")
        OPEN = "open", _("open: new values as they come")

    ONE_VALUE = (Kind.SINGLE, Kind.BOOLEAN, Kind.NUMERIC)

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="facets")
    slug = models.CharField(max_length=100)
    labels = models.JSONField(default=dict, help_text="language code to name")
    descriptions = models.JSONField(default=dict, blank=True)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.MULTI)
    variant_axis = models.BooleanField(default=False)
    required = models.BooleanField(default=False)
    unit = models.CharField(max_length=20, blank=True, help_text="of a numeric facet: what its tags count")
    implied_parents = models.BooleanField(default=False)
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

    @property
    def one_value(self) -> bool:
        """Whether a product has one tag of it at most."""
        return self.kind in self.ONE_VALUE

    @property
    def takes_new_values(self) -> bool:
        """Whether a value that nobody wrote down before may become a tag where it comes up."""
        return self.kind in (self.Kind.NUMERIC, self.Kind.OPEN)

    def applies(self, category: str) -> bool:
        return below(category, self.categories)


class Tag(models.Model):
    """An allowed value of a facet. Its slug and position stay; its labels and synonyms are free to change.

    ``threshold`` is the score from which the tag comes checked; none: learned. ``merged_into`` is where a merged
    tag went, so that old names can be followed. ``categories`` are path prefixes where the tag is allowed; none:
    wherever its facet applies. An ``exclusive`` tag stands alone in its facet (plain, among patterns); ``not_with``
    are tags of any facet that never stand beside it. ``shortcut`` keeps the tag on one number key whatever comes
    before it; the others take the free numbers in order. ``number`` is the value of a numeric facet's tag, in its unit.
    """

    facet = models.ForeignKey(Facet, models.CASCADE, related_name="tags")
    slug = models.CharField(max_length=100)
    labels = models.JSONField(default=dict)
    synonyms = models.JSONField(default=dict, blank=True, help_text="language code to list of words")
    definitions = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    position = models.PositiveIntegerField(default=0)
    categories = models.JSONField(default=list, blank=True)
    exclusive = models.BooleanField(default=False)
    not_with = models.ManyToManyField("self", symmetrical=True, blank=True)
    shortcut = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(9)]
    )
    number = models.FloatField(null=True, blank=True)
    threshold = models.FloatField(null=True, blank=True)
    since = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="the taxonomy revision that made it: facets completed before never asked for it",
    )
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = LiveQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["facet", "slug"], name="one_tag_per_slug"),
            models.UniqueConstraint(
                fields=["facet", "shortcut"], condition=models.Q(retired_at=None), name="one_tag_per_shortcut"
            ),
        ]

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

    def allowed(self, category: str) -> bool:
        return below(category, self.categories)


class TaxonomyRevision(models.Model):
    """One change to the facets or tags of a catalogue, in words and data; numbered per catalogue from 1.

    ``seq`` is its line in the feed. ``before`` holds the fields of each row as they were, so that it can be undone
    exactly; ``report`` counts what it touched; ``batch`` joins the decisions it made. While ``pending`` a job still
    works on those. An undo is a revision too and names what it ``undoes``.
    """

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="taxonomy_revisions")
    number = models.PositiveIntegerField()
    word = models.CharField(max_length=40, help_text="what happened: imported, renamed, merged, retired ...")
    data = models.JSONField(default=dict)
    seq = models.BigIntegerField(null=True, blank=True)
    before = models.JSONField(default=list, blank=True)
    report = models.JSONField(default=dict, blank=True)
    batch = models.UUIDField(null=True, blank=True)
    pending = models.BooleanField(default=False)
    job = models.ForeignKey("annotations.Job", models.SET_NULL, null=True, blank=True, related_name="+")
    undoes = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="undone_by")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["catalogue", "number"], name="one_taxonomy_revision_per_number")]
        indexes = [models.Index(fields=["catalogue", "seq"])]

    def __str__(self) -> str:
        return f"{self.number} {self.word}"

    @property
    def decided_as(self) -> uuid.UUID:
        """The batch of its decisions; one of nothing for a change that is older than batches."""
        return self.batch or uuid.UUID(int=0)

    @property
    def counts(self) -> bool:
        """Whether it was not undone, or its undo was."""
        by = TaxonomyRevision.objects.filter(undoes=self).first()
        return by is None or not by.counts


class SplitItem(models.Model):
    """A product that has to be looked at again because its tag was split, and where it comes in that queue.

    ``guess`` is the new tag whose words the product's text holds; products of one guess stand together.
    """

    revision = models.ForeignKey(TaxonomyRevision, models.CASCADE, related_name="split_items")
    product = models.ForeignKey("annotations.Product", models.CASCADE, related_name="+")
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="+", help_text="the one that was split")
    guess = models.ForeignKey(Tag, models.SET_NULL, null=True, blank=True, related_name="+")
    position = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["revision", "product"], name="one_place_per_split_product")]
        indexes = [models.Index(fields=["revision", "position"])]

    def __str__(self) -> str:
        return f"{self.revision_id} {self.position}"


class TagRequest(models.Model):
    """A value that a reviewer missed. It waits for the taxonomy's owner and is never silently a new tag.

    In a facet that takes new values it is a ``tag`` at once; the request, granted, is how its owner hears of it.
    """

    class Answer(models.TextChoices):
        WAITING = "", _("waiting")
        GRANTED = "granted", _("made a tag")
        SYNONYM = "synonym", _("made a synonym")
        DECLINED = "declined", _("declined")

    facet = models.ForeignKey(Facet, models.CASCADE, related_name="requests")
    product = models.ForeignKey("annotations.Product", models.SET_NULL, null=True, blank=True)
    text = models.CharField(max_length=200)
    tag = models.ForeignKey(Tag, models.SET_NULL, null=True, blank=True, related_name="+")
    answer = models.CharField(max_length=8, choices=Answer, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.text


class TagWord(models.Model):
    """A name of a tag from one of its words on, folded for comparing, as bytes: the same order in every database, so
    that type-ahead is a range of one index. ``place`` 0: from the name's beginning; ``length``: of the whole rest."""

    class Source(models.IntegerChoices):
        LABEL = 0
        SYNONYM = 1
        SLUG = 2

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="+", db_index=False)
    facet = models.ForeignKey(Facet, models.CASCADE, related_name="+", db_index=False)
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="+")
    key = models.BinaryField(max_length=60)
    source = models.PositiveSmallIntegerField(choices=Source)
    place = models.PositiveSmallIntegerField()
    length = models.PositiveSmallIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["catalogue", "key"], name="tag_words"),
            models.Index(fields=["facet", "key"], name="tag_words_of_facet"),
        ]

    def __str__(self) -> str:
        return bytes(self.key).decode("utf-8", "replace")
