"""What is known about tags beside the products: relations, as constraints on probabilities; and relations learned.

Constraints that the taxonomy's owner wrote (:meth:`Relations.of`): a tag allowed in some categories only, tags that
imply the ones above them, tags that exclude one another. They hold of every answer, so probabilities are made to agree
with them: ``P(parent) >= P(child)``, ``P(a) + P(b) <= 1`` (coherence in the sense of Giunchiglia and Lukasiewicz 2020,
"Coherent hierarchical multi-label classification networks"). Relations that decisions alone speak for are
:func:`learn`\\ ed, with the numbers behind them, for a person to accept. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.stats import beta

from ml.schema import Schema, below

Kind = Literal["implies", "excludes", "category", "together"]
LEAST = 20  # products with a tag, below which nothing is learned about it
EXPECTED = 10.0  # products that would have both by chance, below which their absence says nothing
SURE = 0.95  # the lower bound of a share from which it counts as always
LIFT = 3.0  # times more often together than by chance, from which two tags are told to come together
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Relations:
    """Over the columns of a schema.

    implied: (column, column above it), nearest children first; apart: pairs of columns that never stand together
    """

    schema: Schema
    implied: tuple[tuple[int, int], ...] = ()
    apart: tuple[tuple[int, int], ...] = ()
    categories: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, schema: Schema) -> Relations:
        """Those that the schema states. A single-choice facet's own exclusions are left to its softmax."""
        implied: list[tuple[int, int]] = []
        apart: set[tuple[int, int]] = set()
        for facet in schema.facets:
            columns = schema.facet_columns[facet.slug]
            for column, tag in zip(columns, facet.tags, strict=True):
                parent = schema.column(facet.slug, tag.parent) if tag.parent else None
                if facet.implied_parents and parent is not None and parent != column:
                    implied.append((column, parent))
                others = [schema.column(*pair) for pair in tag.not_with]
                if tag.exclusive and not facet.single:
                    others += [c for c in columns if c != column]
                apart |= {(min(column, o), max(column, o)) for o in others if o is not None and o != column}
        return cls(
            schema, _children_first(implied), tuple(sorted(apart)), tuple(t.categories for t in schema.tag_specs)
        )

    @cached_property
    def empty(self) -> bool:
        return not (self.implied or self.apart or any(self.categories))

    def allowed(self, category: str) -> np.ndarray:
        """``(T,)`` bool: the tag may stand on a product of the category."""
        if not any(self.categories):
            return np.ones(len(self.schema.columns), dtype=bool)
        return np.array([below(category, prefixes) for prefixes in self.categories], dtype=bool)

    def constrain(self, p: np.ndarray, categories: Sequence[str]) -> np.ndarray:
        """``(n, T)`` probabilities that agree with every relation; ``p`` itself where there is none.

        What is not allowed gets 0. A tag is at least as likely as what implies it. Of two that exclude one another the
        less likely gives way. Constraining twice is constraining once.
        """
        if self.empty:
            return p
        out = np.array(p, copy=True)
        if any(self.categories):
            lines = {category: self.allowed(category) for category in set(categories)}
            out *= np.array([lines[category] for category in categories])
        for child, parent in self.implied:
            np.maximum(out[:, parent], out[:, child], out=out[:, parent])
        for a, b in self.apart:
            first = out[:, a] >= out[:, b]
            out[:, b] = np.where(first, np.minimum(out[:, b], 1 - out[:, a]), out[:, b])
            out[:, a] = np.where(first, out[:, a], np.minimum(out[:, a], 1 - out[:, b]))
        for child, parent in reversed(self.implied):  # what gave way takes along what implies it
            np.minimum(out[:, child], out[:, parent], out=out[:, child])
        return out

    def settle(self, chosen: np.ndarray, p: np.ndarray) -> np.ndarray:
        """``chosen`` ``(n, T)`` bool without what breaks a relation, given constrained probabilities.

        Of two that exclude one another the likelier stays (the first where they are alike), with what it implies; a tag
        that stays brings along what it implies. What is not allowed in a category has probability 0 and is not chosen.
        """
        if self.empty:
            return chosen
        out = chosen & (p > 0)
        for child, parent in self.implied:
            out[:, parent] |= out[:, child]
        for a, b in self.apart:
            clash = out[:, a] & out[:, b]
            first = p[:, a] >= p[:, b]
            out[:, b] &= ~(clash & first)
            out[:, a] &= ~(clash & ~first)
        for child, parent in reversed(self.implied):
            out[:, child] &= out[:, parent]
        return out

    def breaks(self, chosen: np.ndarray, categories: Sequence[str]) -> int:
        """How many relations the decisions ``(n, T)`` bool go against."""
        lines = np.array([self.allowed(category) for category in categories]).reshape(chosen.shape)
        found = int((chosen & ~lines).sum())
        found += sum(int((chosen[:, child] & ~chosen[:, parent]).sum()) for child, parent in self.implied)
        return found + sum(int((chosen[:, a] & chosen[:, b]).sum()) for a, b in self.apart)


