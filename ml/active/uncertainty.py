"""How unsure the model is.

First tag by tag: ``(n, T)`` in [0, 1], 1 where it cannot tell at all. Settles, *Active Learning Literature Survey*
(2009), for the names. For a yes-or-no question least confidence, margin and entropy rank alike; they differ in how fast
doubt fades, which matters once it is summed over tags.

Then as strategies: :class:`Uncertainty` of the scores themselves, :class:`Bald` and :class:`Committee` of what the data
leaves open. Each costs a pass over the ``(n, T)`` scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from ml.active.view import PoolView, doubt_per_product, per_product

LOG2_E = 1.4426950408889634


def least_confidence(p: np.ndarray) -> np.ndarray:
    """Twice the chance of being wrong."""
    return np.asarray(2 * np.minimum(p, 1 - p))


def margin(p: np.ndarray) -> np.ndarray:
    """One minus the distance between yes and no; the same as least confidence for one tag."""
    return np.asarray(1 - np.abs(2 * p - 1))


def entropy(p: np.ndarray) -> np.ndarray:
    """In bits."""
    q = np.clip(p, 1e-7, 1 - 1e-7)
    rest = 1 - q
    return np.asarray((q * np.log(q) + rest * np.log(rest)) * -LOG2_E)  # numpy's log is many times as fast as its log2


@dataclass(frozen=True)
class Random:
    """The baseline that needs no reason: every product alike."""

    def utilities(self, view: PoolView) -> np.ndarray:
        return np.asarray(view.rng.random(len(view)))


@dataclass(frozen=True)
class Uncertainty:
    """Doubt about the open tags of a product; ``measure`` rises towards a half from either side alike, ``over`` is as
    in :func:`ml.active.view.per_product`."""

    measure: Callable[[np.ndarray], np.ndarray] = margin
    over: str = "mean"

    def utilities(self, view: PoolView) -> np.ndarray:
        return doubt_per_product(self.measure, view, self.over)


@dataclass(frozen=True)
class Bald:
    """Houlsby et al. 2011: how many bits a decision would tell about the head's weights.

    The weights' posterior is Laplace's, so the log odds of a tag are Gaussian with the view's ``variance``, and the
    mutual information is an integral over one number a product and tag. It is taken at the nodes of Gauss and Hermite:
    draws of the head placed once and for all, without a draw's noise.
    """

    draws: int = 7
    over: str = "sum"

    def utilities(self, view: PoolView) -> np.ndarray:
        if view.variance is None:
            raise ValueError("BALD needs the posterior of the head (PoolView.variance)")
        return per_product(information(view.probabilities, view.variance(), self.draws), view, self.over)


def information(p: np.ndarray, variance: np.ndarray, draws: int = 7) -> np.ndarray:
    """``(n, T)`` bits: entropy of the mean less mean entropy, for log odds N(logit p, variance)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(draws)
    weights = weights / weights.sum()
    centre, width = logit(np.clip(p, 1e-6, 1 - 1e-6)).astype(np.float32), np.sqrt(variance, dtype=np.float32)
    mean, within = np.zeros_like(centre), np.zeros_like(centre)
    for node, weight in zip(nodes, weights, strict=True):
        drawn = expit(centre + np.float32(node) * width)
        mean += np.float32(weight) * drawn
        within += np.float32(weight) * entropy(drawn)
    return np.asarray(np.maximum(entropy(mean) - within, 0.0))


@dataclass(frozen=True)
class Committee:
    """Query by committee: how much its members disagree.

    ``vote``: entropy of their votes (Dagan and Engelson 1995); ``consensus``: mean divergence of a member from the mean
    of all (McCallum and Nigam 1998).
    """

    kind: str = "consensus"
    over: str = "mean"

    def utilities(self, view: PoolView) -> np.ndarray:
        if view.members is None:
            raise ValueError("a committee needs members (PoolView.members)")
        count = 0
        votes, mean, within = (np.zeros(view.probabilities.shape) for _ in range(3))
        for p in view.members():
            count += 1
            votes += p >= 0.5
            mean += p
            within += entropy(p)
        if count < 2:
            raise ValueError("a committee needs at least two members")
        apart = entropy(votes / count) if self.kind == "vote" else entropy(mean / count) - within / count
        return per_product(np.maximum(apart, 0.0), view, self.over)
