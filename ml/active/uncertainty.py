"""How unsure the model is, tag by tag: ``(n, T)`` in [0, 1], 1 where it cannot tell at all.

Settles, *Active Learning Literature Survey* (2009), for the names. For a yes-or-no question least confidence, margin
and entropy rank alike; they differ in how fast doubt fades, which matters once it is summed over tags.
"""

from __future__ import annotations

import numpy as np


def least_confidence(p: np.ndarray) -> np.ndarray:
    """Twice the chance of being wrong."""
    return np.asarray(2 * np.minimum(p, 1 - p))


def margin(p: np.ndarray) -> np.ndarray:
    """One minus the distance between yes and no; the same as least confidence for one tag."""
    return np.asarray(1 - np.abs(2 * p - 1))


def entropy(p: np.ndarray) -> np.ndarray:
    """In bits."""
    q = np.clip(p, 1e-7, 1 - 1e-7)
    return np.asarray(-(q * np.log2(q) + (1 - q) * np.log2(1 - q)))
