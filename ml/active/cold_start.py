"""Which products stand for many others that nobody has decided on: for a start, when the model knows too little to
know what it does not know.

TypiClust: Hacohen, Dekel and Weinshall 2022, *Active Learning on a Budget: Opposite Strategies Suit High and Low
Budgets*. ProbCover: Yehuda, Dekel, Hacohen and Weinshall 2022, *Active Learning Through a Covering Lens*. In both the
pool is compared with a fixed sample of itself, so that cost is linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.active.view import ANCHORS, BLOCK, PoolView, unit

REMEMBERED = 1000  # decided products that novelty is measured against
CLUSTERED = 5000  # products that clusters are found on; the others join the nearest
MOST_CLUSTERS = 500  # as in the paper
PURE = 0.95  # ProbCover: share of balls of which all products are of one kind


def typicality(view: PoolView) -> np.ndarray:
    """``(n,)``: mean cosine to the nearest neighbours (the paper: inverse mean distance, which ranks alike)."""
    near = view.neighbours.cosine
    return np.asarray(near.mean(axis=1)) if near.shape[1] else np.ones(len(view), dtype=np.float32)


def novelty(view: PoolView) -> np.ndarray:
    """``(n,)``: one minus the cosine to the most similar decided product; 1 where nothing is decided."""
    out = np.ones(len(view), dtype=np.float32)
    known = remembered(view)
    for begin in range(0, len(view) if len(known) else 0, BLOCK):
        out[begin : begin + BLOCK] = 1 - (view.points[begin : begin + BLOCK] @ known.T).max(axis=1)
    return out


def remembered(view: PoolView) -> np.ndarray:
    """``(m, d)``: decided products at length 1, a random REMEMBERED where there are more."""
    if len(view.decided) <= REMEMBERED:
        return unit(view.decided)
    return unit(view.decided[np.sort(view.rng.choice(len(view.decided), REMEMBERED, replace=False))])


@dataclass(frozen=True)
class Typicality:
    def utilities(self, view: PoolView) -> np.ndarray:
        return typicality(view)


@dataclass(frozen=True)
class TypicalOfClusters:
    """TypiClust's selector: as many clusters as decisions there will be; from the largest without a decision, the
    product of most utility (typicality)."""

    def pick(self, utilities: np.ndarray, view: PoolView, b: int) -> list[str]:
        if len(view) <= b:
            return [view.ids[i] for i in np.argsort(-utilities, kind="stable")]
        known = remembered(view)
        kind, kind_of_known = clusters(view, known, min(len(known) + b, MOST_CLUSTERS, len(view)))
        count = max(kind.max(initial=0), kind_of_known.max(initial=0)) + 1
        taken = np.bincount(kind_of_known, minlength=count)
        size = np.bincount(kind, minlength=count)
        left = utilities.astype(np.float64).copy()
        out = []
        for _ in range(b):
            # fewest decisions first, the largest of these
            which = np.lexsort((-size, np.where(size > 0, taken, np.iinfo(np.int64).max)))[0]
            inside = np.flatnonzero(kind == which)
            best = inside[left[inside].argmax()]
            out.append(view.ids[best])
            left[best], kind[best] = -np.inf, -1
            size[which] -= 1
            taken[which] += 1
        return out


def clusters(view: PoolView, known: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The cluster of each product of the pool and of each known point, by k-means on a sample."""
    from sklearn.cluster import KMeans

    rng = view.rng
    sample = view.points if len(view) <= CLUSTERED else view.points[rng.choice(len(view), CLUSTERED, replace=False)]
    points = np.vstack([sample, known]) if len(known) else sample
    found = KMeans(min(count, len(points)), n_init=1, max_iter=30, random_state=view.seed).fit(points)
    whole = np.concatenate([found.predict(view.points[at : at + BLOCK]) for at in range(0, len(view), BLOCK)])
    return whole.astype(np.int64), (found.predict(known) if len(known) else np.zeros(0)).astype(np.int64)


@dataclass(frozen=True)
class Coverage:
    """ProbCover's utility: how many products of the pool that no decision covers lie in the ball round each."""

    def utilities(self, view: PoolView) -> np.ndarray:
        inside, open_anchor = balls(view)
        return np.asarray(inside[:, open_anchor].sum(axis=1), dtype=np.float64)


@dataclass(frozen=True)
class GreedyCover:
    """ProbCover's selector: the ball that covers most, then the one that covers most of the rest. Where all is covered,
    by utility."""

    def pick(self, utilities: np.ndarray, view: PoolView, b: int) -> list[str]:
        inside, open_anchor = balls(view)
        out: list[int] = []
        for _ in range(min(b, len(view))):
            gain = inside[:, open_anchor].sum(axis=1).astype(np.float64)
            gain[out] = -1.0
            best = int(np.lexsort((-utilities, -gain))[0])
            out.append(best)
            open_anchor &= ~inside[best]
        return [view.ids[i] for i in out]


def balls(view: PoolView) -> tuple[np.ndarray, np.ndarray]:
    """``(n, a)`` bool, which anchors lie in the ball round each product, and ``(a,)``, which of them nobody covers.

    The radius is the largest at which PURE of the balls hold anchors of one k-means cluster only.
    """
    n = len(view)
    at = np.arange(n) if n <= ANCHORS else np.sort(view.rng.choice(n, ANCHORS, replace=False))
    anchors = view.points[at]
    alike = anchors @ anchors.T
    if n > 1:
        kind, _ = clusters(view.take(at), np.zeros((0, anchors.shape[1]), dtype=np.float32), min(50, len(at)))
        stranger = np.where(kind[:, None] == kind[None, :], -1.0, alike).max(axis=1)  # nearest of another cluster
        least = float(np.quantile(stranger, PURE))
    else:
        least = 1.0
    least = min(max(least, 0.0), 0.999)
    inside = np.concatenate([view.points[b : b + BLOCK] @ anchors.T >= least for b in range(0, n, BLOCK)])
    known = remembered(view)
    covered = (anchors @ known.T >= least).any(axis=1) if len(known) else np.zeros(len(at), dtype=bool)
    return inside, ~covered
