"""What several reviewers and known answers add to a save: in which voice it speaks, and what follows from it.

Called by ``decide.store`` inside its transaction, after the queue item's row was written: that row's lock lets the
last vote of a panel see all the others.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from annotations.actions.card import APPROVES, Card
from annotations.actions.errors import Refused
from annotations.models import (
    Answer,
    Catalogue,
    Decision,
    Facet,
    GoldItem,
    Input,
    Product,
    QueueItem,
    Tag,
    Turn,
    User,
    Verdict,
    Voice,
)
from annotations.queries import panels
from annotations.queries.standing import Fact, effective, fold

ON_SCREEN = (Input.KEY, Input.CLICK, Input.GRID, Input.API)
"""How a person decides who may be one of several; what a file or a policy brings in stands at once."""
GAP_CAP = timedelta(seconds=120)
"""Longer than this without a save is a pause. Between the 99th percentile of a decision and a coffee."""
PRIVATE = (Voice.VOTE, Voice.GOLD)


@dataclass(frozen=True, slots=True)
class Speaks:
    """``wanted``: how many reviewers the panel wants, where it is a vote."""

    voice: str = Voice.ALONE
    wanted: int = 1


def wanted_for(catalogue: Catalogue, item: QueueItem) -> int:
    """How many reviewers a product wants: the most that its queues or the catalogue ask for."""
    by_queue = catalogue.reviewers_by_queue
    asked = [catalogue.reviewers]
    if item.blind:
        asked.append(by_queue.get("blind", 1))
    if item.flagged:
        asked.append(by_queue.get("flagged", 1))
    if item.status == QueueItem.Status.SECOND_OPINION:
        asked.append(by_queue.get("second-opinion", 1))
    return max(asked)


def voices(
    catalogue: Catalogue, items: Mapping[int, QueueItem], before: Mapping[int, Sequence[Fact]], *,
    reviewer: User, how: str, settles: bool,
) -> dict[int, Speaks]:  # fmt: skip
    """In which voice the reviewer speaks about each product. A panel that began goes on as it began."""
    if settles or how not in ON_SCREEN:
        return dict.fromkeys(items, Speaks())
    gold = set(
        GoldItem.objects.filter(product__in=items, retired_at=None)
        .exclude(made_by=reviewer)
        .values_list("product_id", flat=True)
    )
    found = {}
    for product, item in items.items():
        votes = [fact.wanted for fact in effective(before[product]) if fact.voice == Voice.VOTE]
        wanted = max(votes) if votes else wanted_for(catalogue, item)
        if product in gold:
            found[product] = Speaks(Voice.GOLD)
        else:
            found[product] = Speaks(Voice.VOTE, wanted) if wanted > 1 else Speaks()
    return found


def said_before(facts: Sequence[Fact], speaks: Speaks, reviewer: User) -> dict[int, tuple[frozenset[int], str]]:
    """Facets on which this reviewer has no more to say: to the approved tags, and who has spoken ("own", "settled")."""
    if speaks.voice not in PRIVATE:
        return {}
    found: dict[int, tuple[frozenset[int], str]] = {}
    if speaks.voice == Voice.VOTE:
        settled = panels.settled(effective(facts))
        stands = fold(facts).tags
        approved = {f.tag for f in facts if f.tag is not None and stands.get(f.tag, ("",))[0] == "approved"}
        for facet in settled:
            found[facet] = (frozenset(f.tag for f in facts if f.facet == facet and f.tag in approved), "settled")  # type: ignore[misc]
    for (who, facet), (_by, tags) in panels.answers(facts, speaks.voice).items():
        if who == reviewer.pk:
            found[facet] = (frozenset(tags), "own")
    return found


def check_said(facet: Facet, tag: Tag, approves: bool, said: tuple[frozenset[int], str]) -> None:
    """Raises Refused where a choice contradicts what was said before and cannot be said again."""
    tags, who = said
    if approves == (tag.pk in tags):
        return
    if who == "own":
        message = _("You have given your answer on “%(facet)s”: undo it to give another.")
        raise Refused(message % {"facet": facet.label}, "answered", facet=facet.slug, tag=tag.slug)
    message = _("“%(facet)s” is settled: flag the product if it is wrong.")
    raise Refused(message % {"facet": facet.label}, "settled", facet=facet.slug, tag=tag.slug)


def unsaid(card: Card, facts: Sequence[Fact], speaks: Speaks, reviewer: User) -> Card:
    """The card without the facets on which the reviewer has no more to say. Raises Refused on another answer there."""
    said = said_before(facts, speaks, reviewer)
    for choice in card.choices:
        if choice.tag.facet_id in said:
            check_said(choice.tag.facet, choice.tag, choice.verdict in APPROVES, said[choice.tag.facet_id])
    return replace(
        card,
        choices=tuple(c for c in card.choices if c.tag.facet_id not in said),
        complete=tuple(f for f in card.complete if f.id not in said),
    )


def contradicting(
    cards: Sequence[Card], before: Mapping[int, Sequence[Fact]], speak: Mapping[int, Speaks], reviewer: User
) -> dict[int, Refused]:
    """Product to why its card cannot be said: the reviewer gave another answer before, or somebody has the last word."""
    found = {}
    for card in cards:
        try:
            unsaid(card, before[card.product.id], speak[card.product.id], reviewer)
        except Refused as refused:
            found[card.product.id] = refused
    return found


def with_agreement(rows: Sequence[Decision], before: Mapping[int, Sequence[Fact]]) -> list[Decision]:
    """The rows, and after them the decisions in which panels agree, or no longer do, because of them."""
    found = list(rows)
    by_product: dict[int, list[Decision]] = {}
    for row in rows:
        by_product.setdefault(row.product_id, []).append(row)
    for product, own in by_product.items():
        voices_heard = {fact.voice for fact in before[product]} | {row.voice for row in own}
        if Voice.VOTE not in voices_heard:
            continue
        last = max((fact.seq for fact in before[product]), default=0)
        facts = list(before[product])
        for seq, row in enumerate(own, start=last + 1):
            row.seq = seq  # until the catalogue's counter gives the true one
            facts.append(Fact.of(row))
        shown = {row.tag_id: row for row in own if row.verdict != Verdict.UNDO}
        for debt in panels.owed(facts):
            found += _agreed(debt, own[-1], shown)
    return found


def _agreed(debt: panels.Owed, by: Decision, shown: Mapping[int | None, Decision]) -> Iterable[Decision]:
    """Decisions by policy, in the name of whoever's vote made the difference."""

    def row(kind: str, verdict: str, facet: int, tag: int | None, undoes: uuid.UUID | None = None) -> Decision:
        claim = shown.get(tag) if tag else None
        return Decision(
            id=uuid.uuid5(by.batch, f"{kind}:{by.product_id}:{facet}:{tag}:{verdict}:{undoes}"),
            catalogue_id=by.catalogue_id, product_id=by.product_id, facet_id=facet, tag_id=tag, verdict=verdict,
            undoes_id=undoes, reviewer_id=by.reviewer_id, role=by.role, input=Input.POLICY, voice=Voice.AGREED,
            blind=by.blind, decided_at=by.decided_at, batch=by.batch, taxonomy_revision=by.taxonomy_revision,
            product_version=by.product_version,
            model_version_id=claim.model_version_id if claim else None,
            score_shown=claim.score_shown if claim else None,
            evidence_shown=claim.evidence_shown if claim else [],
            source=claim.source if claim else "",
        )  # fmt: skip

    for fact in debt.take_back:
        yield row("undo", Verdict.UNDO, fact.facet, fact.tag, fact.id)
    for tag, verdict, reason in debt.write:
        written = row("agreed", verdict, debt.facet, tag)
        written.reason = reason
        yield written
    if debt.complete:
        yield row("agreed", Verdict.COMPLETE, debt.facet, None)


