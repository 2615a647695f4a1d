"""Strategies made for products with many tags: MMC, CVIRS and LCI. All look at what was decided so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ml.active.view import Decided, PoolView, in_blocks
from ml.instant.threads import in_parallel

RANKED = 2000  # products that ranks are counted among
TOGETHER = 16  # tags ranked at a time
LEADING = 20  # scores of a product that say how many tags it has


def _cardinality(history: Decided, p: np.ndarray) -> np.ndarray:
    """``(n,)``: how many tags each product has, from its largest scores, as the decided ones taught.

    Yang et al. train a classifier over the sorted scores; here ridge regression, which needs no more than a few dozen
    decided products and gives a number that may lie between two.
    """
    k = min(LEADING, p.shape[1])

    def design(scores: np.ndarray) -> np.ndarray:
        top = -np.sort(-np.partition(scores, -k, axis=1)[:, -k:], axis=1)
        return np.hstack([top, scores.sum(axis=1, keepdims=True), np.ones((len(scores), 1))])

    many = (history.y * history.known).sum(axis=1)
    if len(many) < 2:
        return np.full(len(p), float(many.mean()) if len(many) else 1.0)
    x, mean = design(history.probabilities), many.mean()
    pull = np.eye(x.shape[1])
    pull[-1, -1] = 1e-6
    weights = np.linalg.solve(x.T @ x + pull, x.T @ (many - mean))
    return np.asarray(np.clip(design(p) @ weights + mean, 0, p.shape[1]))


@dataclass(frozen=True)
class MaximalLoss:
    """MMC (Yang, Sun, Wang and Chen 2009): the loss that a decision would remove if the most confident labelling were
    true, which has as many tags as products with such scores have."""

    def utilities(self, view: PoolView) -> np.ndarray:
        history = view.need_history("MMC")
        p = np.where(view.open, view.probabilities, 0.0)
        many = np.rint(_cardinality(history, p)).astype(int)
        place = np.argsort(np.argsort(-p, axis=1, kind="stable"), axis=1, kind="stable")
        guess = np.where(place < many[:, None], 1.0, -1.0)
        loss = (1 - guess * (2 * p - 1)) / 2
        return np.asarray(np.where(view.open, loss, 0.0).sum(axis=1))


@dataclass(frozen=True)
class CategoryVectors:
    """CVIRS (Reyes, Morell and Ventura 2018): ranks of margins, added over tags, times how unlike the decided products
    the predicted tags are."""

    def utilities(self, view: PoolView) -> np.ndarray:
        history = view.need_history("CVIRS")
        return np.asarray(self._ranks(view) * self._unlike(view, history))

    def _ranks(self, view: PoolView) -> np.ndarray:
        """Mean over tags of the share of products with less doubt about the tag; equal ones share, so that ties do not
        depend on their order."""
        n, tags = view.probabilities.shape
        sample = np.arange(n) if n <= RANKED else view.rng.choice(n, RANKED, replace=False)
        sums: list[np.ndarray] = []

        def part(begin: int) -> None:
            some = slice(begin, begin + TOGETHER)
            doubt = np.where(view.open[:, some].T, 1 - np.abs(2 * view.probabilities[:, some].T - 1), -1.0)
            below = np.zeros(n, dtype=np.int64)
            for of_tag in np.ascontiguousarray(doubt):
                below += np.searchsorted(np.sort(of_tag[sample]), of_tag, side="left")
            sums.append(below)

        in_parallel(part, range(0, tags, TOGETHER))
        return np.asarray(sum(sums, np.zeros(n, dtype=np.int64)) / max(len(sample) * tags, 1))

    def _unlike(self, view: PoolView, history: Decided) -> np.ndarray:
        """Mean over decided products of the entropy distance of the two tag vectors, 1 where they share nothing.

        Only pairs that share a tag are looked at one by one. The distance of the others follows from how many tags each
        has, and of these numbers there are few.
        """
        truth = csr_matrix(history.y * history.known)
        m, tags = truth.shape
        if not m:
            return np.ones(len(view))
        of_truth, nothing = truth.getnnz(axis=1), np.zeros(1)
        has, how_often = np.unique(of_truth, return_counts=True)
        apart = np.array([_entropy_distance(nothing, np.array([k]), has, tags) @ how_often for k in range(tags + 1)])
        out = np.ones(len(view))

        def work(rows: slice) -> None:
            guess = csr_matrix(view.open[rows] & (view.probabilities[rows] >= 0.5), dtype=np.float32)
            many = guess.getnnz(axis=1)
            shared = (guess @ truth.T).tocoo()
            a, b = many[shared.row], of_truth[shared.col]
            closer = _entropy_distance(shared.data, a, b, tags) - _entropy_distance(nothing, a, b, tags)
            out[rows] = (apart[many] + np.bincount(shared.row, closer, minlength=len(many))) / m

        in_blocks(view, work)
        return out


def _entropy_distance(both: np.ndarray, a: np.ndarray, b: np.ndarray, tags: int) -> np.ndarray:
    """Normalised entropy distance of two vectors with ``a`` and ``b`` tags, ``both`` of them the same ones."""
    share = np.arange(tags + 1) / tags
    h = np.append(0.0, -share[1:] * np.log2(share[1:]))
    both, a, b = (np.rint(v).astype(np.int64) for v in (both, a, b))
    joint = h[both] + h[a - both] + h[b - both] + h[np.maximum(tags - a - b + both, 0)]
    apart = (2 * joint - (h[a] + h[tags - a]) - (h[b] + h[tags - b])) / np.maximum(joint, 1e-12)
    differ = a + b - 2 * both
    return np.asarray(np.where(differ >= tags, 1.0, np.where(joint <= 1e-9, 0.0, np.clip(apart, 0.0, 1.0))))


@dataclass(frozen=True)
class Inconsistency:
    """LCI with max-margin (Li and Guo 2013): predicted tags too many or too few against the decided products', and a
    small distance between the scores of what is predicted and what is not; ``weight`` says how much the latter counts.
    """

    weight: float = 0.5

    def utilities(self, view: PoolView) -> np.ndarray:
        history = view.need_history("LCI")
        p = np.where(view.open, view.probabilities, 0.0)
        chosen = p >= 0.5
        usual = float((history.y * history.known).sum(axis=1).mean()) if len(history.y) else 0.0
        unusual = np.abs(chosen.sum(axis=1) - usual) + 1e-3
        asked = np.maximum(view.open.sum(axis=1), 1)
        yes, no = chosen.sum(axis=1), np.maximum(asked - chosen.sum(axis=1), 1)
        above = np.where(chosen, p, 0.0).sum(axis=1) / np.maximum(yes, 1)
        below = np.where(view.open & ~chosen, p, 0.0).sum(axis=1) / no
        apart = np.maximum(np.where(yes > 0, above, 0.5) - below, 1e-3)
        return np.asarray(unusual ** (1 - self.weight) * (1 / apart) ** self.weight)