def _children_first(implied: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """So that one pass carries a probability to the top. A tag that stands above itself is let go."""
    above = dict(implied)

    def height(column: int) -> int:
        steps, seen = 0, {column}
        while (column := above.get(column, -1)) >= 0 and column not in seen:
            seen.add(column)
            steps += 1
        return steps

    return tuple(sorted(implied, key=lambda pair: -height(pair[0])))


@dataclass(frozen=True, slots=True)
class Learned:
    """A relation that decisions speak for: ``first`` implies, excludes or often comes with ``second``, or ``first`` is
    only found in ``categories``.

    both of n: products that have both (for a category: that have the tag there), of those that have ``first``;
    expected: how many would by chance; share: the lower bound of ``both / n`` (Clopper and Pearson 1934)
    """

    kind: Kind
    first: int
    second: int = -1
    categories: tuple[str, ...] = ()
    both: int = 0
    n: int = 0
    expected: float = 0.0
    share: float = 0.0


def learn(schema: Schema, y: np.ndarray, known: np.ndarray, categories: Sequence[str]) -> list[Learned]:
    """What ``y`` and ``known`` ``(n, T)`` say about pairs of tags and about tags and top categories, strongest first.

    Only products count on which both tags are known. Implications and tags that come together are told across facets
    and inside multi-choice ones; exclusions too (those of a single-choice facet are its own).
    """
    right = ((y > 0.5) & known).astype(np.float32)
    seen = known.astype(np.float32)
    both = right.T @ right  # products with both
    has = right.T @ seen  # [a, b]: with a, where b is known
    total = seen.T @ seen
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(total > 0, has * has.T / np.maximum(total, 1), 0.0)
    alone = {c for f in schema.facets if f.single for c in schema.facet_columns[f.slug]}
    facet_of = np.array([n for n, f in enumerate(schema.facets) for _tag in f.tags])
    support = np.diag(both)
    found: list[Learned] = []
    frequent = np.flatnonzero(support >= LEAST)
    for a in frequent.tolist():
        for b in frequent.tolist():
            if a == b or (facet_of[a] == facet_of[b] and a in alone):
                continue
            n, k, chance = int(has[a, b]), int(both[a, b]), float(expected[a, b])
            if a < b and k == 0 and chance >= EXPECTED:
                found.append(Learned("excludes", a, b, both=0, n=n, expected=chance))
            elif n >= LEAST and k > chance * LIFT / 2 and (share := _at_least(k, n)) >= SURE:
                found.append(Learned("implies", a, b, both=k, n=n, expected=chance, share=share))
            elif a < b and k >= LEAST and k >= LIFT * chance:
                found.append(Learned("together", a, b, both=k, n=n, expected=chance, share=_at_least(k, n)))
    found += _categories(right, seen, categories, frequent.tolist())
    order = {"implies": 0, "excludes": 1, "category": 2, "together": 3}
    return sorted(found, key=lambda r: (order[r.kind], -abs(r.expected - r.both), r.first, r.second))


def _at_least(k: int, n: int) -> float:
    return float(beta.ppf(1 - CONFIDENCE, k, n - k + 1)) if k else 0.0


def _categories(
    right: np.ndarray, seen: np.ndarray, categories: Sequence[str], columns: Sequence[int]
) -> list[Learned]:
    """Tags that stand in some top categories alone, where chance would have put EXPECTED of them into the others."""
    tops = np.array([category.split("/")[0] for category in categories])
    names = sorted(set(tops.tolist()) - {""})
    found = []
    for column in columns:
        n = int(right[:, column].sum())
        rate = n / max(float(seen[:, column].sum()), 1.0)
        at = {name: int(right[tops == name, column].sum()) for name in names}
        elsewhere = [name for name in names if not at[name]]
        chance = rate * float(sum(seen[tops == name, column].sum() for name in elsewhere))
        here = tuple(name for name in names if at[name])
        if here and chance >= EXPECTED and not right[tops == "", column].any():
            found.append(Learned("category", column, categories=here, both=n, n=n, expected=chance))
    return found


def as_relations(schema: Schema, learned: Sequence[Learned], kinds: Sequence[Kind]) -> Relations:
    """Learned relations used as if somebody had accepted them."""
    limits = {r.first: r.categories for r in learned if r.kind == "category" and "category" in kinds}
    return Relations(
        schema,
        _children_first([(r.first, r.second) for r in learned if r.kind == "implies" and "implies" in kinds]),
        tuple((r.first, r.second) for r in learned if r.kind == "excludes" and "excludes" in kinds),
        tuple(limits.get(c, ()) for c in range(len(schema.columns))),
    )


class Together:
    """Co-occurrence as a feature: how likely the other facets' tags make a tag, added to its log odds.

    Pointwise mutual information (Church and Hanks 1990) from counts with ``prior`` products of independence mixed in,
    weighed by the probability of each other tag; ``weight`` 0 changes nothing.
    """

    def __init__(self, schema: Schema, y: np.ndarray, known: np.ndarray, *, prior: float = 5.0) -> None:
        right, seen = ((y > 0.5) & known).astype(np.float64), known.astype(np.float64)
        both, has, total = right.T @ right, right.T @ seen, np.maximum(seen.T @ seen, 1.0)
        expected = has * has.T / total
        scale = prior * expected / np.maximum(expected + prior, 1e-9)
        self._information = np.log((both + scale + 1e-9) / (expected + scale + 1e-9))
        facet_of = np.array([n for n, f in enumerate(schema.facets) for _tag in f.tags])
        self._information[facet_of[:, None] == facet_of[None, :]] = 0.0
        self._information[expected < 1.0] = 0.0
        self._base = right.sum(0) / np.maximum(seen.sum(0), 1.0)

    def adjust(self, p: np.ndarray, weight: float) -> np.ndarray:
        """``(n, T)`` probabilities with the others taken into account."""
        if weight == 0:
            return p
        q = np.clip(p, 1e-6, 1 - 1e-6)
        shift = np.clip((q - self._base) @ self._information, -4.0, 4.0)
        z = np.log(q) - np.log1p(-q) + weight * shift
        return np.where(p > 0, 1 / (1 + np.exp(-z)), 0.0)
