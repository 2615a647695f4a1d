"""The fold of decisions against a naive replay that keeps every state it has been in."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.queries.standing import Fact, fold

VERDICTS = ("accept", "reject", "add", "remove", "complete")


@st.composite
def logs(draw: st.DrawFn) -> list[Fact]:
    """A log of one product as people make it: verdicts, and undos of anything that counts at that moment."""
    facts: list[Fact] = []
    counting: set[uuid.UUID] = set()
    for seq in range(1, draw(st.integers(1, 25))):
        undoable = [f for f in facts if f.id in counting]
        identity = uuid.UUID(int=seq)
        if undoable and draw(st.booleans()):
            target = draw(st.sampled_from(undoable))
            facts.append(Fact(identity, seq, 1, target.facet, target.tag, "undo", target.id))
            counting.discard(target.id)
            if target.undoes is not None:
                counting.add(target.undoes)
        else:
            verdict = draw(st.sampled_from(VERDICTS))
            tag = draw(st.integers(0, 3))
            facts.append(Fact(identity, seq, 1, tag % 2, None if verdict == "complete" else tag, verdict))
        counting.add(identity)
    return facts


def naive(facts: list[Fact]) -> tuple[dict[int, str], set[int]]:
    """Walk the log again from the start for every decision, asking of each whether it counts in the end."""

    def counts(fact: Fact) -> bool:
        return not any(other.undoes == fact.id and counts(other) for other in facts)

    tags: dict[int, str] = {}
    complete: set[int] = set()
    for fact in facts:
        if not counts(fact) or fact.verdict == "undo":
            continue
        if fact.verdict == "complete":
            complete.add(fact.facet)
        elif fact.verdict == "remove":
            tags.pop(fact.tag, None)  # type: ignore[arg-type]
        else:
            tags[fact.tag] = "rejected" if fact.verdict == "reject" else "approved"  # type: ignore[index]
    return tags, complete


@pytest.mark.long
@given(logs())
def test_fold_equals_a_naive_replay(facts: list[Fact]) -> None:
    standing = fold(facts)
    tags, complete = naive(facts)
    assert {t: s for t, (s, _) in standing.tags.items()} == tags
    assert set(standing.complete) == complete


@given(logs(), st.randoms())
def test_the_order_in_which_facts_are_read_does_not_matter(facts: list[Fact], random) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(facts)


@given(logs())
def test_an_undo_gives_the_state_before(facts: list[Fact]) -> None:
    last = Fact(uuid.UUID(int=100), 100, 1, 0, 2, "accept")
    undo = Fact(uuid.UUID(int=101), 101, 1, 0, 2, "undo", last.id)
    redo = Fact(uuid.UUID(int=102), 102, 1, 0, 2, "undo", undo.id)
    assert fold([*facts, last, undo]) == fold(facts)
    assert fold([*facts, last, undo, redo]) == fold([*facts, last])


def test_control_a_fold_that_ignores_undos_is_caught() -> None:
    def broken(facts: list[Fact]) -> dict[int, str]:
        return {f.tag: "approved" for f in facts if f.verdict == "accept" and f.tag is not None}

    accept = Fact(uuid.UUID(int=1), 1, 1, 0, 2, "accept")
    undo = Fact(uuid.UUID(int=2), 2, 1, 0, 2, "undo", accept.id)
    with pytest.raises(AssertionError):
        assert broken([accept, undo]) == naive([accept, undo])[0]
