"""The report of a full run: what the model does on products that it has not read, beside what serves today."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.evaluation.compare import Answers, compare
from ml.evaluation.smaller import beside_teacher
from ml.evaluation.spans import entity_scores
from ml.examples import Example, targets
from ml.schema import Schema
from ml.serving.full import FullModel
from ml.serving.labelling import known_facets
from ml.serving.spans import SpanReader
from ml.training.inputs import seen_from
from ml.training.plan import Plan
from ml.training.weak import with_weak_spans

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
    beside = {}
    if plan.teacher:
        teacher = FullModel.load(seen_from(folder, plan.teacher))
        beside = {"teacher": asdict(beside_teacher(teacher, candidate, judged))}
    return {
        **beside,
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
        **({"spans": measure_spans(plan, candidate.spans, judged)} if candidate.spans else {}),
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


def measure_spans(plan: Plan, reader: SpanReader, examples: list[Example]) -> dict[str, Any]:
    """Precision, recall and F1 of spans over all facets and by facet, where they are known; ``against`` says by whom:
    people (``marked``), or also the words of accepted tags (``weak``), which are right as far as the dictionary is."""
    truth = with_weak_spans(reader.schema, examples) if plan.spans == "weak" else examples
    gold = [{(s.facet, s.field, s.start, s.end) for s in e.spans} for e in truth]
    found = [
        {(v.facet, v.span.field, v.span.start, v.span.end) for v in values if v.facet in known_facets(example)}
        for example, values in zip(truth, reader.read(examples), strict=True)
    ]
    scores = entity_scores(gold, found)
    named = [
        {"facet": kind, "due": c.due, "precision": c.precision, "recall": c.recall, "f1": c.f1}
        for kind, c in scores.items()
    ]
    return {"against": plan.spans, **{k: v for k, v in named[0].items() if k != "facet"}, "facets": named[1:]}


def macro_f1(right: np.ndarray, chosen: np.ndarray) -> float:
    """The mean F1 of the tags that some product has; both ``(n, columns)`` bool, False where nothing is known."""
    some = right.any(axis=0)
    f1 = 2 * (right & chosen).sum(0)[some] / (right.sum(0) + chosen.sum(0))[some]
    return round(float(f1.mean()), 6) if some.any() else 0.0
