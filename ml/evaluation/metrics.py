"""Measures of tagging, with a mask: what nobody has said counts neither for nor against.

Everywhere: y, checked ``(n, T)`` 0 or 1 (what is right, what the model would check), known ``(n, T)`` bool, scores
``(n, T)`` probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ml.schema import Schema


@dataclass(frozen=True, slots=True)
class Counts:
    """right: checked and so; checked; positives: all that should have been."""

    right: float
    checked: float
    positives: float

    @property
    def precision(self) -> float:
        return self.right / self.checked if self.checked else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.positives if self.positives else 0.0

    @property
    def f1(self) -> float:
        total = self.checked + self.positives
        return 2 * self.right / total if total else 0.0

    def to_json(self) -> dict[str, float]:
        return {**asdict(self), "precision": self.precision, "recall": self.recall, "f1": self.f1}


def count(y: np.ndarray, checked: np.ndarray, known: np.ndarray) -> Counts:
    right = (y * checked * known).sum()
    return Counts(float(right), float((checked * known).sum()), float((y * known).sum()))


def micro(y: np.ndarray, checked: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 over all pairs together: the primary measure."""
    counts = count(y, checked, known)
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}


def per_tag(y: np.ndarray, checked: np.ndarray, known: np.ndarray, schema: Schema) -> list[dict[str, Any]]:
    """A row a tag that is right for some product or checked for some: facet, tag, counts, P, R, F1."""
    right, ticked, positives = ((a * known).sum(axis=0) for a in (y * checked, checked, y))
    return [
        {"facet": facet, "tag": tag, **Counts(float(right[c]), float(ticked[c]), float(positives[c])).to_json()}
        for c, (facet, tag) in enumerate(schema.columns)
        if positives[c] or ticked[c]
    ]


def per_facet(y: np.ndarray, checked: np.ndarray, known: np.ndarray, schema: Schema) -> list[dict[str, Any]]:
    """A row a facet that something is known of: counts, P, R, F1 over its tags together."""
    rows = []
    for facet, columns in schema.facet_columns.items():
        if known[:, columns].any():
            counts = count(y[:, columns], checked[:, columns], known[:, columns])
            rows.append({"facet": facet, **counts.to_json()})
    return rows


def macro(y: np.ndarray, checked: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """Means over the tags that are right for at least one product."""
    right, ticked, positives = ((a * known).sum(axis=0) for a in (y * checked, checked, y))
    return _means(right, ticked, positives)


def sample(y: np.ndarray, checked: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """Means over the products that have at least one right tag."""
    right, ticked, positives = ((a * known).sum(axis=1) for a in (y * checked, checked, y))
    return _means(right, ticked, positives)


def _means(right: np.ndarray, ticked: np.ndarray, positives: np.ndarray) -> dict[str, float]:
    there = positives > 0
    if not there.any():
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    right, ticked, positives = right[there], ticked[there], positives[there]
    return {
        "precision": float((right / np.maximum(ticked, 1)).mean()),
        "recall": float((right / positives).mean()),
        "f1": float((2 * right / (ticked + positives)).mean()),
    }


def average_precision(y: np.ndarray, scores: np.ndarray) -> float:
    """Of one ranking (flat arrays); equal scores share their places. NaN without a right one."""
    positives = y.sum()
    if positives == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    right, ordered = np.cumsum(y[order]), scores[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # last place of each run of equal scores
    gained = np.diff(np.concatenate([[0.0], right[ends]]))
    return float((gained * right[ends] / (ends + 1)).sum() / positives)


def mean_average_precision(y: np.ndarray, scores: np.ndarray, known: np.ndarray) -> float:
    """mAP over the tags that are right for at least one product and wrong for at least one."""
    found = []
    for column in range(y.shape[1]):
        rows = known[:, column]
        truth = y[rows, column]
        if 0 < truth.sum() < len(truth):
            found.append(average_precision(truth, scores[rows, column]))
    return float(np.mean(found)) if found else 0.0


def brier(y: np.ndarray, scores: np.ndarray, known: np.ndarray) -> float:
    """Mean squared distance of the score from the truth."""
    return float(((scores - y)[known] ** 2).mean()) if known.any() else 0.0


def expected_calibration_error(
    y: np.ndarray, scores: np.ndarray, known: np.ndarray, *, bins: int = 15, least: float = 0.0
) -> float:
    """ECE over bins of equal width: how far, on average, a score is from the share that is right.

    Most pairs of a large schema score next to nothing and are trivially calibrated; ``least`` leaves out scores below
    it (0.05 keeps what is suggested at all).
    """
    kept = known & (scores >= least)
    p, truth = scores[kept], y[kept]
    if not len(p):
        return 0.0
    which = np.minimum((p * bins).astype(int), bins - 1)
    number = np.bincount(which, minlength=bins)
    gap = np.abs(np.bincount(which, p, minlength=bins) - np.bincount(which, truth, minlength=bins))
    return float(gap.sum() / number.sum())


def best_f1(y: np.ndarray, scores: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """``(F1, threshold)`` of the one threshold that suits these very pairs best: an upper bound, for comparison."""
    p, truth = scores[known], y[known]
    if not truth.sum():
        return 0.0, 1.0
    order = np.argsort(-p, kind="stable")
    f1 = 2 * np.cumsum(truth[order]) / (np.arange(1, len(p) + 1) + truth.sum())
    best = int(f1.argmax())
    return float(f1[best]), float(p[order][best])


def family_bootstrap(
    families: Sequence[str],
    measure: Callable[[np.ndarray], float],
    *,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of a measure when whole families are drawn again with replacement.

    ``measure(rows)`` computes it on the rows given (with repeats); variants of one article are not independent, so
    products alone would give intervals that are too narrow.
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(families))}
    rows_of: list[list[int]] = [[] for _ in names]
    for row, family in enumerate(families):
        rows_of[names[family]].append(row)
    if not rows_of:
        return 0.0, 0.0
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        drawn = rng.integers(len(rows_of), size=len(rows_of))
        values.append(measure(np.concatenate([np.array(rows_of[d]) for d in drawn])))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def micro_f1_interval(
    y: np.ndarray, checked: np.ndarray, known: np.ndarray, families: Sequence[str], *, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of micro-F1 by families: product totals are summed once, so that a draw costs next to nothing."""
    right, ticked, positives = ((a * known).sum(axis=1) for a in (y * checked, checked, y))

    def measure(rows: np.ndarray) -> float:
        return Counts(float(right[rows].sum()), float(ticked[rows].sum()), float(positives[rows].sum())).f1

    return family_bootstrap(families, measure, draws=draws, seed=seed)
