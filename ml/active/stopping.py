"""When to stop: is what is left worth another decision?

Two signals of the literature that need no labelled test set, and one that the decisions themselves give:

:class:`Stabilised` predictions on a fixed part of the pool no longer change from refit to refit (Bloodgood and
Vijay-Shanker 2009, *A Method for Stopping Active Learning Based on Stabilizing Predictions*). :class:`Confident`: the
model itself expects next to no errors there (Zhu, Wang, Hovy and Ma 2010, *Confidence-based Stopping Criteria*). Both
look at what the model says of itself and can be sure of the wrong thing. :class:`LittleLeft`: more decisions would bring
less than :data:`LITTLE` points, going by what the later half of them brought on decided products whose families neither
head has seen (:func:`ml.active.crossed.growth`). The product shows the last one; replays play all three.

It cannot fire before the slice has some thirty products, nor before the interval of what a doubling brings is that
narrow: with 100 decided products it is seldom, with 200 it is where F1 stands still, and with an open vocabulary, where
each product brings tags of its own, it never is. A power law through the blind slice's curve, which came before, has
no level to come to, and promised 0.6 to 0.9 points for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ml.active.proof import TRUST, USUAL, Proof

LITTLE = 0.5  # points of F1: what the next AHEAD of decisions would bring at most, for the rest to be worth little
UNSEEN = 3.0  # over n products without an error: how many there may be in one all the same, at 95 % (rule of three)
SAME = 0.99  # kappa from which two models say the same (the paper's)
WINDOW = 3  # refits in a row that must say the same (the paper's)
SURE = 0.97  # F1 that the model expects of itself on the pool


@dataclass(frozen=True)
class Look:
    """What a rule may look at after a refit.

    decisions: products decided. probabilities, open: ``(n, T)``, of the same products of the pool at each look, and
    which cells are a question. proof: the last measurement on the blind slice; None where there is none yet.
    """

    decisions: int
    probabilities: np.ndarray
    open: np.ndarray
    proof: Proof | None = None


Rule = Callable[[Look], bool]


def expected_f1(p: np.ndarray, open_: np.ndarray) -> tuple[float, float]:
    """The largest F1 that calibrated probabilities expect of a threshold, and that threshold."""
    found = -np.sort(-p[open_].astype(np.float64))
    if not len(found) or found.sum() <= 0:
        return 0.0, 1.0
    f1 = 2 * np.cumsum(found) / (np.arange(1, len(found) + 1) + found.sum())
    best = int(f1.argmax())
    return float(f1[best]), float(found[best])


def agreement(before: np.ndarray, now: np.ndarray, open_: np.ndarray) -> float:
    """Cohen's kappa of two sets of checked tags over the open cells; 1 where neither checks anything."""
    a, b = before[open_], now[open_]
    if not len(a):
        return 1.0
    same, chance = float((a == b).mean()), float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    return 1.0 if chance >= 1.0 else (same - chance) / (1 - chance)


@dataclass
class Stabilised:
    """True once mean kappa over ``window`` refits is ``same`` or more. Each model checks what its own scores say is best
    to check: with 0.5 as the threshold a model that knows nothing yet checks nothing, twice alike."""

    same: float = SAME
    window: int = WINDOW
    _before: np.ndarray | None = field(default=None, repr=False)
    _kappas: list[float] = field(default_factory=list, repr=False)

    def __call__(self, look: Look) -> bool:
        checked = look.probabilities >= expected_f1(look.probabilities, look.open)[1]
        if self._before is not None:
            self._kappas.append(agreement(self._before, checked, look.open))
        self._before = checked
        last = self._kappas[-self.window :]
        return len(last) == self.window and float(np.mean(last)) >= self.same


@dataclass(frozen=True)
class Confident:
    """True once the model expects an F1 of ``sure`` of itself."""

    sure: float = SURE

    def __call__(self, look: Look) -> bool:
        return expected_f1(look.probabilities, look.open)[0] >= self.sure


@dataclass(frozen=True)
class LittleLeft:
    """True once the upper end of what the next decisions would bring is below ``little`` points (:attr:`Proof.next`)."""

    little: float = LITTLE

    def __call__(self, look: Look) -> bool:
        return look.proof is not None and enough(look.proof, self.little)


def enough(proof: Proof, little: float = LITTLE) -> bool:
    """Whether what is left is worth little, as far as can be told.

    A blind slice without an error says only that errors are rare, and the rarer the larger it is: so much is always
    reckoned with, falling as steeply as learning curves do.
    """
    fall = 1 - (1 + proof.ahead / proof.decisions) ** -(USUAL + 2 * TRUST)
    return bool(max(proof.next.high, 100 * min(UNSEEN / proof.slice, 1.0) * fall) < little)


def rules() -> dict[str, Rule]:
    """Fresh ones, by name."""
    return {"little_left": LittleLeft(), "stabilised": Stabilised(), "confident": Confident()}
