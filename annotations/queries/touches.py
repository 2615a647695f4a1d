"""What a change of the taxonomy touches, counted before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from annotations.models import Facet, ProductTag, QueueItem, Suggestion, Tag, TagRequest


@dataclass(frozen=True, slots=True)
class Touches:
    """Counts. ``products``: those of which the tags are approved or rejected; ``approved``, ``rejected``: each of the
    two; ``both``: those of which the target of a merge stands already; ``waiting``: of the approved, those in the queue;
    ``tags``: live ones that are changed; ``children``: tags below them; ``rules``: what the taxonomy says of them (a tag
    that stands alone, is bound to categories, or is not allowed with another); ``requests``: that wait for an answer;
    ``events``: lines of the feed that it tells by itself, before any decision."""

    products: int
    approved: int
    rejected: int
    both: int
    waiting: int
    suggestions: int
    tags: int
    children: int
    rules: int
    requests: int
    events: int = 1

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def touches(tags: Sequence[Tag], *, into: Tag | None = None) -> Touches:
    """Of some tags; with ``into`` of their merge into it. Eight queries, each over an index."""
    wanted = Tag.objects.filter(pk__in=[tag.pk for tag in tags])
    return _touches(wanted, TagRequest.objects.filter(tag__in=wanted), into=into)


def touches_of_facet(facet: Facet) -> Touches:
    """Of a facet with all its live tags, however many."""
    return _touches(Tag.objects.live().filter(facet=facet), TagRequest.objects.filter(facet=facet))


def _touches(wanted: QuerySet[Tag], requests: QuerySet[TagRequest], *, into: Tag | None = None) -> Touches:
    stands = ProductTag.objects.filter(tag__in=wanted.values("pk"))
    approved = stands.filter(state=ProductTag.State.APPROVED)
    both = 0
    if into is not None:
        there = ProductTag.objects.filter(product=OuterRef("product"), tag=into, state=ProductTag.State.APPROVED)
        both = approved.filter(Exists(there)).count()
    counted = stands.aggregate(
        products=Count("product", distinct=True),
        approved=Count("product", filter=Q(state=ProductTag.State.APPROVED), distinct=True),
        rejected=Count("product", filter=Q(state=ProductTag.State.REJECTED), distinct=True),
    )
    return Touches(
        **counted,
        both=both,
        waiting=QueueItem.objects.waiting().filter(product__in=approved.values("product")).count(),
        suggestions=Suggestion.objects.filter(tag__in=wanted.values("pk")).count(),
        tags=wanted.filter(retired_at=None).count(),
        children=Tag.objects.live().filter(parent__in=wanted.values("pk")).exclude(pk__in=wanted.values("pk")).count(),
        rules=_rules(wanted),
        requests=requests.filter(resolved_at=None).count(),
    )


def _rules(wanted: QuerySet[Tag]) -> int:
    alone = wanted.filter(exclusive=True).count()
    bound = wanted.exclude(categories=[]).count()
    pairs = Tag.not_with.through.objects.filter(from_tag__in=wanted.values("pk"))
    # stored once in each direction: of two that are both wanted one direction counts
    twice = pairs.filter(to_tag__in=wanted.values("pk"), from_tag__gt=F("to_tag")).count()
    return alone + bound + pairs.count() - twice
