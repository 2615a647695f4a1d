"""Candidate against current on the same products: precision, recall and F1 with intervals, and what flips.

Intervals are percentile bootstrap over families (Efron 1979), paired: both models are judged on the same resampled
families, so that the interval of the difference knows how much they agree. Pure numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ml.evaluation.breakdown import (
    CalibrationComparison,
    MacroComparison,
    Material,
    TagComparison,
    by_tag,
    calibration,
    numbered,
)
from ml.evaluation.paired import Answers, Interval, Side, interval, precision_recall_f1, resampled
from ml.evaluation.regressions import Regression, regressions
from ml.schema import Schema

OVERALL = "overall"
__all__ = ["Answers", "Comparison", "FacetComparison", "Flip", "Interval", "Side", "compare", "resampled"]


@dataclass(frozen=True)
class FacetComparison:
    """``decided`` is the number of known product x tag pairs, ``approved`` of those that are right."""

    facet: str
    decided: int
    approved: int
    current: Side
    candidate: Side
    f1_gain: Interval


@dataclass(frozen=True)
class Flip:
    """A known product x tag pair on which the two models disagree. ``right`` says whether the candidate is right.

    A flip with ``approved`` and not ``candidate`` contradicts a tag that people approved.
    """

    product: str
    facet: str
    tag: str
    approved: bool
    current: bool
    candidate: bool
    current_score: float
    candidate_score: float
    right: bool


@dataclass(frozen=True)
class Comparison:
    """``flips`` are wrong ones first, at most as many as asked for; ``wins`` and ``losses`` count all, by facet."""

    products: int
    families: int
    confidence: float
    draws: int
    overall: FacetComparison
    facets: tuple[FacetComparison, ...]
    flips: tuple[Flip, ...]
    wins: dict[str, int]
    losses: dict[str, int]
    macro: MacroComparison | None
    tags: tuple[TagComparison, ...]
    calibration: CalibrationComparison
    regressed: tuple[Regression, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    schema: Schema,
    y: np.ndarray,
    known: np.ndarray,
    current: Answers,
    candidate: Answers,
    *,
    ids: Sequence[str],
    families: Sequence[str],
    draws: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    most_flips: int = 5000,
) -> Comparison:
    """``y`` and ``known`` are those of ``ml.examples.targets``. Facets without a known pair are left out.

    Raises ValueError when shapes differ or there are no products.
    """
    for name, part in {"known": known, "current": current.chosen, "candidate": candidate.chosen}.items():
        if part.shape != y.shape:
            raise ValueError(f"{name} has shape {part.shape}, y {y.shape}")
    if not len(y) or len(ids) != len(y) or len(families) != len(y):
        raise ValueError("ids, families and y must be of one length, and not empty")
    right = (y > 0.5) & known
    groups = [schema.facet_columns[f.slug] for f in schema.facets]
    slugs = [f.slug for f in schema.facets]
    family = numbered(families)
    counts = _counts(right, known, (current.chosen, candidate.chosen), groups, family)
    family_count = len(counts)
    sampled = resampled(counts.reshape(family_count, -1), draws, seed).reshape(draws, *counts.shape[1:])
    whole = counts.sum(0)
    tail = (1 - confidence) / 2

    def compared(name: str, place: int, columns: Sequence[int]) -> FacetComparison:
        sides = [_side(whole[place, m], sampled[:, place, m], tail) for m in (0, 1)]
        f1 = [precision_recall_f1(sampled[:, place, m])[..., 2] for m in (0, 1)]
        gain = interval(sides[1].f1.value - sides[0].f1.value, f1[1] - f1[0], tail)
        decided, approved = int(known[:, columns].sum()), int(right[:, columns].sum())
        return FacetComparison(name, decided, approved, sides[0], sides[1], gain)

    flips, wins, losses = _flips(schema, right, known, current, candidate, ids)
    material = Material(right, known, family, (current, candidate), draws, seed, tail)
    macro, tags = by_tag(schema, material)
    return Comparison(
        products=len(y),
        families=family_count,
        confidence=confidence,
        draws=draws,
        overall=compared(OVERALL, len(groups), range(y.shape[1])),
        facets=tuple(compared(s, i, groups[i]) for i, s in enumerate(slugs) if known[:, groups[i]].any()),
        flips=tuple(flips[:most_flips]),
        wins=wins,
        losses=losses,
        macro=macro,
        tags=tuple(tags),
        calibration=calibration(material),
        regressed=regressions(schema, right, known, current.chosen, candidate.chosen, family),
    )


def _counts(
    right: np.ndarray,
    known: np.ndarray,
    chosen: tuple[np.ndarray, np.ndarray],
    groups: Sequence[Sequence[int]],
    family: np.ndarray,
) -> np.ndarray:
    """``(families, facets + 1, 2 models, 3)``: true positives, chosen, right; the last facet is all together."""
    per_product = np.zeros((len(right), len(groups) + 1, 2, 3))
    for model, picked in enumerate(chosen):
        cells = (right & picked, known & picked, right)
        for kind, cell in enumerate(cells):
            for place, columns in enumerate(groups):
                per_product[:, place, model, kind] = cell[:, columns].sum(1)
            per_product[:, -1, model, kind] = cell.sum(1)
    out = np.zeros((int(family.max()) + 1, *per_product.shape[1:]))
    np.add.at(out, family, per_product)
    return out


def _side(whole: np.ndarray, sampled: np.ndarray, tail: float) -> Side:
    values, draws = precision_recall_f1(whole), precision_recall_f1(sampled)
    return Side(*(interval(values[k], draws[:, k], tail) for k in range(3)))


def _flips(
    schema: Schema, right: np.ndarray, known: np.ndarray, current: Answers, candidate: Answers, ids: Sequence[str]
) -> tuple[list[Flip], dict[str, int], dict[str, int]]:
    flips: list[Flip] = []
    wins: dict[str, int] = {}
    losses: dict[str, int] = {}
    for row, column in np.argwhere(known & (current.chosen != candidate.chosen)):
        facet, tag = schema.columns[column]
        correct = bool(candidate.chosen[row, column] == right[row, column])
        tally = wins if correct else losses
        tally[facet] = tally.get(facet, 0) + 1
        flips.append(
            Flip(
                ids[row], facet, tag, bool(right[row, column]), bool(current.chosen[row, column]),
                bool(candidate.chosen[row, column]), round(float(current.scores[row, column]), 4),
                round(float(candidate.scores[row, column]), 4), correct,
            )
        )  # fmt: skip
    flips.sort(key=lambda f: (f.right, not f.approved, -abs(f.candidate_score - f.current_score)))
    return flips, wins, losses
