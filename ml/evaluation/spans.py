"""How well spans and the values they name are found. No torch.

Entities count as ``conlleval`` and seqeval count them: a predicted one is right when facet and both ends are. Values
count facet by facet of a product, one answer each, as the published figures of attribute extraction do.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """right: answers that are right; said: answers; due: what there is to find."""

    right: int = 0
    said: int = 0
    due: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.right + other.right, self.said + other.said, self.due + other.due)

    @property
    def precision(self) -> float:
        return self.right / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.due if self.due else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.said + self.due) if self.said + self.due else 0.0


def entities(labels: Sequence[str]) -> list[tuple[str, int, int]]:
    """``(kind, first, one past the last)`` of a BIO sequence such as ``["B-colour", "I-colour", "O"]``. As in
    ``conlleval``, an I that follows nothing of its kind begins an entity."""
    out: list[tuple[str, int, int]] = []
    kind, begin = "", 0
    for at, label in enumerate([*labels, "O"]):
        mark, _, name = label.partition("-")
        goes_on = mark == "I" and name == kind
        if kind and not goes_on:
            out.append((kind, begin, at))
        if not goes_on:
            kind, begin = ("" if mark == "O" else name), at
    return out


def entity_scores(
    gold: Sequence[Collection[tuple[str, *tuple[Hashable, ...]]]],
    answered: Sequence[Collection[tuple[str, *tuple[Hashable, ...]]]],
) -> dict[str, Counts]:
    """Counts of each kind (an entity's first item) and, as ``micro``, of all; of one collection of entities a text."""
    out: dict[str, Counts] = {"micro": Counts()}
    for due, said in zip(gold, answered, strict=True):
        for kind in {e[0] for e in (*due, *said)}:
            mine, theirs = {e for e in said if e[0] == kind}, {e for e in due if e[0] == kind}
            counted = Counts(len(mine & theirs), len(mine), len(theirs))
            out[kind] = out.get(kind, Counts()) + counted
            out["micro"] = out["micro"] + counted
    return out


def macro_f1(scores: Mapping[str, Counts]) -> float:
    """The mean F1 of the kinds of :func:`entity_scores`."""
    kinds = [counts.f1 for kind, counts in scores.items() if kind != "micro"]
    return sum(kinds) / len(kinds) if kinds else 0.0


@dataclass(frozen=True, slots=True)
class ValueScores:
    """listed: over the facets that the annotators listed for a product (the published count: an answer for another facet
    is ignored); strict: such answers are wrong; seen, unseen: strict, by whether the value (the right one, or the answer
    where nothing was to be found) was among those known before."""

    listed: Counts
    strict: Counts
    seen: Counts
    unseen: Counts

    def __add__(self, other: ValueScores) -> ValueScores:
        return ValueScores(*(getattr(self, n) + getattr(other, n) for n in ("listed", "strict", "seen", "unseen")))


def value_scores(
    gold: Sequence[Mapping[str, Collection[str]]],
    answered: Sequence[Mapping[str, str]],
    known: Collection[tuple[str, str]],
) -> ValueScores:
    """gold: facet to its values (any of them is right), answered: facet to one value, of each product.
    known: (facet, folded value) seen before. Texts are compared as they are."""
    total = ValueScores(Counts(), Counts(), Counts(), Counts())
    for due, said in zip(gold, answered, strict=True):
        for facet in {*due, *said}:
            values, answer = due.get(facet, ()), said.get(facet)
            one = Counts(int(answer in values), int(answer is not None), int(bool(values)))
            old = any((facet, v.casefold()) in known for v in (values or [answer or ""]))
            total = total + ValueScores(
                one if values else Counts(), one, one if old else Counts(), Counts() if old else one
            )
    return total
