"""The report of a full run: what the model does on products that it has not read, beside what serves today."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.evaluation.compare import Answers, compare
from ml.examples import Example, targets
from ml.schema import Schema
from ml.serving.full import FullModel
from ml.training.plan import Plan

if TYPE_CHECKING:
    from ml.training.inputs import Parts
    from ml.training.loop import Progress


def build_report(
    folder: Path, plan: Plan, schema: Schema, parts: Parts, progress: Progress,
    *, seconds: float, data: str,
) -> dict[str, Any]:  # fmt: skip
    """The content of ``report.json``; see README.md for its fields."""
    candidate = FullModel.load(folder / "bundle")
    judged = parts.held_out or parts.validation
    return {
        "format": 1,
        "primary": "micro_f1",
        "direction": "higher",
        "measured_on": "held_out" if parts.held_out else "validation",
        "seconds": seconds,
        "data": {
            "hash": data,
            **{name: len(getattr(parts, name)) for name in ("train", "validation", "held_out", "undecided")},
        },
        "plan": plan.to_json(),
        "curve": progress.curve,
        "validations": progress.validations,
        **measure(schema, judged, answers(candidate, judged)),
    }


def answers(model: FullModel, examples: list[Example]) -> Answers:
    scores = model.scores(examples)
    return Answers(scores, model.decide(scores))


def measure(schema: Schema, examples: list[Example], found: Answers) -> dict[str, Any]:
    """``{"metrics": {...}, "facets": [...]}`` of one model: precision, recall and F1 with intervals by family."""
    y, known = targets(schema, examples)
    whole = compare(schema, y, known, found, found, ids=[e.id for e in examples], families=[e.family for e in examples])
    overall = whole.overall.candidate
    metrics = {
        "primary": overall.f1.value,
        "micro_f1": overall.f1.value,
        "micro_f1_interval": [overall.f1.low, overall.f1.high],
        "micro_precision": overall.precision.value,
        "micro_recall": overall.recall.value,
        "macro_f1": macro_f1((y > 0.5) & known, known & found.chosen),
        "products": whole.products,
        "families": whole.families,
    }
    facets = [
        {"facet": f.facet, "decided": f.decided, "approved": f.approved, **asdict(f.candidate)} for f in whole.facets
    ]
    return {"metrics": metrics, "facets": facets}


def macro_f1(right: np.ndarray, chosen: np.ndarray) -> float:
    """The mean F1 of the tags that some product has; both ``(n, columns)`` bool, False where nothing is known."""
    some = right.any(axis=0)
    f1 = 2 * (right & chosen).sum(0)[some] / (right.sum(0) + chosen.sum(0))[some]
    return round(float(f1.mean()), 6) if some.any() else 0.0
