"""Is what comes now unlike what came before? One permutation test for shares, tag frequencies and embeddings alike.

Each unit (a family of products) has a vector, the mean of its products'; what is compared is the mean of the recent units
with the mean of those before. Under no change it does not matter which units are the recent ones, so that drawing others in their place says
how far apart the means are by chance (Fisher 1935): exact whatever the distribution, and families are kept whole because
variants of one article are no independent evidence. Pure numpy.

That holds for vectors which have not learned from one side alone. An encoder or head that was fitted on what was before
finds anything new unlike it; what to look through instead is :mod:`ml.evaluation.yardstick`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

FIRST, MOST = 1000, 20_000  # draws: at once, and where the first hardly reached what was seen
ENOUGH = 20  # draws beyond what was seen, after which more would change nothing
CHUNK = 2**22  # cells of a matrix of draws held at a time
ALPHA = 0.01  # of a look: five looks in a row without a change are silent in 95 % of cases


@dataclass(frozen=True)
class Shift:
    """``distance`` between the means over families (Euclidean), ``p`` of one at least so large by chance; families on both
    sides."""

    distance: float
    p: float
    before: int
    recent: int


def shift(
    before: np.ndarray,
    recent: np.ndarray,
    families_before: Sequence[str],
    families_recent: Sequence[str],
    *,
    seed: int = 0,
) -> Shift:
    """``before`` ``(n, d)`` and ``recent`` ``(m, d)``: a row a product (or a decision). A family on both sides is left to
    the recent one. Raises ValueError where either has none."""
    return shifts({"": (before, recent)}, families_before, families_recent, seed=seed)[""]


def shifts(
    views: Mapping[str, tuple[np.ndarray, np.ndarray]],
    families_before: Sequence[str],
    families_recent: Sequence[str],
    *,
    seed: int = 0,
    most: int = MOST,
) -> dict[str, Shift]:
    """As ``shift``, of several views of the same products, through the same draws: at most ``most``, so that no ``p`` is
    below its inverse."""
    known = set(families_recent)
    kept = [row for row, family in enumerate(families_before) if family not in known]
    names = [*(families_before[row] for row in kept), *families_recent]
    numbers: dict[str, int] = {}
    family = np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
    total, late = len(numbers), len(known)
    if not late or late == total:
        raise ValueError(f"{total - late} families before and {late} recent ones: both are needed")
    counts = np.bincount(family, minlength=total)
    blocks = [
        np.concatenate([np.asarray(old)[kept], np.asarray(new)]).astype(np.float64) for old, new in views.values()
    ]
    starts = np.cumsum([0, *(block.shape[1] for block in blocks)])[:-1]
    means = np.zeros((total, sum(block.shape[1] for block in blocks)))
    np.add.at(means, family, np.concatenate(blocks, axis=1))
    means /= counts[:, None]
    everything = means.sum(0)

    def apart(weights: np.ndarray) -> np.ndarray:
        """``(draws, views)`` for ``(draws, families)`` of 0 and 1."""
        part = weights @ means
        gap = part / late - (everything - part) / (total - late)
        return np.asarray(np.sqrt(np.add.reduceat(gap**2, starts, axis=1)))

    truth = np.zeros((1, total))
    truth[0, total - late :] = 1
    seen = apart(truth)[0]
    rng, beyond, drawn = np.random.default_rng(seed), np.zeros(len(blocks), dtype=np.int64), 0
    size = max(1, CHUNK // total)
    while drawn < most and beyond.min() < ENOUGH:
        number = min(size, FIRST, most - drawn)
        weights = np.zeros((number, total))
        np.put_along_axis(weights, rng.random((number, total)).argpartition(late - 1, axis=1)[:, :late], 1.0, axis=1)
        beyond += (apart(weights) >= seen - 1e-12).sum(axis=0)
        drawn += number
    p = (1 + beyond) / (1 + drawn)
    return {name: Shift(float(seen[at]), float(p[at]), total - late, late) for at, name in enumerate(views)}


def draws_for(comparisons: int) -> int:
    """Enough that the least ``p`` of so many can be told of, within reason."""
    return min(max(MOST, round(2 * comparisons / ALPHA)), 10 * MOST)


def alarms(p_values: Sequence[float], alpha: float = ALPHA) -> list[bool]:
    """Which to tell of (p-values of one look), so that all together are wrong at most ``alpha`` of the time (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    told = [False] * len(p_values)
    for rank, at in enumerate(order):
        if p_values[at] > alpha / (len(p_values) - rank):
            break
        told[at] = True
    return told
