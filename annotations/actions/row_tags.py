"""The attributes of a row taken as more than a source's claim: as suggestions, or as approved tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from annotations.actions.decide import Card, Choice, Circumstances, save_cards
from annotations.actions.import_problems import unreadable
from annotations.formats.rows import Row
from annotations.models import (
    Band,
    Catalogue,
    Facet,
    FacetCompletion,
    Product,
    ProductTag,
    QueueItem,
    Suggestion,
    Tag,
    Verdict,
)
from annotations.queries.safety import blocked_tags
from annotations.queries.taxonomy import Names, key_of

SOURCE_SCORE = 0.9
"""What a source's claim counts until a model has compared the source with decisions. Set by hand, not measured."""

Say = Callable[..., None]
"""``say(code, row, column, value, **params)`` notes a problem of a row that is taken all the same."""


@dataclass(slots=True)
class RowTags:
    """A row's attributes as tags of the taxonomy. ``facets``: those it names, also as having none of their tags."""

    row: Row
    tags: list[Tag] = field(default_factory=list)
    facets: dict[int, Facet] = field(default_factory=dict)


def new_values(rows: Sequence[Row], names: Names) -> list[tuple[Facet, str, None]]:
    """What the rows say in facets that take new values."""
    said = [(names.facet(name), values) for row in rows for name, values in row.attributes.items()]
    return [(facet, value, None) for facet, values in said if facet and facet.takes_new_values for value in values]


def resolve(row: Row, names: Names, say: Say, *, dry_run: bool = False) -> RowTags:
    """Facets and tags by slug, label or synonym. What the taxonomy does not know is a problem and never a new tag here:
    what an open facet or one of numbers takes was taken before (``new_values``), or would be where this is a dry run."""
    found = RowTags(row)
    for name, values in row.attributes.items():
        facet = names.facet(name)
        if facet is None:
            say("unknown-facet", row, name, ", ".join(values))
            continue
        tags: dict[int, Tag] = {}
        for value in values:
            tag = names.tag(facet, value)
            if tag is not None:
                tags[tag.id] = tag
            elif facet.kind == Facet.Kind.NUMERIC and (no := unreadable(facet, value)):
                say(no[0], row, name, value, **no[1])
            elif not (dry_run and facet.takes_new_values):
                say("unknown-tag", row, name, value)
        if facet.one_value and len(tags) > 1:
            say("several-values", row, name, ", ".join(values))
            continue
        found.tags += tags.values()
        if tags or not values:
            found.facets[facet.id] = facet
    for name in row.absent:
        if facet := names.facet(name):
            found.facets[facet.id] = facet
        else:
            say("unknown-facet", row, name, "")
    return found


def suggest(*, catalogue: Catalogue, found: Sequence[tuple[int, RowTags]]) -> int:
    """Store (product, its row's tags) as suggestions of the source, in place of what the source claimed before. Tags
    with a blocked word are left out; the import lists them."""
    blocked = blocked_tags(catalogue)
    rows = [
        Suggestion(
            product_id=product, tag=tag, score=SOURCE_SCORE, band=Band.LIKELY, source=Suggestion.Source.SOURCE,
            spans=_spans(tags.row, tag),
        )
        for product, tags in found
        for tag in tags.tags
        if tag.pk not in blocked
    ]  # fmt: skip
    claimed = {(row.product_id, row.tag_id) for row in rows}
    with transaction.atomic():
        before = Suggestion.objects.filter(product__in=[p for p, _t in found], source=Suggestion.Source.SOURCE)
        gone = [pk for pk, p, t in before.values_list("pk", "product_id", "tag_id") if (p, t) not in claimed]
        Suggestion.objects.filter(pk__in=gone).delete()
        Suggestion.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["product", "tag"],
            update_fields=["score", "band", "source", "spans", "model_version"],
        )
        QueueItem.objects.filter(product__in=[p for p, _t in found]).scored()
    return len(rows)


def _spans(row: Row, tag: Tag) -> list[dict[str, Any]]:
    """The row's spans that speak for the tag: those of its facet that hold one of its words, else the only ones."""
    own = {key_of(name) for name in (tag.facet.slug, *tag.facet.labels.values())}
    spans = [span for span in row.spans if key_of(str(span.get("facet", ""))) in own]
    words = {key_of(word) for word in tag.words}
    exact = [span for span in spans if key_of(str(span.get("text", ""))) in words]
    alone = sum(len(values) for name, values in row.attributes.items() if key_of(name) in own) == 1
    kept = exact or (spans if alone else [])
    return [{"field": s.get("field", "description"), "start": s["start"], "end": s["end"]} for s in kept]


def approve(*, catalogue: Catalogue, found: Sequence[tuple[int, RowTags]], by: Circumstances) -> int:
    """Decide that these tags fit, and that the facets a row names have no others. Returns the decisions stored.

    What stands already is not decided again, so importing a file twice, or once more after it was interrupted, adds
    nothing. What a person approved beyond the row is left standing.
    """
    ids = [product for product, _tags in found]
    stands = set(
        ProductTag.objects.filter(product__in=ids, state=ProductTag.State.APPROVED).values_list("product", "tag")
    )
    complete = set(FacetCompletion.objects.filter(product__in=ids).values_list("product", "facet"))
    products = {p.pk: p for p in Product.objects.filter(pk__in=ids)}
    cards = []
    for pk, tags in found:
        product = products[pk]
        product.catalogue = catalogue
        choices = tuple(Choice(tag, Verdict.ACCEPT) for tag in tags.tags if (pk, tag.id) not in stands)
        facets = tuple(facet for facet in tags.facets.values() if (pk, facet.id) not in complete)
        if choices or facets:
            cards.append(Card(product, choices, facets))
    return save_cards(catalogue=catalogue, cards=cards, by=by).decisions if cards else 0
