"""Several reviewers of one product: what their votes add up to. Pure functions of the log, as in standing.py.

A *vote* is a decision that counts only together with the others of its panel. A reviewer's votes on a facet, once
they have completed it, are their *answer*: the set of tags they approve. When as many answers as were wanted are in
and all are the same set, the panel agrees, and decisions in the voice ``agreed`` say so in the log; where two differ it
is a conflict, which a lead settles with decisions in the voice ``alone``. A facet that somebody completed alone is
settled, and votes change nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any
from uuid import UUID

from annotations.models import Answer, Catalogue, Decision, Reason, Verdict, Voice
from annotations.queries.standing import COLUMNS, STATE_OF, Fact, effective, fold

TEACHES = ("", Reason.WRONG_VALUE)


class Outcome(StrEnum):
    OPEN = "open"  # fewer answers than wanted
    AGREED = "agreed"
    CONFLICT = "conflict"
    SETTLED = "settled"  # by somebody who has the last word


@dataclass(slots=True)
class Ballot:
    """What one reviewer says about one facet: ``tags`` to (verdict's state, reason); ``complete`` once it is an answer,
    by the decision that made it one."""

    tags: dict[int, tuple[str, str]] = field(default_factory=dict)
    complete: UUID | None = None

    @property
    def approved(self) -> frozenset[int]:
        return frozenset(tag for tag, (state, _reason) in self.tags.items() if state == "approved")


@dataclass(slots=True)
class FacetPanel:
    """One facet of one product. ``agreed``: the decisions in which the panel's agreement is written down now."""

    wanted: int = 1
    ballots: dict[int, Ballot] = field(default_factory=dict)
    settled: bool = False
    agreed: list[Fact] = field(default_factory=list)

    @property
    def answers(self) -> dict[int, Ballot]:
        return {reviewer: ballot for reviewer, ballot in self.ballots.items() if ballot.complete is not None}

    @property
    def outcome(self) -> Outcome:
        if self.settled:
            return Outcome.SETTLED
        answers = self.answers
        if len(answers) < max(self.wanted, 1):
            return Outcome.OPEN
        same = len({ballot.approved for ballot in answers.values()}) == 1
        return Outcome.AGREED if same else Outcome.CONFLICT

    def verdicts(self) -> dict[int, tuple[str, str]]:
        """Tag to (verdict, reason), as the agreeing answers have it. A reason that does not teach weighs more; that a
        tag is ambiguous is no reason any more once another reviewer was sure."""
        reasons: dict[int, list[str]] = {}
        found: dict[int, tuple[str, str]] = {}
        for ballot in self.answers.values():
            for tag, (state, reason) in ballot.tags.items():
                if state == "approved":
                    found[tag] = (Verdict.ACCEPT, "")
                elif state == "rejected":
                    reasons.setdefault(tag, []).append(reason)
        for tag, given in reasons.items():
            sure = [reason for reason in given if reason != Reason.AMBIGUOUS]
            weighty = [reason for reason in sure if reason not in TEACHES]
            found[tag] = (Verdict.REJECT, (weighty or sure or given)[0])
        return found


def panels(facts: Iterable[Fact], voice: str = Voice.VOTE) -> dict[int, FacetPanel]:
    """The panel of each facet of one product that has votes (or, for the voice ``gold``, answers to known questions)."""
    found: dict[int, FacetPanel] = {}
    agreed: dict[int, list[Fact]] = {}
    counting = effective(facts)
    for fact in counting:
        if fact.voice == voice:
            panel = found.setdefault(fact.facet, FacetPanel())
            panel.wanted = max(panel.wanted, fact.wanted)
            ballot = panel.ballots.setdefault(fact.reviewer, Ballot())
            if fact.verdict == Verdict.COMPLETE:
                ballot.complete = fact.id
            elif fact.tag is not None:
                ballot.tags[fact.tag] = (STATE_OF[Verdict(fact.verdict)], fact.reason)
        elif fact.verdict == Verdict.REOPEN:  # asked anew: what was said before was said about something else
            found.pop(fact.facet, None)
            agreed.pop(fact.facet, None)
        elif fact.voice == Voice.AGREED:
            agreed.setdefault(fact.facet, []).append(fact)
    for facet in agreed.keys() - found.keys():
        found[facet] = FacetPanel()
    last_word = settled(counting)
    for facet, panel in found.items():
        panel.settled = facet in last_word
        panel.agreed = agreed.get(facet, [])
    return found


def settled(counting: Iterable[Fact]) -> set[int]:
    """Facets that somebody with the last word has completed, of facts that count in seq order."""
    found: set[int] = set()
    for fact in counting:
        if fact.verdict == Verdict.REOPEN:
            found.discard(fact.facet)
        elif fact.voice == Voice.ALONE and fact.verdict == Verdict.COMPLETE:
            found.add(fact.facet)
    return found


@dataclass(frozen=True, slots=True)
class Owed:
    """What the log still lacks about a facet: agreed decisions to take back, and ones to write (tag to verdict and
    reason; ``complete``: and that the facet is)."""

    facet: int
    take_back: tuple[Fact, ...] = ()
    write: tuple[tuple[int, str, str], ...] = ()
    complete: bool = False


def owed(facts: Sequence[Fact]) -> list[Owed]:
    """What must be appended so that the agreed decisions are those that the votes add up to; empty when they are.

    A panel's answer is the whole answer: what else stood approved in the facet is removed with it.
    """
    found = []
    for facet, panel in sorted(panels(facts).items()):
        if panel.outcome is Outcome.SETTLED:
            continue  # the last word was said: let what is written stand, under it
        complete = panel.outcome is Outcome.AGREED
        should = panel.verdicts() if complete else {}
        written = {f.tag: (f.verdict, f.reason) for f in panel.agreed if f.tag is not None and f.verdict != "remove"}
        done = any(f.verdict == Verdict.COMPLETE for f in panel.agreed)
        if (written, done) == (should, complete):
            continue
        taken = {fact.id for fact in panel.agreed}
        stood = fold(f for f in facts if f.id not in taken)
        of_facet = {f.tag for f in facts if f.facet == facet}
        displaced = [
            (tag, Verdict.REMOVE.value, "")
            for tag, (state, _by) in sorted(stood.tags.items())
            if complete and state == "approved" and tag in of_facet and tag not in should
        ]
        verdicts = [(tag, str(verdict), reason) for tag, (verdict, reason) in sorted(should.items())]
        found.append(Owed(facet, tuple(panel.agreed), (*verdicts, *displaced), complete))
    return found


def answers(facts: Sequence[Fact], voice: str = Voice.VOTE) -> dict[tuple[int, int], tuple[UUID, list[int]]]:
    """(reviewer, facet) to the decision that finished the answer and the tags it approves, sorted."""
    return {
        (reviewer, facet): (ballot.complete, sorted(ballot.approved))
        for facet, panel in panels(facts, voice).items()
        for reviewer, ballot in panel.answers.items()
        if ballot.complete is not None
    }


def differences(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Where what is kept beside the log disagrees with it: answers, and agreed decisions that votes do not add up to."""
    kept = {
        (product, reviewer, facet, voice): (decision, tags)
        for product, reviewer, facet, voice, decision, tags in Answer.objects.filter(catalogue=catalogue).values_list(
            "product_id", "reviewer_id", "facet_id", "voice", "decision_id", "tags"
        )
    }
    asked = Decision.objects.filter(catalogue=catalogue, voice__in=(Voice.VOTE, Voice.GOLD)).values("product")
    rows = Decision.objects.filter(catalogue=catalogue, product__in=asked).order_by("product_id", "seq").only(*COLUMNS)
    found: list[dict[str, Any]] = []
    for product, decisions in groupby(rows.iterator(chunk_size=5000), key=lambda d: d.product_id):
        facts = [Fact.of(decision) for decision in decisions]
        found += [{"product": product, "facet": debt.facet, "should": "agreement"} for debt in owed(facts)]
        for voice in (Voice.VOTE, Voice.GOLD):
            for (reviewer, facet), answer in answers(facts, voice).items():
                if kept.pop((product, reviewer, facet, voice), None) != answer:
                    found.append({"product": product, "facet": facet, "reviewer": reviewer, "should": "answer"})
    found += [{"product": p, "facet": f, "reviewer": r, "there": "answer"} for p, r, f, _voice in kept]
    return found
