"""What a card offers: the facets of a category, the first tags of each, and the number keys. Kept by revision.

A taxonomy may have 20,000 tags and 2,000 facets of which a card shows a dozen, so each process keeps what it was
asked for until the catalogue's revision moves. Inside a transaction nothing is kept: what is read there may never be
committed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from annotations.models import Catalogue, Facet, Tag

KEYS = 9
"""Number keys of a facet."""
SHOWN = 50
"""Tags of one facet that travel with a card; type-ahead finds the rest."""
CATALOGUES_KEPT = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offer:
    """A live facet, its place among all of them, its first live tags in order, how many it has, and the number keys:
    tags with a shortcut keep theirs, the others take the free numbers in order."""

    facet: Facet
    index: int
    tags: tuple[Tag, ...]
    count: int
    numbers: dict[int, int]

    @property
    def more(self) -> int:
        return self.count - len(self.tags)


@dataclass(slots=True)
class _Kept:
    facets: list[Facet] | None = None
    by_category: dict[str, tuple[int, ...]] = field(default_factory=dict)
    offers: dict[int, Offer] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


_kept: OrderedDict[tuple[int, int], _Kept] = OrderedDict()
_lock = Lock()


def forget() -> None:
    """For tests, whose catalogues share numbers."""
    with _lock:
        _kept.clear()


def offers(catalogue: Catalogue, category: str | None = None) -> list[Offer]:
    """Of the facets that apply to a category (None: of all), in their order. Three queries where nothing is kept."""
    return offers_of(catalogue, [category])[0]


def offers_of(catalogue: Catalogue, categories: Sequence[str | None]) -> list[list[Offer]]:
    """For several categories at once, in their order, with no more queries than for one."""
    kept = _of(catalogue)
    if kept.facets is None:
        kept.facets = list(Facet.objects.live().filter(catalogue=catalogue).order_by("position", "id"))
    wanted = [_applying(kept, kept.facets, category) for category in categories]
    if missing := {pk for some in wanted for pk in some} - kept.offers.keys():
        kept.offers |= _load(kept.facets, missing)
    return [[kept.offers[pk] for pk in some] for some in wanted]


def with_more(offer: Offer, most: int) -> Offer:
    """The offer with up to ``most`` of its tags. One query where it has more than it came with."""
    if not offer.more:
        return offer
    tags = tuple(Tag.objects.live().filter(facet=offer.facet).order_by("position", "id")[:most])
    return replace(offer, tags=tags)


def kept(catalogue: Catalogue, name: str, make: Callable[[], T]) -> T:
    """What ``make`` finds out about the taxonomy, under a name, until the catalogue's revision moves."""
    more = _of(catalogue).more
    if name not in more:
        more[name] = make()
    found: T = more[name]
    return found


def _of(catalogue: Catalogue) -> _Kept:
    if connection.in_atomic_block:
        return _Kept()
    key = (catalogue.pk, catalogue.taxonomy_revision)
    with _lock:
        kept = _kept.setdefault(key, _Kept())
        _kept.move_to_end(key)
        while len(_kept) > CATALOGUES_KEPT:
            _kept.popitem(last=False)
    return kept


def _applying(kept: _Kept, facets: Iterable[Facet], category: str | None) -> tuple[int, ...]:
    if category is None:
        return tuple(facet.pk for facet in facets)
    if category not in kept.by_category:
        kept.by_category[category] = tuple(facet.pk for facet in facets if facet.applies(category))
    return kept.by_category[category]


def _load(facets: Sequence[Facet], wanted: set[int]) -> dict[int, Offer]:
    """The first tags of each facet by a window, those with a shortcut beyond them, and the counts."""
    places = {facet.pk: (place, facet) for place, facet in enumerate(facets) if facet.pk in wanted}
    live = Tag.objects.live().filter(facet__in=places)
    ranked = live.annotate(
        rank=Window(RowNumber(), partition_by=F("facet"), order_by=[F("position").asc(), F("id").asc()])
    )
    first: dict[int, list[Tag]] = {pk: [] for pk in places}
    pinned: dict[int, dict[int, int]] = {}
    for tag in ranked.filter(Q(rank__lte=SHOWN) | Q(shortcut__isnull=False)).order_by("position", "id"):
        if tag.shortcut is not None:
            pinned.setdefault(tag.facet_id, {})[tag.pk] = tag.shortcut
        if tag.rank <= SHOWN:
            tag.facet = places[tag.facet_id][1]
            first[tag.facet_id].append(tag)
    counts = dict(live.values_list("facet").annotate(n=Count("pk")).order_by())
    return {
        pk: Offer(facet, place, tuple(first[pk]), counts.get(pk, 0), numbers_of(first[pk], pinned.get(pk, {})))
        for pk, (place, facet) in places.items()
    }


def numbers_of(tags: Iterable[Tag], pinned: dict[int, int]) -> dict[int, int]:
    """Tag to its number key."""
    numbers = dict(pinned)
    free = iter(sorted(set(range(1, KEYS + 1)) - set(pinned.values())))
    for tag in tags:
        if tag.pk not in numbers:
            if (key := next(free, None)) is None:
                break
            numbers[tag.pk] = key
    return numbers
