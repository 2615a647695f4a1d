"""Where to draw the line between chosen and not. Numpy only."""

from __future__ import annotations

import numpy as np


def best_f1(scores: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """``(threshold, F1)``: choosing everything at or above the threshold gives the best F1. Both 1-d, ``right`` bool.

    The threshold lies halfway to the next lower score. (0.5, 0.0) where nothing is right.
    """
    if not right.any():
        return 0.5, 0.0
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(right[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + hits[-1])
    last = np.append(ranked[1:] < ranked[:-1], True)  # equal scores are chosen together
    at = int(np.argmax(np.where(last, f1, -1.0)))
    below = ranked[at + 1] if at + 1 < len(ranked) else 0.0
    return float((ranked[at] + below) / 2), float(f1[at])
