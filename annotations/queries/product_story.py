"""What happened to one product and who claims what of it: the source, the machine, people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from annotations.models import Catalogue, Original, Product, RowChange, Suggestion, Tag, TaxonomyRevision
from annotations.queries.cleaning import LABELS
from annotations.queries.product_pages import FacetStory, Standing
from annotations.queries.taxonomy import Names, key_of

CHANGES = 50
REVISIONS = 300
"""How many revisions of the taxonomy are looked through for those about the product's tags."""


@dataclass(slots=True)
class Claim:
    """One tag of one product with everything that speaks for or against it. ``said``: the values of the source that
    name it; ``quotes``: the words that the machine points to."""

    tag: Tag
    hue: int
    said: list[str] = field(default_factory=list)
    suggestion: Suggestion | None = None
    quotes: tuple[str, ...] = ()
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that cleaning changed: the field's name, what the cell was, what it is now, and what was done."""

    name: str
    was: str
    now: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """``changes`` of the row, ``events`` of the taxonomy about its tags, latest first; ``cells`` that were cleaned."""

    claims: tuple[Claim, ...]
    changes: tuple[RowChange, ...]
    events: tuple[TaxonomyRevision, ...]
    cells: tuple[Cell, ...]


def past_of(catalogue: Catalogue, product: Product, facets: Sequence[FacetStory]) -> Past:
    """Six queries at most, whatever the product has seen."""
    claims = _claims(product, facets)
    changes = RowChange.objects.filter(product=product).select_related("batch", "run", "user").order_by("-id")
    return Past(
        claims=tuple(claims),
        changes=tuple(changes[:CHANGES]),
        events=tuple(_events(catalogue, facets, claims)),
        cells=tuple(_cells(product)),
    )


def _claims(product: Product, facets: Sequence[FacetStory]) -> list[Claim]:
    """In taxonomy order. Values of the source are resolved by name, in the facets that its attributes name alone."""
    hues = {story.facet.pk: story.hue for story in facets}
    found: dict[int, Claim] = {}

    def claim(tag: Tag) -> Claim:
        return found.setdefault(tag.pk, Claim(tag, hues.get(tag.facet_id, 1)))

    named = {key_of(name) for name in product.attributes}
    asked = [
        s.facet
        for s in facets
        if s.facet.retired_at is None and named & {key_of(n) for n in (s.facet.slug, *s.facet.labels.values())}
    ]
    if asked:
        names = Names(asked, list(Tag.objects.filter(facet__in=asked)))
        for name, values in product.attributes.items():
            facet = names.facet(name)
            for value in values if facet else ():
                tag = names.tag(facet, value) if facet else None
                if tag is not None:
                    claim(tag).said.append(f"{name}: {value}")
    for story in facets:
        for suggestion in story.suggestions:
            suggestion.tag.facet = story.facet
            mine = claim(suggestion.tag)
            mine.suggestion, mine.quotes = suggestion, _quotes(product, suggestion)
        for standing in story.standing:
            standing.tag.facet = story.facet
            claim(standing.tag).standing = standing
    order = {story.facet.pk: place for place, story in enumerate(facets)}
    return sorted(found.values(), key=lambda c: (order.get(c.tag.facet_id, len(order)), c.tag.position, c.tag.pk))


def _quotes(product: Product, suggestion: Suggestion) -> tuple[str, ...]:
    texts = {"title": product.title, "description": product.description}
    words = [
        texts.get(str(s.get("field")), "")[int(s.get("start", 0)) : int(s.get("end", 0))] for s in suggestion.spans
    ]
    return tuple(dict.fromkeys(w for w in words if w))[:3]


def _events(catalogue: Catalogue, facets: Sequence[FacetStory], claims: Sequence[Claim]) -> list[TaxonomyRevision]:
    """Revisions about a tag that is claimed of the product, or about one of its facets as a whole."""
    slugs = {story.facet.slug for story in facets if story.standing or story.complete or story.suggestions}
    tags = {(claim.tag.facet.slug, claim.tag.slug) for claim in claims}
    latest = TaxonomyRevision.objects.filter(catalogue=catalogue).select_related("user").order_by("-number")[:REVISIONS]
    return [one for one in latest if _about(one.data, slugs, tags)][:CHANGES]


def _about(data: dict[str, Any], facets: set[str], tags: set[tuple[str, str]]) -> bool:
    facet = str(data.get("facet", ""))
    named = [str(data[name]) for name in ("tag", "into") if isinstance(data.get(name), str)]
    return any((facet, name) in tags for name in named) if named else facet in facets


def _cells(product: Product) -> list[Cell]:
    kept = Original.objects.filter(product=product).first()
    found = []
    for name, cell in (kept.cells if kept else {}).items():
        now = getattr(product, name, None) if name in ("title", "description", "category") else None
        now = now if isinstance(now, str) else " · ".join(product.attributes.get(name, ()))
        steps = tuple(str(LABELS[s][0]) if s in LABELS else s for s in cell.get("steps", ()))
        found.append(Cell(name, str(cell.get("was", "")), now, steps))
    return found
