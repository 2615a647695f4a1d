"""Report: what a model is worth on products it has not seen, in one object that goes to disk and to the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from ml.evaluation import metrics
from ml.examples import Example, targets
from ml.schema import Schema
from ml.serving.bands import FLOOR


@dataclass(frozen=True, slots=True)
class Report:
    """primary names the measure that decides, direction which way is better; interval is its 95 % by families."""

    primary: str
    direction: Literal["higher", "lower"]
    values: dict[str, float]
    interval: tuple[float, float]
    facets: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    products: int = 0
    families: int = 0
    pairs: int = 0  # (product, tag) that somebody has said something about

    @property
    def value(self) -> float:
        return self.values[self.primary]

    def better_than(self, other: Report) -> bool:
        """By the primary measure alone; whether the difference means anything is a matter for a paired comparison."""
        return self.value > other.value if self.direction == "higher" else self.value < other.value

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "interval": tuple(data["interval"])})

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.to_json(), ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")))


def evaluate(
    schema: Schema,
    examples: Sequence[Example],
    scores: np.ndarray,
    thresholds: np.ndarray,
    *,
    primary: str = "micro_f1",
    seed: int = 0,
) -> Report:
    """Compare ``scores`` ``(n, T)`` with what people decided about ``examples``; a tag counts from its threshold on.

    thresholds: ``(T,)``. Products that share a family are drawn together for the interval. Raises ValueError when the
    shapes do not fit.
    """
    if scores.shape != (len(examples), len(schema.columns)) or thresholds.shape != (len(schema.columns),):
        raise ValueError(f"scores {scores.shape} and thresholds {thresholds.shape} do not fit {len(examples)} products")
    y, known = targets(schema, examples)
    applies = np.array([[schema.facet(f).applies(e.category) for f, _ in schema.columns] for e in examples], dtype=bool)
    known = known & applies.reshape(known.shape)
    checked = (scores >= thresholds).astype(np.float32)
    micro, macro, sample = (measure(y, checked, known) for measure in (metrics.micro, metrics.macro, metrics.sample))
    families = [e.family for e in examples]
    values = {
        **{f"micro_{name}": value for name, value in micro.items()},
        **{f"macro_{name}": value for name, value in macro.items()},
        **{f"sample_{name}": value for name, value in sample.items()},
        "map": metrics.mean_average_precision(y, scores, known),
        "ece": metrics.expected_calibration_error(y, scores, known, least=FLOOR),
        "brier": metrics.brier(y, scores, known),
    }
    return Report(
        primary=primary,
        direction="lower" if primary in {"ece", "brier"} else "higher",
        values=values,
        interval=metrics.micro_f1_interval(y, checked, known, families, seed=seed)
        if primary == "micro_f1"
        else (values[primary], values[primary]),
        facets=metrics.per_facet(y, checked, known, schema),
        tags=metrics.per_tag(y, checked, known, schema),
        products=len(examples),
        families=len(set(families)),
        pairs=int(known.sum()),
    )