def project_answers(
    product: Product, old: Sequence[Fact], new: Sequence[Fact], applicable: Collection[int], complete: Collection[int]
) -> set[int]:
    """Bring the product's answers up to date; returns the reviewers whose answers now cover every facet."""
    closed: set[int] = set()
    for voice in PRIVATE:
        had, has = panels.answers(old, voice), panels.answers(new, voice)
        if had == has:
            continue
        for reviewer, facet in had.keys() - has.keys():
            Answer.objects.filter(product=product, reviewer=reviewer, facet=facet, voice=voice).delete()
        for (reviewer, facet), (decision, tags) in has.items():
            answered = {f for who, f in has if who == reviewer}
            closes = set(applicable) <= answered | (set(complete) if voice == Voice.VOTE else set())
            if closes:
                closed.add(reviewer)
            if had.get((reviewer, facet)) != (decision, tags):
                Answer.objects.create(
                    catalogue_id=product.catalogue_id, product=product, facet_id=facet, reviewer_id=reviewer,
                    voice=voice, tags=tags, closes=closes, decision_id=decision,
                )  # fmt: skip
    return closed


def record_turns(catalogue: Catalogue, rows: Sequence[Decision]) -> None:
    """One turn for each product of a save that a person made; an undo marks or unmarks those it is about."""
    undone = [r for r in rows if r.verdict == Verdict.UNDO and r.voice != Voice.AGREED and r.input in ON_SCREEN]
    if undone:
        _mark(undone)
    own = [r for r in rows if r.verdict != Verdict.UNDO and r.voice != Voice.AGREED and r.input in ON_SCREEN]
    by_product: dict[int, list[Decision]] = {}
    for row in own:
        by_product.setdefault(row.product_id, []).append(row)
    if not by_product:
        return
    first = own[0]
    seconds = _active(catalogue, first.reviewer_id, first.shown_at, first.decided_at)
    share = None if seconds is None else seconds / len(by_product)
    Turn.objects.bulk_create(
        [
            Turn(
                catalogue=catalogue, product_id=product, reviewer_id=first.reviewer_id, batch=first.batch,
                voice=some[0].voice, input=first.input, blind=some[0].blind, shown_at=first.shown_at,
                decided_at=first.decided_at, active_seconds=share,
                accepted=sum(row.verdict == Verdict.ACCEPT for row in some),
                rejected=sum(row.verdict == Verdict.REJECT for row in some),
                added=sum(row.verdict == Verdict.ADD for row in some),
            )
            for product, some in by_product.items()
        ]
    )  # fmt: skip


