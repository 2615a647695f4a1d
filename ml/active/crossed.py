"""What heads say of every decided product that have seen neither it nor its family.

The blind slice alone says how well the model does (:mod:`ml.active.proof`), but it is small. Two questions can be put to
all decided products: whether the products asked were known already, and what the later half of the decisions brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ml.evaluation.metrics import best_f1
from ml.evaluation.paired import Interval
from ml.instant import head

FOLDS = 5
RIDGE = 0.05
STEPS = 60
DRAWS = 400
SHUFFLES = 4000


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


@dataclass(frozen=True)
class Fit:
    """One fold: the products that heads may be fitted on, rotated once for all of them, and those under test."""

    decisions: Decisions
    rotation: head.Rotation
    place: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, decisions: Decisions, allowed: np.ndarray, test: np.ndarray) -> Fit:
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


def folds(families: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """``(n,)`` the fold of each product, whole families."""
    names = {name: i for i, name in enumerate(dict.fromkeys(families))}
    turn = rng.permutation(len(names)) % FOLDS
    return np.array([turn[names[name]] for name in families])


def counts(decisions: Decisions, tests: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """``(products, 3)``: right, checked, positives at the best threshold over all."""
    y, known = decisions.y[tests], decisions.known[tests]
    checked = (scores >= best_f1(y, scores, known)[1]) & known
    return np.stack([(checked * y).sum(axis=1), checked.sum(axis=1), (y * known).sum(axis=1)], axis=1)


@dataclass(frozen=True)
class Crossed:
    """half, whole ``(m, T)``: scores by heads fitted on the earlier half of the decisions, and on all of them, less the
    product's own fold."""

    half: np.ndarray
    whole: np.ndarray

    @classmethod
    def of(cls, decisions: Decisions, rng: np.random.Generator) -> Crossed:
        fold = folds(decisions.families, rng)
        half, whole = (np.zeros(decisions.y.shape, dtype=np.float32) for _ in range(2))
        for turn in np.unique(fold):
            test, allowed = np.flatnonzero(fold == turn), np.flatnonzero(fold != turn)
            fit = Fit.of(decisions, allowed, test)
            half[test] = fit.scores(allowed[allowed < len(decisions) // 2])
            whole[test] = fit.scores(allowed)
        return cls(half, whole)


def known_already(decisions: Decisions, scores: np.ndarray, rng: np.random.Generator) -> float:
    """How often random products, as many as the slice, would be as much harder to know than the others as it is.

    An answer that was known before it was given teaches nothing: what a label can teach is at most how uncertain it was
    (MacKay 1992, *Information-based objective functions for active data selection*). So the slice is compared with what
    was asked by the squared error of the ``scores``, mean over the cells of a product. Products of which less was
    answered than of any in the slice are left out: one facet of a grid may be an easy one. Under a random order every
    choice of a slice is as likely, so the share of shuffles is an exact level (Fisher 1935). 1 where nobody is left.
    """
    cells = decisions.known.sum(axis=1)
    rows = np.flatnonzero(cells >= max(cells[decisions.random].min(initial=cells.max()), 1))
    error = (((scores - decisions.y)[rows] ** 2) * decisions.known[rows]).sum(axis=1) / cells[rows]
    slice_ = decisions.random[rows]
    size = int(slice_.sum())
    if not 0 < size < len(rows):
        return 1.0
    drawn = np.argsort(rng.random((SHUFFLES, len(rows))), axis=1)[:, :size]
    as_hard = error[drawn].sum(axis=1) >= error[slice_].sum() * (1 - 1e-6)
    return float((1 + as_hard.sum()) / (1 + SHUFFLES))


def growth(decisions: Decisions, crossed: Crossed, ahead: int, rng: np.random.Generator, level: float) -> Interval:
    """Points of F1 that ``ahead`` more decisions would bring, if they bring as much for each doubling as the last did.

    Learning curves flatten, so that errs on the side of more. The interval is a bootstrap over families, both heads on
    the same ones.
    """
    rows = np.arange(len(decisions))
    both = np.stack([counts(decisions, rows, scores) for scores in (crossed.half, crossed.whole)])
    family = np.unique(np.asarray(decisions.families, dtype=object).astype(str), return_inverse=True)[1]
    n = int(family.max()) + 1
    by_family = np.zeros((2, n, 3))
    for side, counted in zip(by_family, both, strict=True):
        np.add.at(side, family, counted)
    weights = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)])
    sums = np.einsum("wf,hfk->whk", weights, by_family)
    f1 = 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1e-9)
    doublings = np.log2(1 + ahead / len(decisions)) / np.log2(len(decisions) / max(len(decisions) // 2, 1))
    more = np.maximum(100 * (f1[:, 1] - f1[:, 0]) * doublings, 0.0)
    low, high = np.quantile(more[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(more[0]), float(low), float(high))
