"""Storing what a model suggests, and where that puts each product in the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotations.actions import former
from annotations.models import Band, Catalogue, ModelVersion, QueueItem, Suggestion, Tag
from annotations.queries.language_model import claims_of
from annotations.queries.safety import blocked_tags

PRODUCTS_PER_TRANSACTION = 100  # some five suggestions each: short enough that no reviewer waits
CLAIMED = 0.5  # the score of a language model's claim that the model took over and gave up again
SCORE_STEP = 0.005  # a score that moved by less is left as it is stored


@dataclass(frozen=True, slots=True)
class SuggestedTag:
    """One suggested tag, by primary key. ``spans`` are [{field, start, end}]."""

    tag: int
    score: float
    band: str
    source: str
    spans: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProductSuggestions:
    """What a model suggests for one product, how much a decision about it would teach, and why it is asked for.

    ``priority`` None leaves the product where it is in the queue.
    """

    product: int
    tags: Sequence[SuggestedTag]
    priority: float | None = None
    why: dict[str, Any] = field(default_factory=dict)
    blind: bool = False
    cluster: int | None = None


def store(
    *,
    suggestions: Iterable[ProductSuggestions],
    model: ModelVersion | None,
    advance: Callable[[int], None] = lambda n: None,
) -> int:
    """Write them in the order given, in short transactions. Returns how many suggestions stand afterwards.

    Rows that say the same as before are not touched. ``advance(n)`` is told after each transaction how many products
    it held; what it raises (a cancelled job) ends the work between two transactions. What stood before the promoted
    full model is kept for its rollback. Raises Superseded between two transactions.
    """
    total = 0
    for chunk in _chunks(suggestions):
        with transaction.atomic():
            total += _store_chunk(chunk, model)
        advance(len(chunk))
    return total


def _chunks(suggestions: Iterable[ProductSuggestions]) -> Iterator[list[ProductSuggestions]]:
    source = iter(suggestions)
    while chunk := list(islice(source, PRODUCTS_PER_TRANSACTION)):
        yield chunk


def _store_chunk(chunk: Sequence[ProductSuggestions], model: ModelVersion | None) -> int:
    before: dict[int, dict[int, Suggestion]] = {c.product: {} for c in chunk}
    for row in Suggestion.objects.filter(product__in=before).order_by("pk"):
        before[row.product_id][row.tag_id] = row
    if model is not None:
        _keep_former(model, before)
    said = claims_of(list(before))
    chunk = [
        replace(offer, tags=_beside_claims(offer, before[offer.product], said.get(offer.product, set())))
        for offer in chunk
    ]
    fresh: list[Suggestion] = []
    gone: list[int] = []
    total = 0
    for offer in chunk:
        old = before[offer.product]
        for suggested in offer.tags:
            total += 1
            stored = old.pop(suggested.tag, None)
            if stored is None or not _same(stored, suggested):
                fresh.append(
                    Suggestion(
                        product_id=offer.product,
                        tag_id=suggested.tag,
                        score=suggested.score,
                        band=suggested.band,
                        source=suggested.source,
                        spans=suggested.spans,
                        model_version=None if suggested.source == Suggestion.Source.LLM else model,
                    )
                )
        # what an import offered as suggestions was no model's to take back
        gone += [row.pk for row in old.values() if row.model_version_id or row.source != Suggestion.Source.SOURCE]
    if gone:
        Suggestion.objects.filter(pk__in=gone).delete()
    Suggestion.objects.bulk_create(
        fresh,
        update_conflicts=True,
        unique_fields=["product", "tag"],
        update_fields=["score", "band", "source", "spans", "model_version"],
    )
    _reorder(chunk)
    return total


class Superseded(Exception):
    """Another model was promoted, or the one before brought back, while this one's suggestions were written."""


def _keep_former(model: ModelVersion, before: Mapping[int, Mapping[int, Suggestion]]) -> None:
    """Raises Superseded where the model has neither the promoted encoder nor is the one that suggests."""
    promoted, serving = Catalogue.objects.values_list("encoder", "serving").get(pk=model.catalogue_id)
    if promoted != model.encoder_id and serving != model.pk:
        raise Superseded
    if promoted is not None:
        former.keep(promoted, {product: rows.values() for product, rows in before.items()})


def _beside_claims(offer: ProductSuggestions, stored: Mapping[int, Suggestion], said: Set[int]) -> list[SuggestedTag]:
    """The model's tags, and what a language model claimed: its own where the model says nothing or only doubts."""
    llm = Suggestion.Source.LLM
    tags = {suggested.tag: suggested for suggested in offer.tags}
    for tag in said:
        row, suggested = stored.get(tag), tags.get(tag)
        if suggested is None and row is not None and (row.source != Suggestion.Source.SOURCE or row.model_version_id):
            tags[tag] = SuggestedTag(tag, row.score if row.source == llm else CLAIMED, Band.UNSURE, llm, row.spans)
        elif suggested is not None and suggested.band == Band.UNSURE:
            score = row.score if row is not None and row.source == llm else 0.0
            tags[tag] = replace(suggested, source=llm, score=max(score, suggested.score))
    return list(tags.values())


def _same(row: Suggestion, suggested: SuggestedTag) -> bool:
    return (
        abs(row.score - suggested.score) < SCORE_STEP
        and (row.band, row.source) == (suggested.band, suggested.source)
        and row.spans == suggested.spans
    )


def _reorder(chunk: Sequence[ProductSuggestions]) -> None:
    """Priorities and reasons. A blind product stays blind, and one on somebody's screen does not turn blind."""
    ranked = {c.product: c for c in chunk if c.priority is not None}
    moved = []
    now = timezone.now()
    for item in QueueItem.objects.filter(product__in=ranked):
        offer = ranked[item.product_id]
        held = item.lease_until is not None and item.lease_until > now
        blind = item.blind or (offer.blind and not held and item.version == 0)
        was = (item.priority, item.why, item.blind, item.cluster)
        item.priority = offer.priority + item.boost if offer.priority is not None else item.priority
        # that the source changed under a tag stays said until somebody has looked
        kept = {"reopened": item.why["reopened"]} if item.why.get("reopened") else {}
        item.why, item.blind, item.cluster = {**offer.why, **kept}, blind, offer.cluster
        if was != (item.priority, item.why, item.blind, item.cluster):
            moved.append(item)
    # status is left to a guarded statement of its own: a decision may have come in between
    QueueItem.objects.bulk_update(moved, ["priority", "why", "blind", "cluster"])
    QueueItem.objects.filter(product__in=ranked).scored()


def tag_ids(catalogue: Catalogue) -> dict[tuple[str, str], int]:
    """(facet slug, tag slug) to primary key, of live tags that may be suggested: none of them has a blocked word."""
    blocked = blocked_tags(catalogue)
    rows = Tag.objects.live().filter(facet__catalogue=catalogue, facet__retired_at=None)
    found = rows.values_list("pk", "facet__slug", "slug")
    return {(facet, tag): pk for pk, facet, tag in found if pk not in blocked}
