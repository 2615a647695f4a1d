"""Candidate against current beyond the facets: the mean over tags, each tag, and how well scores are calibrated.

Everything is drawn with the same families as the comparison itself (``compare.resampled`` with the same seed), so that
all intervals of a report are paired with each other. Pure numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml.evaluation.paired import Answers, Interval, Side, interval, precision_recall_f1, resampled
from ml.schema import Schema
from ml.serving.bands import FLOOR

BINS = 15
TAGS_AT_ONCE = 128  # of which all draws are held


@dataclass(frozen=True)
class TagComparison:
    """One tag: values without intervals of their own, and the interval of the difference in F1."""

    facet: str
    tag: str
    decided: int
    approved: int
    current: dict[str, float]
    candidate: dict[str, float]
    f1_gain: Interval


@dataclass(frozen=True)
class MacroComparison:
    """Means over the ``tags`` that are right for at least one product; in a draw, over those right in it."""

    tags: int
    current: Side
    candidate: Side
    f1_gain: Interval


@dataclass(frozen=True)
class Calibration:
    """``ece``: expected calibration error over scores of at least ``FLOOR``; ``brier``: over all. Lower is better."""

    ece: Interval
    brier: Interval


@dataclass(frozen=True)
class CalibrationComparison:
    """Differences are candidate minus current: below 0 the candidate's scores are nearer to the truth."""

    current: Calibration
    candidate: Calibration
    ece_change: Interval
    brier_change: Interval


@dataclass(frozen=True)
class Material:
    """What both models are judged on: ``right``, ``known`` ``(n, columns)`` bool, the family of each row as a number."""

    right: np.ndarray
    known: np.ndarray
    family: np.ndarray
    models: tuple[Answers, Answers]
    draws: int
    seed: int
    tail: float

    def drawn(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums over products of ``cells`` ``(n, ...)``: as they are, and ``(draws, ...)`` over drawn families."""
        by_family = np.zeros((int(self.family.max()) + 1, *cells.shape[1:]))
        np.add.at(by_family, self.family, cells)
        flat = by_family.reshape(len(by_family), -1)
        return by_family.sum(0), resampled(flat, self.draws, self.seed).reshape(self.draws, *cells.shape[1:])


def by_tag(schema: Schema, material: Material, most: int = 500) -> tuple[MacroComparison | None, list[TagComparison]]:
    """The mean over tags, and the tags one by one, the most decided first, at most ``most``. None without a right tag.

    Tags that are right for no product and chosen by neither model are left out.
    """
    columns = np.flatnonzero((material.right | _chosen(material, 0) | _chosen(material, 1)).any(axis=0))
    rows: list[TagComparison] = []
    whole_sum, drawn_sum = np.zeros((2, 3)), np.zeros((material.draws, 2, 3))
    whole_tags, drawn_tags = 0, np.zeros(material.draws)
    for begin in range(0, len(columns), TAGS_AT_ONCE):
        some = columns[begin : begin + TAGS_AT_ONCE]
        whole, drawn = material.drawn(_counts(material, some))  # (tags, 2, 3), (draws, tags, 2, 3)
        values, samples = precision_recall_f1(whole), precision_recall_f1(drawn)
        there, there_drawn = whole[:, 0, 2] > 0, drawn[:, :, 0, 2] > 0
        whole_tags += int(there.sum())
        drawn_tags += there_drawn.sum(axis=1)
        whole_sum += values[there].sum(axis=0)
        drawn_sum += np.where(there_drawn[:, :, None, None], samples, 0.0).sum(axis=1)
        rows += [_tag(schema, material, int(c), values[n], samples[:, n]) for n, c in enumerate(some)]
    rows.sort(key=lambda row: (-row.decided, row.facet, row.tag))
    if not whole_tags:
        return None, rows[:most]
    mean, means = whole_sum / whole_tags, drawn_sum / np.maximum(drawn_tags, 1)[:, None, None]
    sides = [Side(*(interval(mean[m, k], means[:, m, k], material.tail) for k in range(3))) for m in (0, 1)]
    gain = interval(mean[1, 2] - mean[0, 2], means[:, 1, 2] - means[:, 0, 2], material.tail)
    return MacroComparison(whole_tags, sides[0], sides[1], gain), rows[:most]


def _chosen(material: Material, model: int) -> np.ndarray:
    chosen: np.ndarray = material.known & material.models[model].chosen
    return chosen


def _counts(material: Material, columns: np.ndarray) -> np.ndarray:
    """``(n, columns, 2 models, 3)``: hits, chosen, right."""
    right = material.right[:, columns]
    picked = [_chosen(material, m)[:, columns] for m in (0, 1)]
    return np.stack([np.stack([right & p, p, right], axis=-1) for p in picked], axis=2).astype(np.float64)


def _tag(schema: Schema, material: Material, column: int, values: np.ndarray, samples: np.ndarray) -> TagComparison:
    names = ("precision", "recall", "f1")
    sides = [{name: round(float(values[m, k]), 6) for k, name in enumerate(names)} for m in (0, 1)]
    gain = interval(values[1, 2] - values[0, 2], samples[:, 1, 2] - samples[:, 0, 2], material.tail)
    decided, approved = int(material.known[:, column].sum()), int(material.right[:, column].sum())
    return TagComparison(*schema.columns[column], decided, approved, sides[0], sides[1], gain)


def calibration(material: Material) -> CalibrationComparison:
    """ECE (bins of equal width, as ``ml.evaluation.metrics`` counts it) and Brier score of both models, paired."""
    sides, eces, briers = [], [], []
    for answers in material.models:
        (whole, drawn), (bins, drawn_bins) = (material.drawn(c) for c in _calibration_cells(material, answers.scores))
        sides.append((float(_brier(whole)), float(_ece(bins))))
        briers.append(_brier(drawn))
        eces.append(_ece(drawn_bins))
    tail = material.tail
    said = [Calibration(interval(sides[m][1], eces[m], tail), interval(sides[m][0], briers[m], tail)) for m in (0, 1)]
    return CalibrationComparison(
        said[0], said[1],
        interval(sides[1][1] - sides[0][1], eces[1] - eces[0], tail),
        interval(sides[1][0] - sides[0][0], briers[1] - briers[0], tail),
    )  # fmt: skip


def _calibration_cells(material: Material, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(n, 2)``: squared distances and pairs; ``(n, BINS, 3)``: pairs, their scores, how many are right."""
    n = len(scores)
    squared = np.where(material.known, (scores - material.right) ** 2, 0.0)
    distance = np.stack([squared.sum(axis=1), material.known.sum(axis=1)], axis=1)
    bins = np.zeros((n, BINS, 3))
    rows, columns = np.nonzero(material.known & (scores >= FLOOR))
    p, truth = scores[rows, columns], material.right[rows, columns]
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    for kind, weight in enumerate((np.ones(len(p)), p, truth)):
        np.add.at(bins[:, :, kind], (rows, which), weight)
    return distance, bins


def _brier(cells: np.ndarray) -> np.ndarray:
    out: np.ndarray = cells[..., 0] / np.maximum(cells[..., 1], 1)
    return out


def _ece(bins: np.ndarray) -> np.ndarray:
    gaps = np.abs(bins[..., 1] - bins[..., 2]).sum(axis=-1)
    out: np.ndarray = gaps / np.maximum(bins[..., 0].sum(axis=-1), 1)
    return out


def numbered(families: Sequence[str]) -> np.ndarray:
    """``(n,)`` int: the family of each product as a number from 0."""
    family: np.ndarray = np.unique(np.asarray(families, dtype=object).astype(str), return_inverse=True)[1]
    return family
