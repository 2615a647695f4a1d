"""Questions about products: a catalogue's, narrowed by what may be asked for and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotations.models import (
    SET_ASIDE_BY_CHECK,
    Catalogue,
    Facet,
    Product,
    ProductTag,
    QueueItem,
    RowChange,
    SavedFilter,
    SetAside,
    Tag,
    User,
)
from annotations.queries.grid import open_for
from annotations.queries.rules import against
from annotations.queries.taxonomy import search_tags

OFFERED = 300
OFFER_SECONDS = 300
COUNTED = 10_000
"""Matches are counted up to here; beyond it one reads "more than", and nobody waits for the rest."""
FEW, SOME = 1000, 20_000
FIELD_CHARS = 500

FLAGGED, ARCHIVED = "flagged", "archived"
STATUSES = (*QueueItem.Status.choices, (FLAGGED, gettext_lazy("flagged")), (ARCHIVED, gettext_lazy("archived")))
PROBLEMS = (
    ("junk", gettext_lazy("junk, set aside by a check")),
    ("duplicate", gettext_lazy("duplicates, set aside")),
    ("reopened", gettext_lazy("approved tags that lost their evidence")),
    ("rule", gettext_lazy("a rule of the taxonomy is broken")),
    ("no_category", gettext_lazy("no category")),
    ("no_text", gettext_lazy("no description")),
)


class NoSuchName(ValueError):
    """A filter names something that the catalogue does not have. ``str()`` is the sentence; ``name`` the filter."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Filters:
    """What the product list, the API and bulk actions narrow by; each empty: not at all.

    search:   part of a title or of an external id, case ignored
    status:   a queue status, ``flagged`` or ``archived``
    category: a path: products in it or below it
    missing:  slug of a facet of which nothing is approved
    tag:      ``facet:tag`` by slug (or the tag's name alone): it is approved
    supplier: the brand or vendor as the rows write it
    language: a language code; ``zh`` finds ``zh-hans`` too
    problem:  one of ``PROBLEMS``
    family:   exactly
    suggested: ``facet:tag``: it is suggested with confidence, and nobody has decided on it (what the grid shows)
    """

    search: str = ""
    status: str = ""
    category: str = ""
    missing: str = ""
    tag: str = ""
    supplier: str = ""
    language: str = ""
    problem: str = ""
    family: str = ""
    suggested: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Filters:
        """From an address or a stored view: unknown names and values that cannot be are left out."""
        kept = {f.name: str(given.get(f.name, "") or "").strip()[:FIELD_CHARS].replace("\0", "") for f in fields(cls)}
        if kept["status"] not in dict(STATUSES):
            kept["status"] = ""
        if kept["problem"] not in dict(PROBLEMS):
            kept["problem"] = ""
        return cls(**kept)

    def as_dict(self) -> dict[str, str]:
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name))}


