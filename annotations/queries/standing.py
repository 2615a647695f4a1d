"""What stands: the fold of decisions. Pure functions first, then the same over the database.

The fold is the only place that says what decisions add up to. The verbs use it for what they touch,
``rebuild_standing_tags`` for everything, and the property tests against a naive replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import UUID

from annotations.models import Catalogue, Decision, FacetCompletion, ProductTag, Reason, Verdict, Voice

PUBLIC = (Voice.ALONE, Voice.AGREED)
"""The voices that say what stands."""
STATE_OF = {Verdict.ACCEPT: "approved", Verdict.ADD: "approved", Verdict.REJECT: "rejected", Verdict.REMOVE: ""}


@dataclass(frozen=True, slots=True)
class Fact:
    """One decision, as much of it as the fold looks at. ``tag`` is None where a facet was completed."""

    id: UUID
    seq: int
    product: int
    facet: int
    tag: int | None
    verdict: str
    undoes: UUID | None = None
    reason: str = ""
    reviewer: int = 0
    voice: str = Voice.ALONE
    wanted: int = 1

    @classmethod
    def of(cls, decision: Decision) -> Fact:
        return cls(
            decision.id, decision.seq, decision.product_id, decision.facet_id, decision.tag_id, decision.verdict,
            decision.undoes_id, decision.reason, decision.reviewer_id, decision.voice, decision.wanted,
        )  # fmt: skip


def effective(facts: Iterable[Fact]) -> list[Fact]:
    """Those that count, in seq order, undos left out.

    A decision counts unless an undo that itself counts points at it; so an undone undo (a redo) brings it back.
    """
    ordered = sorted(facts, key=lambda f: f.seq)
    cancelled: set[UUID] = set()
    kept = []
    for fact in reversed(ordered):  # an undo always comes after what it undoes
        if fact.id in cancelled:
            continue
        if fact.verdict == Verdict.UNDO:
            if fact.undoes is not None:
                cancelled.add(fact.undoes)
        else:
            kept.append(fact)
    return kept[::-1]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of one product: tag to (state, decision), completed facet to decision. ``doubted`` are tags of which
    the last word is that they are ambiguous: they want a second opinion."""

    tags: dict[int, tuple[str, UUID]]
    complete: dict[int, UUID]
    doubted: set[int] = field(default_factory=set)


def fold(facts: Iterable[Fact]) -> Standing:
    """The last word on each tag and facet of one product wins. Votes and gold answers have none (panels.py)."""
    standing = Standing({}, {})
    for fact in effective(facts):
        if fact.voice in PUBLIC:
            apply(fact, standing)
    return standing


def apply(fact: Fact, standing: Standing) -> None:
    """Let a fact that is no undo have the last word. An undo cannot be applied by itself: fold the whole log."""
    if fact.verdict == Verdict.COMPLETE:
        standing.complete[fact.facet] = fact.id
    elif fact.verdict == Verdict.REOPEN:
        standing.complete.pop(fact.facet, None)
    elif fact.tag is not None:
        state = STATE_OF[Verdict(fact.verdict)]
        if state:
            standing.tags[fact.tag] = (state, fact.id)
        else:
            standing.tags.pop(fact.tag, None)
        if fact.reason == Reason.AMBIGUOUS:
            standing.doubted.add(fact.tag)
        else:
            standing.doubted.discard(fact.tag)


def facts_of(product_ids: Sequence[int]) -> dict[int, list[Fact]]:
    """Every decision about these products, by product. One query."""
    found: dict[int, list[Fact]] = {pk: [] for pk in product_ids}
    for decision in Decision.objects.filter(product__in=product_ids).only(*COLUMNS):
        found[decision.product_id].append(Fact.of(decision))
    return found


COLUMNS = ("id", "seq", "product_id", "facet_id", "tag_id", "verdict", "undoes_id", "reviewer_id", "voice", "wanted",
           "reason")  # fmt: skip


def replay(catalogue: Catalogue) -> Iterator[tuple[int, Standing]]:
    """(product id, what should stand) for every product with decisions; memory holds one product at a time."""
    rows = catalogue.decisions.order_by("product_id", "seq").only(*COLUMNS).iterator(chunk_size=5000)  # type: ignore[attr-defined]
    for product_id, decisions in groupby(rows, key=lambda d: d.product_id):
        yield product_id, fold(Fact.of(d) for d in decisions)


def differences(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Where the projections and the replay disagree: product, tag or facet, what is there, what should be."""
    tags = {
        (p, t): (s, d)
        for p, t, s, d in ProductTag.objects.filter(product__catalogue=catalogue).values_list(
            "product_id", "tag_id", "state", "decision_id"
        )
    }
    complete = {
        (p, f): d
        for p, f, d in FacetCompletion.objects.filter(product__catalogue=catalogue).values_list(
            "product_id", "facet_id", "decision_id"
        )
    }
    found: list[dict[str, Any]] = []
    for product, standing in replay(catalogue):
        for tag, should in standing.tags.items():
            if (there := tags.pop((product, tag), None)) != should:
                found.append({"product": product, "tag": tag, "there": there and there[0], "should": should[0]})
        for facet, decision in standing.complete.items():
            if complete.pop((product, facet), None) != decision:
                found.append({"product": product, "facet": facet, "there": None, "should": "complete"})
    found += [{"product": p, "tag": t, "there": s, "should": None} for (p, t), (s, _) in tags.items()]
    found += [{"product": p, "facet": f, "there": "complete", "should": None} for p, f in complete]
    return found