def _active(catalogue: Catalogue, reviewer: int, shown_at: datetime | None, decided_at: datetime) -> float | None:
    last = (
        Turn.objects.filter(catalogue=catalogue, reviewer=reviewer)
        .order_by("-decided_at")
        .values_list("decided_at", flat=True)
        .first()
    )
    begun = max((moment for moment in (shown_at, last) if moment is not None), default=None)
    if begun is None:
        return None
    return max(0.0, min(decided_at - begun, GAP_CAP).total_seconds())


def _mark(undone: Sequence[Decision]) -> None:
    """Follow each undo to the first-hand batch at its root: its turns count or not, by the parity of the chain."""
    ends: dict[tuple[uuid.UUID, int], bool] = {}
    steps = {row.pk: (row.undoes_id, row.product_id, False) for row in undone}
    while steps:
        roots = Decision.objects.in_bulk([of for of, _p, _c in steps.values() if of is not None])
        ahead = {}
        for pk, (of, product, counts) in steps.items():
            root = roots[of] if of else None
            if root is None:
                continue
            if root.verdict == Verdict.UNDO:
                ahead[pk] = (root.undoes_id, product, not counts)
            else:
                ends[root.batch, product] = counts
        steps = ahead
    for counts in (True, False):
        batches = {batch for (batch, _p), value in ends.items() if value is counts}
        if batches:
            Turn.objects.filter(batch__in=batches).update(counts=counts)
