"""Strategies that look at where decisions lie: CoreSet, BADGE, CAL and discriminative learning.

BADGE keeps the gradient of a product as two factors and never writes the ``(n, T x d)`` matrix of gradients; CoreSet
keeps the distance to the nearest chosen product and compares with the newest only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ml.active.cold_start import novelty, remembered
from ml.active.view import BLOCK, CELLS, PoolView, unit
from ml.instant import head
from ml.instant.threads import in_parallel


@dataclass(frozen=True)
class Novelty:
    """CoreSet's utility (Sener and Savarese 2018): the distance to the nearest decided product."""

    def utilities(self, view: PoolView) -> np.ndarray:
        return novelty(view)


@dataclass(frozen=True)
class KCenter:
    """CoreSet's selector: the farthest from all that is decided or chosen, again and again. One product's distances
    a step."""

    def pick(self, utilities: np.ndarray, view: PoolView, b: int) -> list[str]:
        far = utilities.astype(np.float32).copy()
        out: list[int] = []
        for _ in range(min(b, len(view))):
            best = int(far.argmax())
            out.append(best)
            far = np.minimum(far, 1 - view.points @ view.points[best])
            far[out] = -np.inf
        return [view.ids[i] for i in out]


def gradient_factor(view: PoolView) -> np.ndarray:
    """``(n, T)``: what each tag's log odds would be moved by if the model's own best guess were true.

    The gradient of the head's loss is the outer product of this and the features (Ash et al. 2020), so its length is
    the product of theirs, and so is the inner product of two. Tags that are no open question move nothing.
    """
    p = view.probabilities
    return np.asarray(np.where(view.open, p - (p >= 0.5), 0.0), dtype=np.float32)


@dataclass(frozen=True)
class GradientLength:
    """BADGE's utility: the squared length of the gradient."""

    def utilities(self, view: PoolView) -> np.ndarray:
        return np.asarray((gradient_factor(view) ** 2).sum(axis=1) * (view.embeddings**2).sum(axis=1))


@dataclass(frozen=True)
class GradientKMeans:
    """BADGE's selector (Ash et al. 2020): k-means++ seeding over gradients, the longest first.

    ``among``: only that many times ``b`` products of most utility are drawn from; 0: all. Drawing costs a product of
    ``(n, T)`` and of ``(n, d)`` with one row, a draw.
    """

    among: int = 0

    def pick(self, utilities: np.ndarray, view: PoolView, b: int) -> list[str]:
        order = np.argsort(-utilities, kind="stable")[: self.among * b if self.among else None]
        if len(order) <= b:
            return [view.ids[i] for i in order]
        part = view.take(order)
        factor, features = gradient_factor(part), part.embeddings
        length = (factor**2).sum(axis=1) * (features**2).sum(axis=1)
        chosen = [int(length.argmax())]
        nearest = np.full(len(order), np.inf, dtype=np.float64)
        rng = view.rng
        while len(chosen) < b:
            new = chosen[-1]
            inner = (factor @ factor[new]) * (features @ features[new])
            nearest = np.minimum(nearest, np.maximum(length + length[new] - 2 * inner, 0.0))
            nearest[chosen] = 0.0
            total = nearest.sum()
            if total <= 0:  # all that is left is like something chosen
                left = np.setdiff1d(np.arange(len(order)), chosen, assume_unique=True)
                chosen += [int(i) for i in left[: b - len(chosen)]]
                break
            chosen.append(int(rng.choice(len(order), p=nearest / total)))
        return [part.ids[i] for i in chosen]


@dataclass(frozen=True)
class Contrastive:
    """CAL (Margatina et al. 2021): products on which the model differs from what it says of their decided neighbours.

    Mean divergence of the neighbours' scores from the product's, over open tags. Neighbours by one matrix product.
    """

    neighbours: int = 10

    def utilities(self, view: PoolView) -> np.ndarray:
        history = view.need_history("CAL")
        if not len(history.embeddings):
            return np.zeros(len(view))
        every, known = view.points, unit(history.embeddings)
        k, tags = min(self.neighbours, len(known)), view.probabilities.shape[1]
        theirs = np.clip(history.probabilities, 1e-4, 1 - 1e-4).astype(np.float32)
        # of the divergence, what only the neighbours' scores say; the rest is linear in them, so that their mean will do
        whole = theirs * np.log(theirs) + (1 - theirs) * np.log(1 - theirs)
        both = np.hstack([theirs, whole])
        out = np.zeros(len(view))

        def part(begin: int) -> None:
            points = every[begin : begin + BLOCK]
            near = np.argpartition(points @ known.T, len(known) - k, axis=1)[:, len(known) - k :]
            mean = csr_matrix(
                (np.full(near.size, 1 / k, dtype=np.float32), near.ravel(), np.arange(0, near.size + 1, k)),
                shape=(len(points), len(known)),
            )
            step = max(CELLS // tags, 1)
            for at in range(0, len(points), step):
                rows = slice(begin + at, begin + min(at + step, len(points)))
                around = mean[at : at + step] @ both
                ours = np.clip(view.probabilities[rows], 1e-4, 1 - 1e-4).astype(np.float32)
                no = np.log(1 - ours)
                apart = around[:, tags:] - around[:, :tags] * (np.log(ours) - no) - no
                out[rows] = np.where(view.open[rows], apart, 0.0).sum(axis=1)

        in_parallel(part, range(0, len(view), BLOCK))
        return out


@dataclass(frozen=True)
class Discriminative:
    """Gissin and Shalev-Shwartz 2019: how well a classifier tells a product from those that are decided.

    Logistic regression, decided against a sample of the pool of at most ``sample``, both sides of one weight.
    """

    sample: int = 2000
    ridge: float = 0.05

    def utilities(self, view: PoolView) -> np.ndarray:
        known = remembered(view)
        if not len(known):
            return np.zeros(len(view))
        rows = np.arange(len(view))
        if len(rows) > self.sample:
            rows = np.sort(view.rng.choice(rows, self.sample, replace=False))
        x = np.vstack([known, view.points[rows]])
        y = np.concatenate([np.zeros(len(known)), np.ones(len(rows))])[:, None]
        less = min(len(known), len(rows))
        weight = np.where(y > 0, less / len(rows), less / len(known))
        rotation = head.rotate(x, self.ridge)
        weights = head.restore(rotation, head.solve(rotation, y, weight))
        return np.asarray(head.logits(view.points, weights)[:, 0], dtype=np.float64)
