"""The card of a product: everything a reviewer needs to decide, in one frozen object, for the page and the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from annotations.models import (
    Answer,
    Band,
    Catalogue,
    Comment,
    Facet,
    FacetCompletion,
    GoldItem,
    Picture,
    Product,
    ProductTag,
    QueueItem,
    Suggestion,
    Tag,
    User,
)
from annotations.queries.comments import comments_of

HUES = 6  # washes in the style sheet; facets take them in turn
ANSWERED = (QueueItem.Status.SECOND_OPINION, QueueItem.Status.CONFLICT, QueueItem.Status.DONE)
KEYS = 9  # number keys of a facet


@dataclass(frozen=True, slots=True)
class Chip:
    """A tag on a card. ``number`` is its key (1 to 9, by taxonomy order; 0: none).

    ``rank`` is its place among the facet's suggestions, the surest first (0: not suggested). ``spans`` are the words that
    a reviewer chose for it, where one did, else the machine's. ``checked`` is what Enter would save. ``standing`` is what has been decided before: approved, rejected or ''.
    """

    tag: Tag
    number: int
    checked: bool
    standing: str = ""
    band: str = ""
    score: float | None = None
    source: str = ""
    spans: tuple[dict[str, Any], ...] = ()
    model_version_id: int | None = None
    rank: int = 0

    @property
    def suggested(self) -> bool:
        return self.score is not None


@dataclass(frozen=True, slots=True)
class FacetRow:
    """A facet and its chips in taxonomy order. ``tags`` are all its live tags, for the type-ahead."""

    facet: Facet
    hue: int
    chips: tuple[Chip, ...]
    complete: bool
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    product: Product
    item: QueueItem
    facets: tuple[FacetRow, ...]
    pictures: tuple[Picture, ...] = ()
    family_size: int = 1
    lease_until: datetime | None = None
    why: dict[str, Any] = field(default_factory=dict)
    comments: tuple[Comment, ...] = ()

    @property
    def version(self) -> int:
        return self.item.version

    @property
    def blind(self) -> bool:
        return self.item.blind


def live_taxonomy(catalogue: Catalogue) -> list[tuple[Facet, list[Tag]]]:
    """Live facets in order, each with its live tags in order. Two queries."""
    facets = list(catalogue.facets.live())  # type: ignore[attr-defined]
    by_facet: dict[int, list[Tag]] = {facet.id: [] for facet in facets}
    known = {facet.id: facet for facet in facets}
    for tag in Tag.objects.live().filter(facet__in=facets).order_by("position", "id"):
        tag.facet = known[tag.facet_id]
        by_facet[tag.facet_id].append(tag)
    return [(facet, by_facet[facet.id]) for facet in facets]


def cards(items: Sequence[QueueItem], catalogue: Catalogue, reader: User | None = None) -> list[Card]:
    """A card for each queue item (with ``product`` selected), in their order.

    A ``reader`` who is one of several sees their own answers and nobody else's until the panel agrees; of a product
    whose answer is known they do not see that it is. The number of queries is fixed: it grows neither with the catalogue nor with the number of items.
    """
    taxonomy = live_taxonomy(catalogue)
    products = [item.product for item in items]
    suggestions: dict[int, dict[int, Suggestion]] = {p.id: {} for p in products}
    for suggestion in Suggestion.objects.filter(product__in=products):
        suggestions[suggestion.product_id][suggestion.tag_id] = suggestion
    standing: dict[int, dict[int, str]] = {p.id: {} for p in products}
    chosen: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for product_id, tag_id, state, spans in ProductTag.objects.filter(product__in=products).values_list(
        "product_id", "tag_id", "state", "decision__chosen__spans"
    ):
        standing[product_id][tag_id] = state
        if spans:
            chosen[product_id, tag_id] = spans
    complete: dict[int, set[int]] = {p.id: set() for p in products}
    for product_id, facet_id in FacetCompletion.objects.filter(product__in=products).values_list(
        "product_id", "facet_id"
    ):
        complete[product_id].add(facet_id)
    if reader is not None:
        _as_one_of_several(items, reader, standing, complete)
    shas = {sha for p in products for sha in p.pictures}
    pictures = {p.sha256: p for p in Picture.objects.filter(sha256__in=shas)} if shas else {}
    comments = comments_of([p.id for p in products])
    families = _family_sizes(catalogue, {p.family for p in products if p.family})
    return [
        Card(
            product=item.product,
            item=item,
            facets=tuple(
                _row(
                    index,
                    facet,
                    tags,
                    item,
                    suggestions[item.product_id],
                    standing[item.product_id],
                    facet.id in complete[item.product_id],
                    chosen,
                )
                for index, (facet, tags) in enumerate(taxonomy)
                if facet.applies(item.product.category)
            ),
            pictures=tuple(pictures[sha] for sha in item.product.pictures if sha in pictures),
            family_size=families.get(item.product.family, 1),
            lease_until=item.lease_until,
            why=item.why,
            comments=tuple(comments.get(item.product_id, ())),
        )
        for item in items
    ]


def _as_one_of_several(
    items: Sequence[QueueItem], reader: User, standing: dict[int, dict[int, str]], complete: dict[int, set[int]]
) -> None:
    """What stands, as this reader may see it: known answers hidden, their own answers shown."""
    asked = [item.product_id for item in items if item.status in ANSWERED]
    if not asked:
        return
    gold = GoldItem.objects.filter(product__in=asked, retired_at=None).exclude(made_by=reader)
    for product in gold.values_list("product_id", flat=True):
        standing[product], complete[product] = {}, set()
    for answer in Answer.objects.filter(product__in=asked, reviewer=reader):
        if answer.facet_id not in complete[answer.product_id]:
            complete[answer.product_id].add(answer.facet_id)
            standing[answer.product_id] |= dict.fromkeys(answer.tags, ProductTag.State.APPROVED.value)


def _row(
    index: int,
    facet: Facet,
    tags: list[Tag],
    item: QueueItem,
    suggestions: dict[int, Suggestion],
    standing: dict[int, str],
    complete: bool,
    chosen: dict[tuple[int, int], list[dict[str, Any]]],
) -> FacetRow:
    """A blind card shows no claim of the machine: every tag of a short facet, else what stands already."""
    approved = ProductTag.State.APPROVED
    claimed = [s for tag in tags if (s := suggestions.get(tag.id)) is not None]
    ranks = {s.tag_id: n for n, s in enumerate(sorted(claimed, key=lambda s: -s.score), start=1)}
    chips = []
    for position, tag in enumerate(tags, start=1):
        state = standing.get(tag.id, "")
        suggestion = None if item.blind else suggestions.get(tag.id)
        if suggestion is None and state != approved and not (item.blind and len(tags) <= KEYS):
            continue
        confident = suggestion is not None and suggestion.band in (Band.STRONG, Band.LIKELY)
        chips.append(
            Chip(
                tag=tag,
                number=position if position <= KEYS else 0,
                checked=state == approved or (confident and not state and not complete),
                standing=state,
                band=suggestion.band if suggestion else "",
                score=suggestion.score if suggestion else None,
                source=suggestion.source if suggestion else "",
                spans=tuple(chosen.get((item.product_id, tag.id)) or (suggestion.spans if suggestion else ())),
                model_version_id=suggestion.model_version_id if suggestion else None,
                rank=ranks[tag.id] if suggestion else 0,
            )
        )
    return FacetRow(facet, index % HUES + 1, tuple(chips), complete, tuple(tags))


def _family_sizes(catalogue: Catalogue, families: set[str]) -> dict[str, int]:
    if not families:
        return {}
    sizes: dict[str, int] = {}
    rows = Product.objects.filter(catalogue=catalogue, family__in=families, archived_at=None)
    for family in rows.values_list("family", flat=True):
        sizes[family] = sizes.get(family, 0) + 1
    return sizes


def card_of(product: Product) -> Card:
    """The card of one product whatever its place in the queue. Raises QueueItem.DoesNotExist when it has none."""
    item = QueueItem.objects.select_related("product").get(product=product)
    return cards([item], product.catalogue)[0]
