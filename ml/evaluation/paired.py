"""What paired comparisons are made of: answers of two models, intervals, and families drawn with replacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHUNK = 2**22  # family weights held at a time


@dataclass(frozen=True)
class Answers:
    """What a model says of each product and column: ``scores`` float ``(n, columns)``, ``chosen`` bool of that shape."""

    scores: np.ndarray
    chosen: np.ndarray


@dataclass(frozen=True)
class Interval:
    """``value`` on the products as they are, and the interval that holds it with the confidence asked for."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Side:
    """One model on one facet (or overall)."""

    precision: Interval
    recall: Interval
    f1: Interval


def interval(value: float, sampled: np.ndarray, tail: float) -> Interval:
    """Percentiles ``tail`` and ``1 - tail`` of what was drawn (Efron 1979)."""
    low, high = np.quantile(sampled, [tail, 1 - tail])
    return Interval(round(float(value), 6), round(float(low), 6), round(float(high), 6))


def resampled(counts: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """``(draws, k)``: column sums of ``counts`` ``(n, k)`` over n rows drawn with replacement, ``draws`` times.

    The same n, draws and seed draw the same rows, so that sums of different counts are paired.
    """
    n = len(counts)
    rng = np.random.default_rng(seed)
    out = np.empty((draws, counts.shape[1]))
    size = max(1, CHUNK // n)
    for start in range(0, draws, size):
        stop = min(start + size, draws)
        picks = rng.integers(0, n, (stop - start, n)) + np.arange(stop - start)[:, None] * n
        weights = np.bincount(picks.ravel(), minlength=(stop - start) * n).reshape(-1, n)
        out[start:stop] = weights @ counts
    return out


def precision_recall_f1(counts: np.ndarray) -> np.ndarray:
    """``(..., 3)`` precision, recall, F1 of ``(..., 3)`` hits, chosen, right; 0 where there is nothing to divide by."""
    hit, picked, right = counts[..., 0], counts[..., 1], counts[..., 2]

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        out: np.ndarray = np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)
        return out

    return np.stack([share(hit, picked), share(hit, right), share(2 * hit, picked + right)], axis=-1)
