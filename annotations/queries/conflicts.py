"""Where reviewers differ: both sides of each facet, for the lead who settles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from annotations.models import Answer, Catalogue, Facet, Picture, Product, QueueItem, Suggestion, Tag, User, Voice
from annotations.queries.cards import HUES, live_taxonomy
from annotations.queries.panels import FacetPanel, Outcome, panels
from annotations.queries.standing import facts_of


@dataclass(frozen=True, slots=True)
class Said:
    """One value of a facet and who approved it. ``shared``: all of them did."""

    tag: Tag
    by: tuple[User, ...]
    shared: bool
    score: float | None


@dataclass(frozen=True, slots=True)
class Side:
    """One reviewer's whole answer on a facet; no tags: they said that none fits."""

    reviewer: User
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class TornFacet:
    """A facet that reviewers differ on. ``said``: every value that somebody approved; ``tags``: all there are."""

    facet: Facet
    hue: int
    sides: tuple[Side, ...]
    said: tuple[Said, ...]
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class Dispute:
    product: Product
    item: QueueItem
    facets: tuple[TornFacet, ...]
    pictures: tuple[Picture, ...]


def waiting(catalogue: Catalogue, limit: int = 50) -> list[QueueItem]:
    """Products that wait for a lead, the first in the queue first. One query."""
    items = QueueItem.objects.filter(catalogue=catalogue, status=QueueItem.Status.CONFLICT, product__archived_at=None)
    return list(items.select_related("product", "lease_owner").order_by("-priority", "id")[:limit])


def how_many(catalogue: Catalogue) -> int:
    return QueueItem.objects.filter(catalogue=catalogue, status=QueueItem.Status.CONFLICT).count()


def dispute(item: QueueItem) -> Dispute:
    """Both sides of every facet of a product that is disagreed on. A fixed number of queries."""
    product = item.product
    found = panels(facts_of([product.pk])[product.pk])
    torn = {facet: panel for facet, panel in found.items() if panel.outcome is Outcome.CONFLICT}
    answers = Answer.objects.filter(product=product, voice=Voice.VOTE).select_related("reviewer")
    people = {answer.reviewer_id: answer.reviewer for answer in answers}
    scores = dict(Suggestion.objects.filter(product=product).values_list("tag_id", "score"))
    named = _named(torn.values())
    facets = tuple(
        _torn(facet, index, tags, torn[facet.pk], people, scores, named)
        for index, (facet, tags) in enumerate(live_taxonomy(item.catalogue))
        if facet.pk in torn
    )
    shown = {picture.sha256: picture for picture in Picture.objects.filter(sha256__in=product.pictures)}
    return Dispute(product, item, facets, tuple(shown[sha] for sha in product.pictures if sha in shown))


def _named(found: Iterable[FacetPanel]) -> dict[int, Tag]:
    """Tags that answers name, also those that are gone since."""
    named = {tag for panel in found for ballot in panel.answers.values() for tag in ballot.approved}
    return {tag.pk: tag for tag in Tag.objects.filter(pk__in=named).select_related("facet")}


def _torn(
    facet: Facet, index: int, tags: list[Tag], panel: FacetPanel, people: dict[int, User], scores: dict[int, float],
    named: dict[int, Tag],
) -> TornFacet:  # fmt: skip
    order = {tag.pk: place for place, tag in enumerate(tags)}
    answers = {who: ballot.approved for who, ballot in panel.answers.items() if who in people}
    approved = sorted(
        {tag for some in answers.values() for tag in some}, key=lambda pk: (order.get(pk, len(order)), pk)
    )
    said = []
    for tag in approved:
        by = tuple(people[who] for who, some in answers.items() if tag in some)
        said.append(Said(named[tag], by, len(by) == len(answers), scores.get(tag)))
    return TornFacet(
        facet,
        index % HUES + 1,
        tuple(Side(people[who], tuple(named[t] for t in approved if t in some)) for who, some in answers.items()),
        tuple(said),
        tuple(tags),
    )
