"""Decisions that a model which has not seen them finds unlikely: where a second look pays best.

Scores are those of cleanlab's multi-label method (Thyagarajan, Snorrason, Northcutt and Mueller 2022, *Identifying
Incorrect Annotations in Multi-Label Classification Data*): a decision's self-confidence is the probability that the
out-of-fold model gives to what was decided; a product's quality is an exponential moving average over the
self-confidences of its tags, the worst weighing most. What counts as an issue is told as in confident learning
(Northcutt, Jiang and Chuang 2021): the model is surer of the opposite than it usually is where the opposite was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ml.examples import fold_of
from ml.instant import head

RIDGE = 0.05
ALPHA = 0.8  # of the moving average, as in the paper
FOLDS = 5
STEPS = 80


@dataclass(frozen=True)
class Unlikely:
    """rows, columns: of each decision, the least likely first; probability: of what was decided, out of fold; issue:
    bool, whether confident learning calls it one."""

    rows: np.ndarray
    columns: np.ndarray
    probability: np.ndarray
    issue: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def self_confidence(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """``(m, T)``: the probability of what was decided."""
    return np.asarray(np.where(y > 0.5, p, 1 - p))


def product_quality(y: np.ndarray, p: np.ndarray, known: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """``(m,)``: exponential moving average of the self-confidences of the decided tags, from the best to the worst;
    1 for a product of which nothing is decided."""
    score = np.where(known, self_confidence(y, p), np.inf)
    score = -np.sort(-score, axis=1)  # unknown first, then best to worst
    out = np.ones(len(score))
    begun = np.zeros(len(score), dtype=bool)
    for column in range(score.shape[1]):
        here = np.isfinite(score[:, column])
        mixed = np.where(begun, alpha * score[:, column] + (1 - alpha) * out, score[:, column])
        out = np.where(here, mixed, out)
        begun |= here
    return out


def unlikely(y: np.ndarray, p: np.ndarray, known: np.ndarray, most: int | None = None) -> Unlikely:
    """Known decisions by self-confidence, lowest first; ``p`` is out of fold."""
    confidence = self_confidence(y, p)
    rows, columns = np.nonzero(known)
    order = np.argsort(confidence[rows, columns], kind="stable")[:most]
    rows, columns = rows[order], columns[order]
    issue = confident_issues(y, p, known)
    return Unlikely(rows, columns, confidence[rows, columns], issue[rows, columns])


def confident_issues(y: np.ndarray, p: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``(m, T)`` bool: off the diagonal of each tag's confident joint.

    A class's threshold is the mean probability of it where it was decided; a decision is an issue when the opposite
    class is at or above its threshold and more probable than the class that was decided.
    """
    out = np.zeros(y.shape, dtype=bool)
    yes, no = known & (y > 0.5), known & (y <= 0.5)
    with np.errstate(invalid="ignore"):
        usual_yes = (p * yes).sum(axis=0) / np.maximum(yes.sum(axis=0), 1)
        usual_no = ((1 - p) * no).sum(axis=0) / np.maximum(no.sum(axis=0), 1)
    both = yes.any(axis=0) & no.any(axis=0)
    out |= no & both & (p >= usual_yes) & (p > 0.5)
    out |= yes & both & (1 - p >= usual_no) & (p < 0.5)
    return out


def out_of_fold(
    features: np.ndarray,
    y: np.ndarray,
    known: np.ndarray,
    families: Sequence[str],
    *,
    folds: int = FOLDS,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """``(m, T)`` probabilities by heads that have not seen the product's family.

    The rotation of the features is found once: it reads no label. Where a tag has no example outside of a fold, its
    rate stands in. ``step`` is told how many folds are done; what it raises goes through.
    """
    p = np.broadcast_to(_rate(y, known), y.shape).astype(np.float32).copy()
    turn = np.array([fold_of(family, folds, "label errors") for family in families])
    if len(y) < 2:
        return p
    rotation = head.rotate(features, RIDGE)
    start: np.ndarray | None = None
    for done, number in enumerate(np.unique(turn)):
        step(done, folds)
        inside = np.flatnonzero(turn == number)
        rows = np.flatnonzero(turn != number)
        if not len(rows):
            continue
        weights = head.solve(rotation, y, known.astype(np.float32), rows=rows, start=start, steps=STEPS)
        start = weights if start is None else start
        support, seen = (y[rows] * known[rows]).sum(axis=0), known[rows].sum(axis=0)
        scores = expit(rotation.rotated[inside] @ weights)
        p[inside] = np.where((support > 0) & (seen > support), scores, _rate(y[rows], known[rows]))
    return p


def second_look(
    features: np.ndarray,
    y: np.ndarray,
    known: np.ndarray,
    ids: Sequence[str],
    families: Sequence[str],
    *,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """``(m, T)``: the mean of two out-of-fold models: one without the product, which hears what its variants were
    given, and one without its family, which finds the mistake that was copied to all of them."""
    apart = out_of_fold(features, y, known, families, step=lambda done, total: step(done, 2 * total))
    alone = out_of_fold(features, y, known, ids, step=lambda done, total: step(done + total, 2 * total))
    return np.asarray((apart + alone) / 2)


def _rate(y: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.asarray(((y * known).sum(axis=0) + 0.1) / (known.sum(axis=0) + 1), dtype=np.float32)
