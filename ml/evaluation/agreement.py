"""How far several people agree beyond chance: Cohen's kappa for a pair, Krippendorff's alpha for any number of them.

Answers are sets of tags (one tag, several, or none); whoever did not answer is left out, so that not everybody need
have answered everything.

Sources: J. Cohen, "A coefficient of agreement for nominal scales" (1960); K. Krippendorff, "Computing Krippendorff's
alpha-reliability" (2011); R. Passonneau, "Measuring agreement on set-valued items (MASI)" (LREC 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Distance = Callable[[Sequence[frozenset[Hashable]]], Matrix]

SUBSET, OVERLAP = 2 / 3, 1 / 3
"""MASI's weights where one set holds the other, and where they only overlap."""


def nominal(values: Sequence[frozenset[Hashable]]) -> Matrix:
    """0 on the diagonal, 1 elsewhere; ``values`` are distinct. Shape (k, k)."""
    return 1.0 - np.eye(len(values))


def masi(values: Sequence[frozenset[Hashable]]) -> Matrix:
    """One minus Jaccard's index times how far the sets are of one kind; two empty sets are equal. Shape (k, k)."""
    tags = {tag: place for place, tag in enumerate({tag for value in values for tag in value})}
    holds = np.zeros((len(values), max(len(tags), 1)))
    for row, value in enumerate(values):
        holds[row, [tags[tag] for tag in value]] = 1.0
    shared = holds @ holds.T
    sizes = holds.sum(axis=1)
    union = sizes[:, None] + sizes[None, :] - shared
    smaller = np.minimum(sizes[:, None], sizes[None, :])
    equal = shared == union  # true of two empty sets as well
    weight = np.where(equal, 1.0, np.where(shared == smaller, SUBSET, np.where(shared > 0, OVERLAP, 0.0)))
    jaccard = np.where(union > 0, shared / np.where(union > 0, union, 1.0), 1.0)
    return np.asarray(1.0 - jaccard * weight, dtype=np.float64)


def krippendorff_alpha(units: Sequence[Mapping[Any, frozenset[Any]]], distance: Distance = masi) -> float | None:
    """``units``: for each product, reviewer to answer; units with fewer than two answers say nothing and are left out.

    1 is perfect agreement, 0 is chance, below 0 is worse. None where nobody can be compared, or where there is only one
    answer throughout (nothing varies, so chance cannot be told from agreement).
    """
    pairable = [list(unit.values()) for unit in units if len(unit) > 1]
    values = list(dict.fromkeys(value for unit in pairable for value in unit))
    if len(values) < 2:
        return None
    place = {value: row for row, value in enumerate(values)}
    apart = distance(values)
    coincidences = np.zeros_like(apart)
    for unit in pairable:
        rows = np.bincount([place[value] for value in unit], minlength=len(values)).astype(np.float64)
        present = np.flatnonzero(rows)
        some = rows[present]
        # every ordered pair of two different people's answers to this unit
        pairs = np.outer(some, some) - np.diag(some)
        coincidences[np.ix_(present, present)] += pairs / (len(unit) - 1)
    totals = coincidences.sum(axis=1)
    n = totals.sum()
    observed = float((coincidences * apart).sum() / n)
    expected = float(((np.outer(totals, totals) - np.diag(totals)) * apart).sum() / (n * (n - 1)))
    return None if expected == 0 else 1.0 - observed / expected


def cohen_kappa(first: Sequence[Hashable | None], second: Sequence[Hashable | None]) -> float | None:
    """Of two people's answers to the same products, in the same order; None where one did not answer.

    None where they share no product, or where both always gave one and the same answer (0 divided by 0).
    """
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if not both:
        return None
    labels = {label: place for place, label in enumerate(dict.fromkeys(label for pair in both for label in pair))}
    table = np.zeros((len(labels), len(labels)))
    for a, b in both:
        table[labels[a], labels[b]] += 1
    table /= len(both)
    expected = float(table.sum(axis=1) @ table.sum(axis=0))
    return None if expected == 1.0 else (float(np.trace(table)) - expected) / (1.0 - expected)
