"""Tags that a candidate gets wrong where the current model got them right, more often than luck does it.

An overall gain may hide that an old tag was forgotten. Each tag is judged by families in which only one of the two was
right (McNemar's exact test, one-sided: "is the candidate worse?"), and Holm's procedure over all tags keeps the chance of
any false alarm in a comparison at ``ALPHA``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from ml.schema import Schema

ALPHA = 0.05


@dataclass(frozen=True)
class Regression:
    """``lost`` and ``won``: families in which the candidate alone was wrong, and alone was right, by majority of its
    products; ``p`` after Holm."""

    facet: str
    tag: str
    lost: int
    won: int
    p: float


def regressions(
    schema: Schema, right: np.ndarray, known: np.ndarray, current: np.ndarray, candidate: np.ndarray, family: np.ndarray
) -> tuple[Regression, ...]:
    """Worst first. ``right``, ``known`` and what the models chose are bool ``(n, columns)``, ``family`` ``(n,)`` whole
    numbers from 0."""
    was, now = ((chosen == right) & known for chosen in (current, candidate))
    difference = np.zeros((int(family.max(initial=-1)) + 1, right.shape[1]), dtype=np.int64)
    np.add.at(difference, family, now.astype(np.int64) - was.astype(np.int64))
    lost, won = (difference < 0).sum(0), (difference > 0).sum(0)
    p = holm(binom.sf(lost - 1, lost + won, 0.5), lost + won > 0)
    found = [
        Regression(*schema.columns[column], int(lost[column]), int(won[column]), float(p[column]))
        for column in np.flatnonzero(p < ALPHA)
    ]
    return tuple(sorted(found, key=lambda r: (r.p, r.facet, r.tag)))


def holm(p: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Adjusted p-values (Holm 1979) of the tests that are ``asked``; 1 for the others."""
    out = np.ones(len(p))
    rows = np.flatnonzero(asked)
    order = rows[np.argsort(p[rows], kind="stable")]
    out[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return out
