"""Questions about products: the list of a catalogue, and everything about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Q

from annotations.models import (
    Catalogue,
    Decision,
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
from annotations.queries.cards import HUES
from annotations.queries.products import COUNTED, Filters, counted, live_count, matching
from annotations.queries.standing import PUBLIC, effective, facts_of

PAGE = 50
HISTORY = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """A product in the list. ``tags`` are its approved ones."""

    product: Product
    status: str
    tags: tuple[Tag, ...]

    @property
    def status_label(self) -> str:
        return str(QueueItem.Status(self.status).label) if self.status else ""


@dataclass(frozen=True, slots=True)
class Page:
    """``before`` and ``after`` are keys to page by, None at the ends; ``total`` counts what matches, up to one more
    than ``COUNTED``: then it is ``many``."""

    rows: tuple[Listed, ...]
    total: int
    many: bool
    before: int | None
    after: int | None


def page_of(catalogue: Catalogue, filters: Filters, *, after: int | None = None, before: int | None = None) -> Page:
    """Up to ``PAGE`` products by the order they came in. At most five queries, whatever the page holds.

    Raises NoSuchName where a filter names what is not there.
    """
    found = matching(catalogue, filters)
    wanted = found.select_related("queue_item").defer("description", "extra", "attributes")
    if before is not None:
        rows = list(wanted.filter(pk__lt=before).order_by("-pk")[: PAGE + 1])
        more_before, more_after = len(rows) > PAGE, True
        rows = rows[:PAGE][::-1]
    else:
        rows = list(wanted.filter(pk__gt=after or 0).order_by("pk")[: PAGE + 1])
        more_before, more_after = bool(after), len(rows) > PAGE
        rows = rows[:PAGE]
    tags = approved_tags([product.pk for product in rows])
    listed = tuple(Listed(p, _status(p), tuple(tags.get(p.pk, ()))) for p in rows)
    total = counted(found) if filters.as_dict() else live_count(catalogue)
    return Page(
        rows=listed,
        total=min(total, COUNTED) if filters.as_dict() else total,
        many=bool(filters.as_dict()) and total > COUNTED,
        before=rows[0].pk if rows and more_before else None,
        after=rows[-1].pk if rows and more_after else None,
    )


def _status(product: Product) -> str:
    item = getattr(product, "queue_item", None)
    return str(item.status) if item else ""


def approved_tags(products: Sequence[int]) -> dict[int, list[Tag]]:
    """Approved tags by product, in taxonomy order. One query."""
    found: dict[int, list[Tag]] = {}
    rows = ProductTag.objects.filter(product__in=products, state=ProductTag.State.APPROVED)
    for row in rows.select_related("tag__facet").order_by("tag__facet__position", "tag__position", "tag"):
        found.setdefault(row.product_id, []).append(row.tag)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """A tag that stands (approved or rejected), and the decision that says so."""

    tag: Tag
    state: str
    decision: Decision


@dataclass(slots=True)
class FacetStory:
    """What is known of one facet of a product, by people and by the model."""

    facet: Facet
    hue: int
    complete: Decision | None = None
    standing: list[Standing] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Story:
    """Everything about one product. ``decisions`` are the last ``HISTORY``, latest first; ``undone`` names those taken
    back; ``family`` are the other variants."""

    product: Product
    item: QueueItem | None
    pictures: tuple[Picture, ...]
    facets: tuple[FacetStory, ...]
    decisions: tuple[Decision, ...]
    undone: frozenset[Any]
    family: tuple[Product, ...]
    gold: bool = False


def story_of(catalogue: Catalogue, pk: int, reader: User | None = None) -> Story | None:
    """With a ``reader``, without the votes and gold answers of others. None where the catalogue has no such product. A fixed number of queries."""
    product = Product.objects.filter(catalogue=catalogue, pk=pk).first()
    if product is None:
        return None
    product.catalogue = catalogue
    shown = {picture.sha256: picture for picture in Picture.objects.filter(sha256__in=product.pictures)}
    family = Product.objects.filter(catalogue=catalogue, family=product.family, archived_at=None).exclude(pk=pk)
    decisions = Decision.objects.filter(product=product).select_related("facet", "tag", "reviewer").order_by("-seq")
    if reader is not None:
        decisions = decisions.filter(Q(voice__in=PUBLIC) | Q(reviewer=reader))
    last = tuple(decisions[:HISTORY])
    return Story(
        product=product,
        item=QueueItem.objects.filter(product=product).first(),
        pictures=tuple(shown[sha] for sha in product.pictures if sha in shown),
        facets=tuple(_facets(catalogue, product)),
        decisions=last,
        undone=_undone(product),
        gold=GoldItem.objects.filter(product=product, retired_at=None).exists(),
        family=tuple(family.order_by("pk")[:50]) if product.family else (),
    )


def _facets(catalogue: Catalogue, product: Product) -> list[FacetStory]:
    known = Facet.objects.filter(catalogue=catalogue).order_by(F("retired_at").asc(nulls_first=True), "position", "id")
    stories = {facet.pk: FacetStory(facet, index % HUES + 1) for index, facet in enumerate(known)}
    completions = FacetCompletion.objects.filter(product=product).select_related("decision__reviewer")
    for completion in completions:
        stories[completion.facet_id].complete = completion.decision
    stands = ProductTag.objects.filter(product=product).select_related("tag", "decision__reviewer")
    for row in stands.order_by("state", "tag__position", "tag"):
        stories[row.tag.facet_id].standing.append(Standing(row.tag, row.state, row.decision))
    for suggestion in (
        Suggestion.objects.filter(product=product).select_related("tag", "model_version").order_by("-score", "tag")
    ):
        stories[suggestion.tag.facet_id].suggestions.append(suggestion)
    return [
        s
        for s in stories.values()
        if s.standing
        or s.suggestions
        or s.complete
        or (s.facet.retired_at is None and s.facet.applies(product.category))
    ]


def _undone(product: Product) -> frozenset[Any]:
    """Decisions that do not count any more, by the fold's own rule."""
    facts = facts_of([product.pk])[product.pk]
    counting = {fact.id for fact in effective(facts)}
    return frozenset(fact.id for fact in facts if fact.verdict != "undo" and fact.id not in counting)