def matching(catalogue: Catalogue, filters: Filters) -> QuerySet[Product]:
    """The products that fit all filters, in no order yet; live ones unless archived ones are asked for.

    Raises NoSuchName where a filter names a facet or tag that is not there. One or two small queries for some filters.
    """
    aside = filters.problem in ("junk", "duplicate")
    found = Product.objects.filter(catalogue=catalogue, archived_at__isnull=not (aside or filters.status == ARCHIVED))
    if filters.search:
        found = found.filter(search_condition(catalogue, filters.search))
    if filters.status == FLAGGED:
        flagged = _items(catalogue).exclude(flagged="")
        found = _narrowed(found, flagged.values_list("product", flat=True), ~Q(queue_item__flagged=""))
    elif filters.status and filters.status != ARCHIVED:
        items = _items(catalogue).filter(status=filters.status)
        found = _narrowed(found, items.values_list("product", flat=True), Q(queue_item__status=filters.status))
    if filters.family:
        found = found.filter(family=filters.family)
    if filters.category:
        within, said = _below(filters.category.rstrip("/"))
        found = _narrowed(found, _of(catalogue, within, said), said)
    if filters.supplier:
        found = found.filter(supplier=filters.supplier)
    if filters.language:
        within, said = _tongue(filters.language)
        found = _narrowed(found, _of(catalogue, within, said), said)
    if filters.tag:
        tag, approved = tag_named(catalogue, filters.tag), ProductTag.State.APPROVED
        tagged = ProductTag.objects.filter(tag=tag, state=approved).values_list("product", flat=True)
        found = _narrowed(found, tagged, Q(standing_tags__tag=tag, standing_tags__state=approved))
    if filters.suggested:
        tag = tag_named(catalogue, filters.suggested)
        found = found.filter(pk__in=open_for(catalogue, tag.facet, tag).order_by().values("product"))
    if filters.missing:
        stands = ProductTag.objects.filter(
            product=OuterRef("pk"), tag__facet=_facet(catalogue, filters.missing), state=ProductTag.State.APPROVED
        )
        found = found.filter(~Exists(stands))
    return _with_problem(catalogue, found, filters.problem)


def search_condition(catalogue: Catalogue, text: str, product: str = "") -> Q:
    """On products, that the title or the id has this text; on other rows, whose field ``product`` names theirs. Asks
    the database which products these are."""
    # words > "" makes SQLite read the narrow index, where it would rather look up every wide row
    keys = _of(catalogue, Q(words__gt=""), _said(text))
    return _condition(keys, _said(text, f"{product}__" if product else ""), product or "pk")


def _said(search: str, path: str = "") -> Q:
    """Part of the title or the id. SQLite lowers ASCII alone, so other letters are tried in each of their cases."""
    said = Q(**{f"{path}words__contains": search.lower()})
    if not search.isascii():
        for other in {search, search.upper(), search.capitalize(), search.title()}:
            said |= Q(**{f"{path}words__contains": other})
    return said


def _below(path: str) -> tuple[Q, Q]:
    """In the category or below it: a range that holds them all, and the condition itself."""
    return _range("category", path, path + "0"), Q(category=path) | Q(category__startswith=path + "/")


def _tongue(language: str) -> tuple[Q, Q]:
    """The language, its base, or any kind of its base; likewise."""
    base = language.partition("-")[0]
    said = Q(language=language) | Q(language=base) | Q(language__startswith=base + "-")
    return _range("language", base, base + "."), said


def _range(field: str, first: str, end: str) -> Q:
    """From ``first`` up to ``end``, for SQLite alone: it uses an index for a range but not for a beginning, and orders
    by code points ("0" follows "/", "." follows "-"), which a server's collation may not."""
    return Q(**{f"{field}__gte": first, f"{field}__lt": end}) if connection.vendor == "sqlite" else Q()


def _narrowed(found: QuerySet[Product], keys: QuerySet[Any, int], otherwise: Q) -> QuerySet[Product]:
    return found.filter(_condition(keys, otherwise))


def _condition(keys: QuerySet[Any, int], otherwise: Q, field: str = "pk") -> Q:
    """To have one of the keys. A few keys are named one by one, some thousands are read off their index first; where
    there are more, every other page ends early, so each product is asked instead. A planner that has to guess takes
    half a second for the wrong one of these."""
    some = list(keys[: FEW + 1])
    if len(some) <= FEW:
        return Q(**{f"{field}__in": some})
    return Q(**{f"{field}__in": keys}) if keys[: SOME + 1].count() <= SOME else otherwise


def _of(catalogue: Catalogue, within: Q, said: Q) -> QuerySet[Any, int]:
    """Keys of its products, archived ones too."""
    return Product.objects.filter(within & said, catalogue=catalogue).order_by().values_list("pk", flat=True)


def _with_problem(catalogue: Catalogue, found: QuerySet[Product], problem: str) -> QuerySet[Product]:
    return _PROBLEMS[problem](catalogue, found) if problem else found


