"""From a tag head's logits to calibrated probabilities and decisions, the same in training and in serving. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.instant.combine import fit_thresholds, fixed_thresholds, share_single
from ml.schema import Schema

DEFAULT_THRESHOLD = 0.4


@dataclass(frozen=True)
class Calibration:
    """``temperature`` divides the logits; ``thresholds`` ``(columns,)`` are the scores from which a tag is chosen."""

    temperature: float
    thresholds: np.ndarray

    def to_json(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "thresholds": [round(float(t), 6) for t in self.thresholds]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        return cls(float(data["temperature"]), np.array(data["thresholds"], dtype=np.float64))


def probabilities(schema: Schema, logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """``(n, columns)`` logits to probabilities: sigmoid in multi-choice facets; in single-choice ones a softmax over
    the tags and, with logit 0, none of them (see ``ml.heads.tags``)."""
    return share_single(np.asarray(logits, dtype=np.float64) / temperature, schema)


def decide(schema: Schema, p: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """``(n, columns)`` bool: tags at or above their threshold; of a single-choice facet at most the likeliest."""
    chosen: np.ndarray = p >= thresholds
    for facet in schema.facets:
        columns = schema.facet_columns[facet.slug]
        if facet.single and columns:
            best = p[:, columns].argmax(1)
            keep = np.zeros((len(p), len(columns)), dtype=bool)
            keep[np.arange(len(p)), best] = True
            chosen[:, columns] &= keep
    return chosen


def calibrate(schema: Schema, logits: np.ndarray, y: np.ndarray, known: np.ndarray) -> Calibration:
    """Temperature (Guo et al. 2017) and thresholds for the best F1, from products that no weight was fitted on.

    A facet's threshold is pulled to the one over all, the more the fewer right tags it has. Without any right tag
    nothing is learned.
    """
    right = y > 0.5
    if not (known & right).any():
        return Calibration(1.0, fixed_thresholds(np.full(len(schema.columns), DEFAULT_THRESHOLD), schema))

    def surprise(temperature: float) -> float:
        p = np.clip(probabilities(schema, logits, temperature)[known], 1e-7, 1 - 1e-7)
        return float(-np.where(right[known], np.log(p), np.log1p(-p)).mean())

    temperature = float(min(np.geomspace(0.25, 8.0, 61), key=surprise))
    return Calibration(temperature, fit_thresholds(probabilities(schema, logits, temperature), y, known, schema))
