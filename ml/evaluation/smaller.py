"""A student beside its teacher: does it answer the same, and how much quicker?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ml.evaluation.paired import precision_recall_f1
from ml.examples import Example, targets
from ml.schema import Schema

if TYPE_CHECKING:
    from ml.serving.full import FullModel


@dataclass(frozen=True)
class Beside:
    """agreement: share of (product, facet) pairs, of those in which either tags anything, with the same tags
    speed:     how many times as fast the student reads these products (processor time, the median of three rounds)
    f1_loss:   micro-F1 that is lost, 0 to 1; negative where the student is better
    """

    agreement: float
    speed: float
    f1_loss: float


def beside_teacher(teacher: FullModel, student: FullModel, examples: Sequence[Example]) -> Beside:
    """Both on the same decided products (at least one), encoders included."""
    y, known = targets(student.schema, examples)
    chosen = [m.decide(m.scores(examples)) for m in (teacher, student)]
    took = [_seconds(m, examples) for m in (teacher, student)]
    f1 = [micro_f1(y > 0.5, c, known) for c in chosen]
    return Beside(same_answers(student.schema, *chosen), took[0] / max(took[1], 1e-9), f1[0] - f1[1])


def same_answers(schema: Schema, first: np.ndarray, second: np.ndarray) -> float:
    """Share of (product, facet) pairs, of those in which either tags anything, that have the same tags in both; the
    arguments are bool ``(n, columns)``. 1 where neither tags anything."""
    same = asked = 0
    for columns in schema.facet_columns.values():
        ours, theirs = first[:, columns], second[:, columns]
        some = ours.any(1) | theirs.any(1)
        same += int((~(ours != theirs).any(1) & some).sum())
        asked += int(np.count_nonzero(some))
    return same / asked if asked else 1.0


def micro_f1(right: np.ndarray, chosen: np.ndarray, known: np.ndarray) -> float:
    """Of bool ``(n, columns)``, where anybody has said."""
    counts = np.array([(right & chosen & known).sum(), (chosen & known).sum(), (right & known).sum()], dtype=float)
    return float(precision_recall_f1(counts)[2])


def _seconds(model: FullModel, examples: Sequence[Example], rounds: int = 3) -> float:
    spent = []
    for _ in range(rounds):
        begun = time.process_time()
        model.encoder.embed(examples)
        spent.append(time.process_time() - begun)
    return float(np.median(spent))
