"""What asking in this order has brought: the learning curve so far, and the one that random order would have drawn.

The blind slice is a random sample of the catalogue. Heads fitted on parts of it are the random curve, as far as it
reaches; from there on a power law is drawn through it, ``1 - F1 = a n^-b`` (Figueroa et al. 2012 for learning curves of
this kind). Heads fitted on the first n of all decisions are the curve so far. Both are measured on slice products that
the head has not seen, nor one of their families. Intervals are bootstraps over slice products, paired over all points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from ml.active.crossed import DRAWS, FOLDS, Crossed, Decisions, Fit, counts, folds, growth, known_already
from ml.evaluation.paired import Interval

LEAST = 12  # slice products below which nothing is measured
SHARES = (0.25, 0.5, 1.0)  # of the slice products left for fitting: the sizes of the random curve
SUBSETS = 3  # random subsets of each smaller size
USUAL, TRUST = 0.17, 0.05  # exponent of learning curves in random order before anything was measured: mean, spread
LUCK = 0.37  # of a measured point's log error over one product; with n of them that much over sqrt(n)
FAR = 8.0  # times the decisions so far: no forecast was measured so far on
AHEAD, LEAST_AHEAD = 0.2, 20  # a fifth more decisions, at least 20: how far `next` looks
MOST_SAVED = 3.0  # times the decisions so far: no more than so many are ever said to be saved


@dataclass(frozen=True)
class Point:
    """F1 after so many decisions; ``measured`` False where it is drawn on by the power law."""

    decisions: int
    f1: Interval
    measured: bool = True


@dataclass(frozen=True)
class Proof:
    """actual: the curve so far; random: what random order would have given; gain: points of F1 between them now;
    saved: decisions that random order would have needed more than were made, to be where the actual curve is now.
    ``worse`` is the chance that the gain is below 0. ``next``: points of F1 that ``ahead`` more decisions would bring
    (:func:`ml.active.crossed.growth`). ``known``: how often random order would ask what is known already as much as was
    asked (:func:`ml.active.crossed.known_already`)."""

    slice: int
    decisions: int
    actual: tuple[Point, ...]
    random: tuple[Point, ...]
    gain: Interval
    saved: Interval
    worse: float
    ahead: int
    next: Interval
    known: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def remaining(self, target: float) -> float:
        """Decisions from now until the actual curve is at ``target``, if each doubling brings as much as the last did, as
        ``next`` has it; 0 when it is there, infinity where it would take more than FAR times the decisions. Too few where
        the curve levels off.
        """
        now = self.actual[-1].f1.value
        if now >= target:
            return 0.0
        last = self.next.value / 100 / np.log2(1 + self.ahead / self.decisions)  # what the last doubling brought
        doublings = (target - now) / max(last, 1e-9)
        return float(self.decisions * (2**doublings - 1)) if doublings <= np.log2(FAR) else float("inf")


def prove(
    decisions: Decisions,
    *,
    points: int = 6,
    seed: int = 0,
    level: float = 0.95,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> Proof | None:
    """None while the slice is too small to measure anything on.

    points: how many the actual curve gets. step: told how many folds are done, of how many; what it raises goes through.
    """
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(decisions.random)
    if len(rows) < LEAST or not (decisions.y[rows] * decisions.known[rows]).any():
        return None
    total = len(decisions.y)
    fold = folds([decisions.families[r] for r in rows.tolist()], rng)
    left = int(np.mean([(fold != f).sum() for f in range(FOLDS)]))
    sizes = sorted({max(int(left * share), 2) for share in SHARES})
    stages = sorted({max(int(total * (i + 1) / points), 2) for i in range(points)})
    tests = rows[fold >= 0]
    table = np.zeros((len(sizes) + len(stages), len(tests), 3))
    sums = [[np.zeros((len(tests), decisions.y.shape[1]), dtype=np.float32)] for _ in range(len(sizes) + len(stages))]
    used = _fill(decisions, rows, fold, sizes, stages, sums, rng, step)
    for number, scores in enumerate(sums):
        table[number] = np.mean([counts(decisions, tests, s) for s in scores], axis=0)
    return _conclude(decisions, table, np.array(sizes), np.array(stages), used, rng, level)


def _fill(
    decisions: Decisions,
    rows: np.ndarray,
    fold: np.ndarray,
    sizes: Sequence[int],
    stages: Sequence[int],
    sums: list[list[np.ndarray]],
    rng: np.random.Generator,
    step: Callable[[int, int], None],
) -> np.ndarray:
    """Scores of each slice product by heads that have not seen its family; several tables where subsets are drawn.

    Returns how many products each stage was fitted on: those of the families under test are left out.
    """
    used: list[list[int]] = [[] for _ in stages]
    for number, size in enumerate(sizes):
        copies = 1 if size == sizes[-1] else SUBSETS
        sums[number] = [np.zeros_like(sums[number][0]) for _ in range(copies)]
    family = np.asarray(decisions.families, dtype=object)
    for done, turn in enumerate(np.unique(fold)):
        step(done, FOLDS)
        inside = fold == turn
        apart = ~np.isin(family, family[rows[inside]])
        slice_ = rows[~inside & apart[rows]]
        fit = Fit.of(decisions, np.flatnonzero(apart), rows[inside])
        for number, size in enumerate(sizes):
            for table in sums[number]:
                chosen = slice_ if size >= len(slice_) else rng.choice(slice_, size, replace=False)
                table[inside] = fit.scores(chosen)
        for number, stage in enumerate(stages, start=len(sizes)):
            chosen = np.flatnonzero(apart[:stage])
            used[number - len(sizes)].append(len(chosen))
            sums[number][0][inside] = fit.scores(chosen)
    return np.array([np.mean(products) for products in used])


def _conclude(
    decisions: Decisions,
    table: np.ndarray,
    sizes: np.ndarray,
    stages: np.ndarray,
    used: np.ndarray,
    rng: np.random.Generator,
    level: float,
) -> Proof:
    """``table`` ``(points, slice, 3)``: as from :func:`counts`. ``used``: the products that the heads of each stage were
    fitted on, by which the two curves are compared."""
    n = table.shape[1]
    weights = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)])
    sums = np.einsum("wn,pnk->wpk", weights, table)
    f1 = 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1e-9)  # first row: as it is
    tail = (1 - level) / 2

    def interval(values: np.ndarray) -> Interval:
        low, high = np.quantile(values[1:], [tail, 1 - tail])
        return Interval(float(values[0]), float(low), float(high))

    random, actual = f1[:, : len(sizes)], f1[:, len(sizes) :]
    curve = _Drawn.through(sizes, random, n, rng)
    drawn = curve.at(used)
    total = int(stages[-1])
    gain = 100 * (actual[:, -1] - drawn[:, -1])
    saved = (np.clip(curve.reaches(actual[:, -1]), 0, (1 + MOST_SAVED) * used[-1]) - used[-1]) * total / used[-1]
    ahead = max(LEAST_AHEAD, round(AHEAD * total))
    far = used > sizes[-1]
    crossed = Crossed.of(decisions, rng)
    return Proof(
        slice=n,
        decisions=total,
        actual=tuple(Point(int(s), interval(actual[:, i])) for i, s in enumerate(stages)),
        random=(
            *(Point(int(s), interval(random[:, i])) for i, s in enumerate(sizes)),
            *(Point(int(s), interval(drawn[:, i]), False) for i, s in enumerate(stages) if far[i]),
        ),
        gain=interval(gain),
        saved=interval(saved),
        worse=float(norm.cdf(-gain[0] / max(float(np.std(gain[1:])), 1e-6))),
        ahead=ahead,
        next=growth(decisions, crossed, ahead, rng, level),
        known=known_already(decisions, crossed.whole, rng),
    )


@dataclass(frozen=True)
class _Drawn:
    """A measured curve drawn on by a power law ``1 - F1 = a n^-b``, row by row of bootstrap draws; the first row is the
    value. Each draw has an exponent of its own out of what the measurement leaves open, so that intervals hold it."""

    a: np.ndarray
    b: np.ndarray

    @classmethod
    def through(cls, sizes: np.ndarray, f1: np.ndarray, products: int, rng: np.random.Generator) -> _Drawn:
        """products: on which the F1 were measured."""
        a, b, spread = _power_law(sizes, f1, LUCK / products**0.5)
        drawn = np.maximum(b + spread * np.concatenate([[0.0], rng.standard_normal(len(b) - 1)]), 0.02)
        return cls(a * sizes[-1] ** (drawn - b), drawn)

    def at(self, sizes: np.ndarray) -> np.ndarray:
        """``(draws, k)`` F1 at these sizes."""
        return np.asarray(1 - self.a[:, None] * sizes[None, :] ** -self.b[:, None])

    def reaches(self, f1: np.ndarray) -> np.ndarray:
        """``(draws,)`` the size at which each draw is at its F1."""
        with np.errstate(over="ignore"):
            return np.asarray((self.a / np.maximum(1 - f1, 1e-6)) ** (1 / self.b))


def _power_law(sizes: np.ndarray, f1: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray, float]:
    """a and b of ``1 - F1 = a n^-b`` for each row, through the last point, and how far b may be off; b is pulled to what
    learning curves usually do."""
    x = np.log(sizes) - np.log(sizes[-1])
    error = np.log(np.clip(1 - f1, 1e-3, 1.0))
    rise = error - error[:, -1:]
    precision = (x**2).sum() / noise**2 + 1 / TRUST**2
    b = np.maximum((-(rise * x).sum(axis=1) / noise**2 + USUAL / TRUST**2) / precision, 0.02)
    return np.exp(error[:, -1]) * sizes[-1] ** b, b, float(precision**-0.5)
