"""The card of a product: everything a reviewer needs to decide, in one frozen object, for the page and the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from annotations.queries.clashes import Told, clashes_of, tags_named, told
from annotations.queries.comments import comments_of
from annotations.queries.offers import KEYS, Offer, offers_of

HUES = 6  # washes in the style sheet; facets take them in turn
ANSWERED = (QueueItem.Status.SECOND_OPINION, QueueItem.Status.CONFLICT, QueueItem.Status.DONE)


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
    """A facet and its chips in taxonomy order. ``tags`` are its first live tags and ``more`` how many there are beyond
    them, which type-ahead finds. ``was`` are tags that stand and are no longer offered: split, and still to be looked
    at, or retired."""

    facet: Facet
    hue: int
    chips: tuple[Chip, ...]
    complete: bool
    tags: tuple[Tag, ...] = ()
    more: int = 0
    was: tuple[Tag, ...] = ()


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
    clashes: tuple[Told, ...] = ()  # open facets on which text and picture say something else

    @property
    def version(self) -> int:
        return self.item.version

    @property
    def blind(self) -> bool:
        return self.item.blind


def live_taxonomy(catalogue: Catalogue) -> list[tuple[Facet, list[Tag]]]:
    """Live facets in order, each with all its live tags in order: for what looks at every tag, and never for a page.
    Two queries."""
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
    wanted = {tag for some in suggestions.values() for tag in some} | {
        tag for some in standing.values() for tag in some
    }
    apart = clashes_of(catalogue, [item.product_id for item in items if not item.blind])
    wanted |= tags_named(apart)
    tags = {tag.id: tag for tag in Tag.objects.filter(id__in=wanted)}
    offered = offers_of(catalogue, [p.category for p in products])
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
                    offer,
                    item,
                    tags,
                    suggestions[item.product_id],
                    standing[item.product_id],
                    offer.facet.id in complete[item.product_id],
                    chosen,
                )
                for offer in offers
            ),
            pictures=tuple(pictures[sha] for sha in item.product.pictures if sha in pictures),
            family_size=families.get(item.product.family, 1),
            lease_until=item.lease_until,
            why=item.why,
            comments=tuple(comments.get(item.product_id, ())),
            clashes=told(
                apart.get(item.product_id, {}),
                [offer.facet for offer in offers if offer.facet.id not in complete[item.product_id]],
                tags,
            ),
        )
        for item, offers in zip(items, offered, strict=True)
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
    offer: Offer,
    item: QueueItem,
    known: Mapping[int, Tag],
    suggestions: Mapping[int, Suggestion],
    standing: Mapping[int, str],
    complete: bool,
    chosen: dict[tuple[int, int], list[dict[str, Any]]],
) -> FacetRow:
    """A blind card shows no claim of the machine: every tag of a short facet, else what stands already. A claim of a
    tag that is not for the product's category is not shown."""
    approved = ProductTag.State.APPROVED
    facet, category = offer.facet, item.product.category
    mine = {pk: known[pk] for pk in (*suggestions, *standing) if pk in known and known[pk].facet_id == facet.id}
    shown = {
        pk: tag for pk, tag in mine.items()
        if tag.retired_at is None
        and (standing.get(pk) == approved or (pk in suggestions and not item.blind and tag.allowed(category)))
    }  # fmt: skip
    if item.blind and offer.count <= KEYS:
        shown |= {tag.id: tag for tag in offer.tags if tag.allowed(category)}
    claimed = [s for pk in shown if (s := suggestions.get(pk)) is not None]
    ranks = {s.tag_id: n for n, s in enumerate(sorted(claimed, key=lambda s: -s.score), start=1)}
    chips = []
    for tag in sorted(shown.values(), key=lambda tag: (tag.position, tag.id)):
        tag.facet = facet
        state = standing.get(tag.id, "")
        suggestion = None if item.blind else suggestions.get(tag.id)
        confident = suggestion is not None and suggestion.band in (Band.STRONG, Band.LIKELY)
        chips.append(
            Chip(
                tag=tag,
                number=offer.numbers.get(tag.id, 0),
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
    return FacetRow(
        facet=facet,
        hue=offer.index % HUES + 1,
        chips=tuple(chips),
        complete=complete,
        tags=tuple(tag for tag in offer.tags if tag.allowed(category)),
        more=offer.more,
        was=tuple(tag for pk, tag in mine.items() if tag.retired_at and standing.get(pk) == approved),
    )


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
