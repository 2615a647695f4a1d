"""How many more decisions until suggestions are right often enough, and how far such forecasts were off before.

The share of wrong suggestions falls as a power of the number of decisions, ``error(n) = a * n ** -b`` (J. Hestness et
al., "Deep learning scaling is predictable, empirically", 2017); the two numbers are fitted to the blocks of the history
so far by least squares in logarithms. The same fit on the history's beginning, asked about what came after, tells how
far to trust it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 40  # decisions of one point of the curve
LEAST = 3 * BLOCK
REPLAYS = (0.4, 0.5, 0.6, 0.7, 0.8)
FAR = 50  # a forecast of more than so many times the history is none


@dataclass(frozen=True, slots=True)
class Forecast:
    """``now``: the share of right suggestions among the latest. ``more``: how many more decisions until the target is
    reached; 0: it is; None: not to be told. ``off``: mean absolute error of the replayed forecasts of that share, as a
    share; None where the history is too short to replay. ``replays``: how many there were."""

    decisions: int
    now: float | None
    more: int | None
    off: float | None
    replays: int


@dataclass(frozen=True, slots=True)
class Curve:
    a: float
    b: float

    def error(self, n: float) -> float:
        return float(min(1.0, self.a * max(n, 1.0) ** -self.b))

    def reaches(self, error: float) -> float | None:
        """After how many decisions the error is this low; None: never."""
        if self.b <= 1e-3 or error <= 0:
            return None
        return float((self.a / error) ** (1.0 / self.b))


def fit(right: NDArray[np.bool_]) -> Curve | None:
    """The curve through the blocks of a history (oldest first); None for fewer than ``LEAST`` decisions."""
    if len(right) < LEAST:
        return None
    blocks = len(right) // BLOCK
    wrong = (~right[: blocks * BLOCK]).reshape(blocks, BLOCK).sum(axis=1)
    rate = (wrong + 0.5) / (BLOCK + 1.0)  # no logarithm of nothing
    middle = (np.arange(blocks) + 0.5) * BLOCK
    # a block with more errors tells its rate more surely: the variance of a count's logarithm is about 1 / count
    weight = np.sqrt(wrong + 0.5)
    design = np.stack([np.ones(blocks), -np.log(middle)], axis=1)
    (log_a, b), *_rest = np.linalg.lstsq(design * weight[:, None], np.log(rate) * weight, rcond=None)
    if b < 0:  # it has not been falling: take it for level
        return Curve(float(np.average(rate, weights=weight**2)), 0.0)
    return Curve(float(np.exp(log_a)), float(b))


def forecast(right: Sequence[bool], target: float) -> Forecast:
    """From whether each suggestion that was shown checked was accepted, oldest first, to a share of ``target``."""
    history = np.asarray(right, dtype=np.bool_)
    n = len(history)
    now = float(history[-2 * BLOCK :].mean()) if n >= BLOCK else None
    curve = fit(history)
    off = [miss for part in REPLAYS if (miss := _miss(history, part)) is not None]
    more: int | None = None
    if now is not None and now >= target:
        more = 0
    elif curve is not None and (reached := curve.reaches(1.0 - target)) is not None and reached < FAR * n:
        more = max(int(np.ceil(reached - n)), BLOCK)
    return Forecast(n, now, more, float(np.mean(off)) if off else None, len(off))


def _miss(history: NDArray[np.bool_], part: float) -> float | None:
    """How far the forecast from the first ``part`` of the history was off, for the share right in its last blocks."""
    begun = history[: int(len(history) * part)]
    curve = fit(begun)
    last = history[-2 * BLOCK :]
    if curve is None or len(history) - len(begun) < 2 * BLOCK:
        return None
    return abs((1.0 - curve.error(len(history) - BLOCK)) - float(last.mean()))