def _reopened(_catalogue: Catalogue, found: QuerySet[Product]) -> QuerySet[Product]:
    asked = RowChange.objects.filter(reopens=True)
    return found.filter(pk__in=asked.values("product")).exclude(queue_item__status=QueueItem.Status.DONE)


_PROBLEMS: dict[str, Callable[[Catalogue, QuerySet[Product]], QuerySet[Product]]] = {
    "junk": lambda _catalogue, found: found.filter(set_aside__in=SET_ASIDE_BY_CHECK),
    "duplicate": lambda _catalogue, found: found.filter(set_aside=SetAside.DUPLICATE),
    "reopened": _reopened,
    "rule": lambda catalogue, found: found.filter(pk__in=against(catalogue).order_by().values("pk")),
    "no_category": lambda _catalogue, found: found.filter(category=""),
    "no_text": lambda _catalogue, found: found.filter(description=""),
}


def _items(catalogue: Catalogue) -> QuerySet[QueueItem]:
    return QueueItem.objects.filter(catalogue=catalogue)


def _facet(catalogue: Catalogue, slug: str) -> Facet:
    found: Facet | None = Facet.objects.live().filter(catalogue=catalogue, slug=slug).first()
    if found is None:
        raise NoSuchName("missing", _("there is no facet “%(name)s”") % {"name": slug})
    return found


def tag_named(catalogue: Catalogue, name: str) -> Tag:
    """``facet:tag`` by slugs, else the tag that type-ahead would offer first. Raises NoSuchName."""
    facet, _colon, slug = name.partition(":")
    tags = Tag.objects.live().filter(facet__catalogue=catalogue, facet__retired_at=None).select_related("facet")
    known = tags.filter(facet__slug=facet.strip(), slug=slug.strip()).first() if slug else None
    known = known or next(iter(search_tags(catalogue, slug.strip() or name, limit=1)), None)
    if known is None:
        raise NoSuchName("tag", _("there is no tag “%(name)s”") % {"name": name})
    return known


def counted(found: QuerySet[Product], most: int = COUNTED) -> int:
    """How many there are, but at most one more than ``most``: a count that stops early."""
    return found.order_by().values("pk")[: most + 1].count()


def live_count(catalogue: Catalogue) -> int:
    """Products that are not archived. Read off two indexes, without touching a row."""
    every = Product.objects.filter(catalogue=catalogue)
    return every.count() - every.filter(archived_at__isnull=False).count()


def categories(catalogue: Catalogue) -> list[str]:
    """The paths that products are in, for a filter to offer; the fullest ones where there are too many."""
    return _commonest(catalogue, "category")


def suppliers(catalogue: Catalogue) -> list[str]:
    """Likewise the suppliers."""
    return _commonest(catalogue, "supplier")


def _commonest(catalogue: Catalogue, field: str) -> list[str]:
    """Counted off the index alone, archived products included: looking each row up would cost ten times as much. Kept
    for some minutes, since even that takes 50 ms on 200,000 products, and it is only an offer."""
    key = f"offered:{catalogue.pk}:{catalogue.created_at.timestamp()}:{field}"
    kept: list[str] | None = cache.get(key)
    if kept is None:
        rows = Product.objects.filter(catalogue=catalogue).values_list(field).annotate(n=Count("pk")).order_by("-n")
        kept = sorted(name for name, _n in rows[: OFFERED + 1] if name)
        if kept:
            cache.set(key, kept, OFFER_SECONDS)
    return kept


def saved_filters(catalogue: Catalogue, user: User) -> list[SavedFilter]:
    return list(SavedFilter.objects.filter(catalogue=catalogue, user=user))


def product_of(catalogue: Catalogue, external_id: str) -> Product | None:
    return Product.objects.filter(catalogue=catalogue, external_id=external_id).first()
