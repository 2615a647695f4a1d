"""Bringing what is folded out of decisions up to date: standing tags, completed facets, the queue's status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from annotations.models import Catalogue, Facet, FacetCompletion, ProductTag, QueueItem
from annotations.queries.standing import Standing

Status = QueueItem.Status


@dataclass(frozen=True, slots=True)
class Move:
    """What stood of a product, and what stands now. ``item`` has its product loaded."""

    item: QueueItem
    old: Standing
    new: Standing


def project(catalogue: Catalogue, moves: Sequence[Move]) -> None:
    """Write the difference for all products at once: a handful of statements however many there are, and one more for
    each product that loses a tag or a completion (which only an undo or a removal does)."""
    for move in moves:
        _take_away(move)
    ProductTag.objects.bulk_create(
        [
            ProductTag(product_id=move.item.product_id, tag_id=tag, state=fact[0], decision_id=fact[1])
            for move in moves
            for tag, fact in move.new.tags.items()
            if move.old.tags.get(tag) != fact
        ],
        update_conflicts=True,
        unique_fields=["product", "tag"],
        update_fields=["state", "decision"],
    )
    FacetCompletion.objects.bulk_create(
        [
            FacetCompletion(product_id=move.item.product_id, facet_id=facet, decision_id=decision)
            for move in moves
            for facet, decision in move.new.complete.items()
            if move.old.complete.get(facet) != decision
        ],
        update_conflicts=True,
        unique_fields=["product", "facet"],
        update_fields=["decision"],
    )
    _set_statuses(catalogue, [move for move in moves if _may_change_status(move)])


def _take_away(move: Move) -> None:
    product = move.item.product_id
    if gone := [tag for tag in move.old.tags if tag not in move.new.tags]:
        ProductTag.objects.filter(product=product, tag__in=gone).delete()
    if reopened := [facet for facet in move.old.complete if facet not in move.new.complete]:
        FacetCompletion.objects.filter(product=product, facet__in=reopened).delete()


def _may_change_status(move: Move) -> bool:
    return move.old.complete.keys() != move.new.complete.keys() or move.old.doubted != move.new.doubted


def _set_statuses(catalogue: Catalogue, moves: Sequence[Move]) -> None:
    """Done when every facet that applies has been looked at; waiting again when one is open; and waiting for somebody
    else's opinion while the last word on a tag is that it is ambiguous."""
    if not moves:
        return
    facets = list(Facet.objects.live().filter(catalogue=catalogue))
    outcome: dict[tuple[str, bool], list[int]] = {}
    for move in moves:
        category = move.item.product.category
        is_open = any(f.applies(category) and f.id not in move.new.complete for f in facets)
        if move.new.doubted:
            status: str = Status.SECOND_OPINION
        elif not is_open:
            status = Status.DONE
        elif move.item.status == Status.DONE or move.old.doubted:
            status = Status.QUEUED
        else:
            status = move.item.status
        outcome.setdefault((status, is_open), []).append(move.item.pk)
    for (status, is_open), items in outcome.items():
        fields: dict[str, Any] = {"status": status, "done_at": None}
        if status == Status.DONE:
            fields["done_at"] = timezone.now()
        if not is_open:  # looked at as a whole: whoever held it is through with it
            fields |= {"lease_owner": None, "lease_until": None}
        QueueItem.objects.filter(pk__in=items).update(**fields)
