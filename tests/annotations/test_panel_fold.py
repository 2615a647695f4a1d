"""What votes add up to, against a naive recount of whoever still stands by their answer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.models import Verdict, Voice
from annotations.queries import panels
from annotations.queries.standing import Fact, effective, fold

TAGS = {10: 1, 11: 1, 12: 1, 20: 2, 21: 2}  # tag to facet


@dataclass
class Log:
    """A log that is written as the verbs write it: after each event comes what it owes."""

    wanted: int
    facts: list[Fact] = field(default_factory=list)

    def add(self, facet: int, tag: int | None, verdict: str, undoes: uuid.UUID | None = None, **more) -> Fact:
        seq = len(self.facts) + 1
        fact = Fact(uuid.UUID(int=seq), seq, 1, facet, tag, verdict, undoes, **more)
        self.facts.append(fact)
        return fact

    def pay(self) -> None:
        for debt in panels.owed(list(self.facts)):
            for fact in debt.take_back:
                self.add(fact.facet, fact.tag, Verdict.UNDO, fact.id, voice=Voice.AGREED)
            for tag, verdict, reason in debt.write:
                self.add(debt.facet, tag, verdict, voice=Voice.AGREED, reason=reason)
            if debt.complete:
                self.add(debt.facet, None, Verdict.COMPLETE, voice=Voice.AGREED)

    def answered(self, reviewer: int, facet: int) -> bool:
        return (reviewer, facet) in panels.answers(self.facts)

    def vote(self, reviewer: int, facet: int, chosen: frozenset[int]) -> None:
        for tag, of in TAGS.items():
            if of == facet:
                verdict = Verdict.ACCEPT if tag in chosen else Verdict.REJECT
                self.add(facet, tag, verdict, reviewer=reviewer, voice=Voice.VOTE, wanted=self.wanted)
        self.add(facet, None, Verdict.COMPLETE, reviewer=reviewer, voice=Voice.VOTE, wanted=self.wanted)
        self.pay()

    def take_back(self, reviewer: int, facet: int) -> None:
        for fact in effective(self.facts):
            if fact.voice == Voice.VOTE and (fact.reviewer, fact.facet) == (reviewer, facet):
                self.add(facet, fact.tag, Verdict.UNDO, fact.id, reviewer=reviewer, voice=Voice.VOTE)
        self.pay()

    def settle(self, facet: int, chosen: frozenset[int]) -> None:
        for tag, of in TAGS.items():
            if of == facet:
                self.add(facet, tag, Verdict.ACCEPT if tag in chosen else Verdict.REJECT, reviewer=99)
        self.add(facet, None, Verdict.COMPLETE, reviewer=99)
        self.pay()

    def unsettle(self, facet: int) -> None:
        for fact in effective(self.facts):
            if fact.voice == Voice.ALONE and fact.facet == facet:
                self.add(facet, fact.tag, Verdict.UNDO, fact.id, reviewer=99)
        self.pay()


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["vote", "vote", "vote", "take_back", "settle", "unsettle"]),
        st.integers(1, 4),
        st.sampled_from([1, 2]),
        st.frozensets(st.sampled_from(list(TAGS)), max_size=2),
    ),
    max_size=14,
)


def play(wanted: int, events, write=Log.pay) -> tuple[Log, dict[int, frozenset[int] | None]]:
    """The log, and a naive recount: facet to the set that should stand approved (None: nothing is agreed)."""
    log = Log(wanted)
    said: dict[tuple[int, int], frozenset[int]] = {}
    settled: dict[int, frozenset[int]] = {}
    for kind, reviewer, facet, tags in events:
        chosen = frozenset(tag for tag in tags if TAGS[tag] == facet)
        if kind == "settle":
            log.settle(facet, chosen)
            settled[facet] = chosen
        elif kind == "unsettle":
            log.unsettle(facet)
            settled.pop(facet, None)
        elif facet in settled:
            continue  # the verbs refuse
        elif kind == "vote" and not log.answered(reviewer, facet):
            log.vote(reviewer, facet, chosen)
            said[reviewer, facet] = chosen
        elif kind == "take_back":
            log.take_back(reviewer, facet)
            said.pop((reviewer, facet), None)
    should: dict[int, frozenset[int] | None] = {}
    for facet in (1, 2):
        answers = [chosen for (_who, of), chosen in said.items() if of == facet]
        agree = len(answers) >= wanted and len(set(answers)) == 1
        should[facet] = settled.get(facet, answers[0] if agree else None)
    return log, should


def stands(log: Log) -> dict[int, frozenset[int] | None]:
    standing = fold(log.facts)
    approved = {tag for tag, (state, _by) in standing.tags.items() if state == "approved"}
    return {
        facet: frozenset(t for t in approved if TAGS[t] == facet) if facet in standing.complete else None
        for facet in (1, 2)
    }


@settings(max_examples=150)
@given(st.integers(2, 3), EVENTS)
def test_what_stands_is_what_the_panel_agrees_on(wanted: int, events) -> None:
    log, should = play(wanted, events)
    assert stands(log) == should
    assert panels.owed(log.facts) == []
    undone = [fact.undoes for fact in log.facts if fact.undoes]
    assert len(undone) == len(set(undone))  # the database allows one undo of a decision
    nothing_agreed = {t for t, (s, _by) in fold(log.facts).tags.items() if should[TAGS[t]] is None and s == "approved"}
    assert not nothing_agreed  # a vote by itself never stands


def test_control_a_fold_that_lets_votes_stand_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [("vote", 1, 1, frozenset({10})), ("vote", 2, 1, frozenset({11}))]
    log, should = play(2, events)
    assert should[1] is None and stands(log) == should
    monkeypatch.setattr("annotations.queries.standing.PUBLIC", tuple(Voice.values))
    assert stands(log) != should


def test_a_reason_that_does_not_teach_survives_the_agreement() -> None:
    log = Log(2)
    for reviewer, reason in ((1, ""), (2, "source_wrong")):
        log.add(1, 10, Verdict.REJECT, reviewer=reviewer, voice=Voice.VOTE, wanted=2, reason=reason)
        log.add(1, None, Verdict.COMPLETE, reviewer=reviewer, voice=Voice.VOTE, wanted=2)
        log.pay()
    agreed = [fact for fact in log.facts if fact.voice == Voice.AGREED and fact.tag == 10]
    assert [(fact.verdict, fact.reason) for fact in agreed] == [("reject", "source_wrong")]
