"""Bringing what is folded out of decisions up to date: standing tags, completed facets, the queue's status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from annotations.actions.panel_log import project_answers
from annotations.models import Catalogue, Facet, FacetCompletion, ProductTag, QueueItem
from annotations.queries.panels import FacetPanel, Outcome, panels
from annotations.queries.standing import PUBLIC, Fact, Standing

Status = QueueItem.Status


@dataclass(frozen=True, slots=True)
class Move:
    """What stood of a product, and what stands now; its log before and now. ``item`` has its product loaded."""

    item: QueueItem
    old: Standing
    new: Standing
    before: Sequence[Fact] = ()
    facts: Sequence[Fact] = ()

    @property
    def voted(self) -> bool:
        """Whether something was said that does not stand by itself."""
        return any(fact.voice not in PUBLIC for fact in self.facts[len(self.before) :])


def project(catalogue: Catalogue, moves: Sequence[Move]) -> None:
    """Write the difference for all products at once: a handful of statements, however many there are."""
    _take_away(moves)
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


def _take_away(moves: Sequence[Move]) -> None:
    """What stood and no longer does, which only an undo or a removal brings about."""
    gone = {(m.item.product_id, tag) for m in moves for tag in m.old.tags.keys() - m.new.tags.keys()}
    if gone:
        rows = ProductTag.objects.filter(product__in={p for p, _t in gone}, tag__in={t for _p, t in gone})
        wanted = [pk for pk, *pair in rows.values_list("pk", "product", "tag") if tuple(pair) in gone]
        ProductTag.objects.filter(pk__in=wanted).delete()
    reopened = {(m.item.product_id, facet) for m in moves for facet in m.old.complete.keys() - m.new.complete.keys()}
    if reopened:
        done = FacetCompletion.objects.filter(product__in={p for p, _f in reopened})
        wanted = [pk for pk, *pair in done.values_list("pk", "product", "facet") if tuple(pair) in reopened]
        FacetCompletion.objects.filter(pk__in=wanted).delete()


def _may_change_status(move: Move) -> bool:
    if move.item.flagged:  # flagging takes a decided product out of those that are done
        return True
    changed = move.old.complete.keys() != move.new.complete.keys() or move.old.doubted != move.new.doubted
    return changed or move.voted


def _set_statuses(catalogue: Catalogue, moves: Sequence[Move]) -> None:
    """Done when every facet that applies has been looked at; waiting again when one is open; and waiting for somebody
    else's opinion while the last word on a tag is that it is ambiguous."""
    if not moves:
        return
    facets = list(Facet.objects.live().filter(catalogue=catalogue))
    outcome: dict[tuple[str, bool, bool, bool], list[int]] = {}
    for move in moves:
        applicable = {facet.id for facet in facets if facet.applies(move.item.product.category)}
        open_facets = applicable - move.new.complete.keys()
        votes: dict[int, FacetPanel] = {}
        closed: set[int] = set()
        if any(fact.voice not in PUBLIC for fact in move.facts):
            votes = panels(move.facts)
            closed = project_answers(move.item.product, move.before, move.facts, applicable, move.new.complete)
        status = _status(move, open_facets, votes)
        # looked at as a whole, by all who should or by whoever holds it: they are through with it
        through = not open_facets or move.item.lease_owner_id in closed
        now_done, was_new = status == Status.DONE != move.item.status, move.item.status == Status.NEW != status
        outcome.setdefault((status, now_done, was_new, through), []).append(move.item.pk)
    for (status, now_done, was_new, through), items in outcome.items():
        fields: dict[str, Any] = {"lease_owner": None, "lease_until": None} if through else {}
        if was_new or status == Status.NEW:
            fields["was_new"] = was_new
        if now_done:
            fields |= {"status": status, "done_at": timezone.now()}
        elif status != Status.DONE:
            fields |= {"status": status, "done_at": None}
        if fields:
            QueueItem.objects.filter(pk__in=items).update(**fields)


def _status(move: Move, open_facets: set[int], votes: Mapping[int, FacetPanel]) -> str:
    """With answers in, a product waits for another opinion; once all that is open is disagreed on, for a lead."""
    if move.new.doubted:
        return Status.SECOND_OPINION
    if not open_facets:
        return Status.DONE
    if any(facet in votes and votes[facet].answers for facet in open_facets):
        torn = all(facet in votes and votes[facet].outcome is Outcome.CONFLICT for facet in open_facets)
        return Status.CONFLICT if torn else Status.SECOND_OPINION
    if move.item.status in (Status.NEW, Status.QUEUED):
        return move.item.status
    return Status.NEW if move.item.was_new else Status.QUEUED
