"""The grid: one facet (and one tag of it), many products, each with the words that speak for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotations.models import (
    QUEUE_ORDER,
    Band,
    Catalogue,
    Facet,
    FacetCompletion,
    Picture,
    ProductTag,
    QueueItem,
    Suggestion,
    Tag,
    User,
)
from annotations.queries.cards import HUES
from annotations.queries.evidence import Claimed, Piece, pieces
from annotations.queries.offers import offers_of

SIZES = (24, 48)
CONFIDENT = (Band.STRONG, Band.LIKELY)  # what comes accepted
COUNTED = 1000  # beyond that a page says "more than"
NEXT = 1000  # products at the top of the queue whose suggestions are counted for the choice of a value
KEYS = 3  # of a screen: facet and value chosen, and Enter; a card that is right takes one
TITLE, PHRASE, AROUND = 90, 80, 24  # characters


@dataclass(frozen=True, slots=True)
class Tile:
    """A product in the grid. ``tags`` are what accepting it would accept; ``phrase`` is a stretch of the description
    around its evidence, empty where the title holds it already or nothing does."""

    item: QueueItem
    tags: tuple[Tag, ...]
    title: tuple[Piece, ...]
    phrase: tuple[Piece, ...]
    evidence: bool
    picture: Picture | None
    score: float | None = None

    @property
    def product(self) -> Any:
        return self.item.product


def open_for(catalogue: Catalogue, facet: Facet, tag: Tag | None) -> QuerySet[Suggestion]:
    """The machine's confident claims that nobody has decided on, of products that may be shown with claims.

    With a tag: the surest first, from the top of one index.
    """
    claims = Suggestion.objects.filter(
        band__in=CONFIDENT,
        product__catalogue=catalogue,
        product__archived_at=None,
        product__queue_item__blind=False,
        product__queue_item__status__in=(*QueueItem.WAITING, QueueItem.Status.DONE),
    )
    looked_at = FacetCompletion.objects.filter(product=OuterRef("product"), facet=facet)
    said = ProductTag.objects.filter(product=OuterRef("product"), tag=OuterRef("tag"))
    claims = claims.filter(~Exists(looked_at), ~Exists(said))
    claims = claims.filter(tag=tag) if tag else claims.filter(tag__facet=facet, tag__retired_at=None)
    return _where_it_applies(claims, facet, "product__category").order_by("-score", "product")


def _where_it_applies(rows: QuerySet[Any], facet: Facet, path: str) -> QuerySet[Any]:
    if not facet.categories:
        return rows
    there = Q()
    for prefix in facet.categories:
        there |= Q(**{path: prefix}) | Q(**{f"{path}__startswith": prefix.rstrip("/") + "/"})
    return rows.filter(there)


def how_many(catalogue: Catalogue, facet: Facet, tag: Tag, most: int = COUNTED) -> int:
    """How many products the tag is suggested for and undecided; at most ``most`` + 1, which means more than that."""
    return open_for(catalogue, facet, tag).order_by()[: most + 1].count()


def candidates(
    catalogue: Catalogue, facet: Facet, tag: Tag | None, user: User, count: int, exclude: Collection[int] = ()
) -> list[QueueItem]:
    """Queue items, with their products, that the grid may show next; those that nobody else holds."""
    if tag is not None:
        mine_or_free = QueueItem.objects.free_for(user).filter(product=OuterRef("product"))
        claims = open_for(catalogue, facet, tag).exclude(product__in=list(exclude)).filter(Exists(mine_or_free))
        found = list(claims.select_related("product__queue_item")[:count])
        return [_with_product(claim) for claim in found]
    items: list[QueueItem] = []
    claimed = open_for(catalogue, facet, None).order_by().filter(product=OuterRef("product"))
    for status in QueueItem.WAITING:
        rows = QueueItem.objects.filter(catalogue=catalogue, status=status, blind=False).free_for(user)
        rows = rows.exclude(product__in=list(exclude)).filter(Exists(claimed))
        items += rows.select_related("product").order_by(*QUEUE_ORDER)[: count - len(items)]
        if len(items) >= count:
            break
    return items


def _with_product(claim: Suggestion) -> QueueItem:
    item: QueueItem = claim.product.queue_item  # type: ignore[attr-defined]
    item.product = claim.product
    return item


def tiles(items: Sequence[QueueItem], facet: Facet, tag: Tag | None) -> list[Tile]:
    """A tile for each item, in their order. Three queries. In a grid without a tag, products for which nothing is
    claimed with confidence are left out."""
    hue = _hue(facet)
    claims: dict[int, list[Suggestion]] = {}
    wanted = Suggestion.objects.filter(product__in=[item.product_id for item in items])
    wanted = wanted.filter(tag=tag) if tag else wanted.filter(
        tag__facet=facet, tag__retired_at=None, band__in=CONFIDENT)  # fmt: skip
    for claim in wanted.select_related("tag").order_by("tag__position", "tag"):
        claims.setdefault(claim.product_id, []).append(claim)
    first = {item.product.pictures[0] for item in items if item.product.pictures}
    pictures = {p.sha256: p for p in Picture.objects.filter(sha256__in=first)} if first else {}
    found = []
    for item in items:
        theirs = claims.get(item.product_id, [])
        if facet.one_value and len(theirs) > 1:
            theirs = [max(theirs, key=lambda c: c.score)]
        tags = (tag,) if tag else tuple(claim.tag for claim in theirs)
        if tags:
            picture = pictures.get(item.product.pictures[0]) if item.product.pictures else None
            found.append(_tile(item, tags, theirs, picture, hue))
    return found


def _hue(facet: Facet) -> int:
    before = Facet.objects.live().filter(catalogue=facet.catalogue_id, position__lt=facet.position).count()
    return int(before) % HUES + 1


def _tile(
    item: QueueItem, tags: tuple[Tag, ...], claims: Sequence[Suggestion], picture: Picture | None, hue: int
) -> Tile:
    product = item.product
    title = product.title or product.external_id
    in_title = _marked(claims, "title", hue) if product.title else []
    in_text = _marked(claims, "description", hue)
    phrase: tuple[Piece, ...] = ()
    if in_text and not in_title:
        start = max(0, min(c.start for c in in_text) - AROUND)
        phrase = _cut(product.description, in_text, start, PHRASE)
    return Tile(
        item=item,
        tags=tags,
        title=_cut(title, in_title, 0, TITLE),
        phrase=phrase,
        evidence=bool(in_title or in_text),
        picture=picture,
        score=max((c.score for c in claims), default=None),
    )


def _marked(claims: Iterable[Suggestion], field: str, hue: int) -> list[Claimed]:
    return [
        Claimed(int(span["start"]), int(span["end"]), hue, claim.tag_id)
        for claim in claims
        for span in claim.spans
        if span.get("field") == field
    ]


def _cut(text: str, claims: Sequence[Claimed], start: int, length: int) -> tuple[Piece, ...]:
    """The stretch of a text, with an ellipsis where it goes on."""
    end = start + length
    moved = [Claimed(max(0, c.start - start), c.end - start, c.hue, c.tag) for c in claims if c.end > start]
    found = pieces(text[start:end], moved)
    before = [Piece("… ")] if start else []
    after = [Piece(" …")] if end < len(text) else []
    return (*before, *found, *after)


def values_next(catalogue: Catalogue) -> dict[int, int]:
    """Tag to how many of the next ``NEXT`` products of the queue it is suggested for with confidence and undecided."""
    top = QueueItem.objects.filter(catalogue=catalogue, status=QueueItem.Status.QUEUED, blind=False)
    first = list(top.order_by(*QUEUE_ORDER).values_list("product", flat=True)[:NEXT])
    done = FacetCompletion.objects.filter(product=OuterRef("product"), facet=OuterRef("tag__facet"))
    rows = Suggestion.objects.filter(product__in=first, band__in=CONFIDENT).filter(~Exists(done))
    return dict(rows.order_by().values_list("tag").annotate(n=Count("pk")))


def spares(catalogue: Catalogue) -> dict[int, float]:
    """Tag to how many cards of the next ``NEXT`` products one screen of it makes needless; tags of no worth left out.

    A card has to be opened all the same while a facet of its product takes several values, tells variants apart (what
    is claimed of these with confidence has been found mostly wrong) or has no confident claim. Of the other products each
    facet that is still open is one part of the card, and counts for as much as the claim is likely to be right. Below
    ``KEYS`` a screen costs more keys than the cards it spares.
    """
    top = QueueItem.objects.filter(catalogue=catalogue, status=QueueItem.Status.QUEUED, blind=False)
    first = dict(top.order_by(*QUEUE_ORDER).values_list("product", "product__category")[:NEXT])
    done = set(FacetCompletion.objects.filter(product__in=list(first)).values_list("product", "facet"))
    said = set(ProductTag.objects.filter(product__in=list(first)).values_list("product", "tag"))
    claims: dict[int, dict[int, list[tuple[float, int]]]] = {}
    rows = Suggestion.objects.filter(product__in=list(first), band__in=CONFIDENT, tag__retired_at=None)
    for product, of, tag, score in rows.values_list("product", "tag__facet", "tag", "score"):
        if (product, tag) not in said:
            claims.setdefault(product, {}).setdefault(of, []).append((score, tag))
    categories = list(dict.fromkeys(first.values()))
    offered = dict(zip(categories, offers_of(catalogue, categories), strict=True))
    parts: dict[int, list[float]] = {}
    for product, category in first.items():
        left = [o.facet for o in offered[category] if (product, o.facet.pk) not in done]
        theirs = claims.get(product, {})
        if all(facet.one_value and not facet.variant_axis and facet.pk in theirs for facet in left):
            for facet in left:
                score, tag = max(theirs[facet.pk])
                parts.setdefault(tag, []).append(score / len(left))
    return {tag: sum(sorted(some, reverse=True)[: SIZES[-1]]) for tag, some in parts.items()}
