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
from scipy.special import expit

from ml.evaluation.metrics import best_f1
from ml.instant import head

LEAST = 12  # slice products below which nothing is measured
FOLDS = 5
SHARES = (0.25, 0.5, 1.0)  # of the slice products left for fitting: the sizes of the random curve
SUBSETS = 3  # random subsets of each smaller size
DRAWS = 400
RIDGE = 0.05
STEPS = 60
USUAL, TRUST = 0.25, 0.15  # exponent of learning curves before anything was measured, and how far it may be off
FAR = 50.0  # times the decisions so far: beyond, a power law says nothing
MOST_SAVED = 3.0  # times the decisions so far: no more than so many are ever said to be saved


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


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
    ``worse`` is the chance, over bootstrap draws, that the gain is below 0, by whichever way of drawing random's curve on
    is kinder to the order asked."""

    slice: int
    decisions: int
    actual: tuple[Point, ...]
    random: tuple[Point, ...]
    gain: Interval
    saved: Interval
    worse: float
    exponent: Interval  # b of the actual curve, for what remains to a target

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def remaining(self, target: float) -> float:
        """Decisions from now until the actual curve is at ``target``, if it goes on as so far; 0 when it is there,
        infinity where the power law would have to be drawn on over FAR times the decisions."""
        now = self.actual[-1].f1.value
        if now >= target:
            return 0.0
        ratio = ((1 - now) / max(1 - target, 1e-6)) ** (1 / max(self.exponent.value, 1e-3))
        return float(self.decisions * (ratio - 1)) if ratio <= FAR else float("inf")


@dataclass(frozen=True)
class Decisions:
    """What was decided, in the order of decisions: features ``(m, d)``, y and known ``(m, T)``, families, and which
    products are of the random slice ``(m,)``."""

    features: np.ndarray
    y: np.ndarray
    known: np.ndarray
    families: Sequence[str]
    random: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def sample(self, most: int, seed: int = 0) -> Decisions:
        """At most so many, drawn at random, in their order."""
        if len(self) <= most:
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False))
        families = [self.families[i] for i in rows]
        return Decisions(self.features[rows], self.y[rows], self.known[rows], families, self.random[rows])


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
    fold = _folds(rows, decisions.families, rng)
    left = int(np.mean([(fold != f).sum() for f in range(FOLDS)]))
    sizes = sorted({max(int(left * share), 2) for share in SHARES})
    stages = sorted({max(int(total * (i + 1) / points), 2) for i in range(points)})
    tests = rows[fold >= 0]
    counts = np.zeros((len(sizes) + len(stages), len(tests), 3))
    sums = [[np.zeros((len(tests), decisions.y.shape[1]), dtype=np.float32)] for _ in range(len(sizes) + len(stages))]
    used = _fill(decisions, rows, fold, sizes, stages, sums, rng, step)
    for number, scores in enumerate(sums):
        counts[number] = np.mean([_counts(decisions, tests, s) for s in scores], axis=0)
    return _conclude(counts, np.array(sizes), np.array(stages), used, len(rows), rng, level)


def _folds(rows: np.ndarray, families: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    names = {name: i for i, name in enumerate(dict.fromkeys(families[r] for r in rows))}
    turn = rng.permutation(len(names)) % FOLDS
    return np.array([turn[names[families[r]]] for r in rows])


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
        fit = _Fit.of(decisions, np.flatnonzero(apart), rows[inside])
        for number, size in enumerate(sizes):
            for table in sums[number]:
                chosen = slice_ if size >= len(slice_) else rng.choice(slice_, size, replace=False)
                table[inside] = fit.scores(chosen)
        for number, stage in enumerate(stages, start=len(sizes)):
            chosen = np.flatnonzero(apart[:stage])
            used[number - len(sizes)].append(len(chosen))
            sums[number][0][inside] = fit.scores(chosen)
    return np.array([np.mean(counts) for counts in used])


@dataclass(frozen=True)
class _Fit:
    """One fold: the products that heads may be fitted on, rotated once for all of them, and those under test."""

    decisions: Decisions
    rotation: head.Rotation
    place: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, decisions: Decisions, allowed: np.ndarray, test: np.ndarray) -> _Fit:
        place = np.full(len(decisions.y), -1)
        place[allowed] = np.arange(len(allowed))
        return cls(decisions, head.rotate(decisions.features[allowed], RIDGE), place, test)

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """``(test, T)`` of a head fitted on these of the allowed products."""
        y, known = self.decisions.y[rows], self.decisions.known[rows]
        support, seen = (y * known).sum(axis=0), known.sum(axis=0)
        out = np.broadcast_to((support + 0.01) / (seen + 1), (len(self.test), y.shape[1])).astype(np.float32).copy()
        active = np.flatnonzero((support > 0) & (seen > support))
        if len(active):
            z = self.rotation.rotated[self.place[rows]]
            part = head.Rotation(z, self.rotation.back, self.rotation.forth, self.rotation.step)
            weights = head.restore(self.rotation, head.solve(part, y[:, active], known[:, active], steps=STEPS))
            out[:, active] = expit(head.logits(self.decisions.features[self.test], weights))
        return out


def _counts(decisions: Decisions, tests: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """``(products, 3)``: right, checked, positives at the best threshold over all."""
    y, known = decisions.y[tests], decisions.known[tests]
    checked = (scores >= best_f1(y, scores, known)[1]) & known
    return np.stack([(checked * y).sum(axis=1), checked.sum(axis=1), (y * known).sum(axis=1)], axis=1)


def _conclude(
    counts: np.ndarray,
    sizes: np.ndarray,
    stages: np.ndarray,
    used: np.ndarray,
    slice_: int,
    rng: np.random.Generator,
    level: float,
) -> Proof:
    """``used``: the products that the heads of each stage were fitted on, by which the two curves are compared."""
    n = counts.shape[1]
    weights = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)])
    sums = np.einsum("wn,pnk->wpk", weights, counts)
    f1 = 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1e-9)  # first row: as it is
    tail = (1 - level) / 2

    def interval(values: np.ndarray) -> Interval:
        low, high = np.quantile(values[1:], [tail, 1 - tail])
        return Interval(float(values[0]), float(low), float(high))

    random, actual = f1[:, : len(sizes)], f1[:, len(sizes) :]
    curve = _Drawn.through(sizes, random)
    drawn = curve.at(used)
    _, slope = _power_law(used, actual)
    total = int(stages[-1])
    gain = 100 * (actual[:, -1] - drawn[:, -1])
    saved = (np.clip(curve.reaches(actual[:, -1]), 0, (1 + MOST_SAVED) * used[-1]) - used[-1]) * total / used[-1]
    far = used > sizes[-1]
    return Proof(
        slice=slice_,
        decisions=total,
        actual=tuple(Point(int(s), interval(actual[:, i])) for i, s in enumerate(stages)),
        random=(
            *(Point(int(s), interval(random[:, i])) for i, s in enumerate(sizes)),
            *(Point(int(s), interval(drawn[:, i]), False) for i, s in enumerate(stages) if far[i]),
        ),
        gain=interval(gain),
        saved=interval(saved),
        worse=float(min((gain[1::2] < 0).mean(), (gain[2::2] < 0).mean())),
        exponent=interval(slope),
    )


@dataclass(frozen=True)
class _Drawn:
    """A measured curve drawn on, row by row of bootstrap draws, in two ways that bracket what curves do: the power law,
    which is low for one that has hardly begun to rise, and a straight line over log n, which is high for one that levels
    off. Every other draw takes the one and the rest the other, so that intervals hold both; the first row, the value,
    is the mean of the two."""

    a: np.ndarray
    b: np.ndarray
    last: float
    height: np.ndarray
    rise: np.ndarray

    @classmethod
    def through(cls, sizes: np.ndarray, f1: np.ndarray) -> _Drawn:
        a, b = _power_law(sizes, f1)
        x = np.log(sizes) - np.log(sizes[-1])
        rise = np.maximum(((f1 - f1[:, -1:]) * x).sum(axis=1) / max((x**2).sum(), 1e-9), 1e-3)
        return cls(a, b, float(sizes[-1]), f1[:, -1], rise)

    def at(self, sizes: np.ndarray) -> np.ndarray:
        """``(draws, k)`` F1 at these sizes."""
        power = 1 - self.a[:, None] * sizes[None, :] ** -self.b[:, None]
        line = np.clip(self.height[:, None] + self.rise[:, None] * np.log(sizes / self.last)[None, :], 0.0, 1.0)
        return self._mixed(power, line)

    def reaches(self, f1: np.ndarray) -> np.ndarray:
        """``(draws,)`` the size at which each draw is at its F1."""
        with np.errstate(over="ignore"):
            power = (self.a / np.maximum(1 - f1, 1e-6)) ** (1 / np.maximum(self.b, 1e-3))
            line = self.last * np.exp(np.minimum((f1 - self.height) / self.rise, 50.0))
        both = self._mixed(power[:, None], line[:, None])[:, 0]
        both[0] = min(power[0], line[0])  # what is claimed is the smaller of the two
        return np.asarray(both)

    @staticmethod
    def _mixed(power: np.ndarray, line: np.ndarray) -> np.ndarray:
        odd = (np.arange(len(power)) % 2 == 1)[:, None]
        out: np.ndarray = np.where(odd, power, line)
        out[0] = (power[0] + line[0]) / 2
        return out


def _power_law(sizes: np.ndarray, f1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a and b of ``1 - F1 = a n^-b`` for each row, through the last point; b pulled to what learning curves usually do."""
    x = np.log(sizes) - np.log(sizes[-1])
    error = np.log(np.clip(1 - f1, 1e-3, 1.0))
    rise = error - error[:, -1:]
    noise = 0.05  # of a point's log error: how far the pull gives way
    precision = (x**2).sum() / noise**2 + 1 / TRUST**2
    b = np.maximum((-(rise * x).sum(axis=1) / noise**2 + USUAL / TRUST**2) / precision, 0.02)
    return np.exp(error[:, -1]) * sizes[-1] ** b, b
