"""Strategies made for products with many tags: MMC, CVIRS and LCI. All look at what was decided so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.active.view import BLOCK, Decided, PoolView

RANKED = 2000  # products that ranks are counted among
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
        n, tags = view.probabilities.shape
        doubt = np.where(view.open, 1 - np.abs(2 * view.probabilities - 1), -1.0)
        borda = np.zeros(n)
        sample = np.arange(n) if n <= RANKED else view.rng.choice(n, RANKED, replace=False)
        for column in range(tags):
            # products with less doubt about the tag; equal ones share, so that ties do not depend on their order
            borda += np.searchsorted(np.sort(doubt[sample, column]), doubt[:, column], side="left")
        borda /= max(len(sample) * tags, 1)
        return np.asarray(borda * self._unlike(view, history))

    def _unlike(self, view: PoolView, history: Decided) -> np.ndarray:
        """Mean over decided products of the entropy distance of the two tag vectors, 1 where they share nothing."""
        truth = (history.y * history.known).astype(np.float32)
        out = np.ones(len(view))
        for begin in range(0, len(view) if len(truth) else 0, BLOCK):
            guess = (view.open & (view.probabilities >= 0.5))[begin : begin + BLOCK].astype(np.float32)
            both = guess @ truth.T
            one = guess.sum(axis=1, keepdims=True) - both
            other = truth.sum(axis=1)[None, :] - both
            out[begin : begin + BLOCK] = _entropy_distance(both, one, other, truth.shape[1]).mean(axis=1)
        return out


def _entropy_distance(both: np.ndarray, one: np.ndarray, other: np.ndarray, tags: int) -> np.ndarray:
    """Normalised entropy distance from a table of two vectors: both have the tag, only one, only the other, neither."""

    def h(*parts: np.ndarray) -> np.ndarray:
        total = np.zeros_like(both)
        for part in parts:
            share = np.clip(part / tags, 1e-12, 1.0)
            total -= share * np.log2(share)
        return total

    neither = tags - both - one - other
    joint = h(both, one, other, neither)
    a, b = both + one, both + other
    apart = (2 * joint - h(a, tags - a) - h(b, tags - b)) / np.maximum(joint, 1e-12)
    differ = (one + other) / tags
    return np.where(differ >= 1, 1.0, np.where(joint <= 1e-9, 0.0, np.clip(apart, 0.0, 1.0)))


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
