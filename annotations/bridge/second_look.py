"""Decisions that a model which has not seen them finds unlikely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from annotations.bridge.held import held
from annotations.bridge.rows import schema_of
from annotations.models import Catalogue
from ml.evaluation.label_errors import second_look, unlikely

MOST = 6000  # decided products that are compared, the newest
LISTED = 300
LIKELY = 0.5  # decisions at least so likely are not listed


@dataclass(frozen=True, slots=True)
class Doubted:
    """A decision by product (primary key), facet and tag: whether it was approved, how likely the model finds that, and
    whether confident learning calls it an issue."""

    product: int
    facet: str
    tag: str
    approved: bool
    probability: float
    issue: bool


def doubted_decisions(catalogue: Catalogue, step: Callable[[int, int], None]) -> tuple[list[Doubted], int]:
    """The least likely first, and how many decisions were compared. ``step`` is told of progress and may raise."""
    here = held(catalogue)
    with here.lock:
        pool, _hand, _seq = here.refresh(catalogue, schema_of(catalogue), lambda text: None)
        keys = pool.decided[-MOST:]
        features = pool.features(keys)
        y, known = pool.truth(keys)
        rows = pool.rows(keys).tolist()
        columns, families = pool.schema.columns, [pool.families[row] for row in rows]
        ids = [pool.ids[row] for row in rows]
    known = known & features.applies
    if not known.any():
        return [], 0
    p = second_look(features.dense, y, known, ids, families, step=step)
    found = unlikely(y, p, known, most=LISTED)
    doubted = []
    for at, (row, column) in enumerate(zip(found.rows.tolist(), found.columns.tolist(), strict=True)):
        probability, (facet, tag) = float(found.probability[at]), columns[column]
        if probability < LIKELY:
            approved, issue = bool(y[row, column] > 0.5), bool(found.issue[at])
            doubted.append(Doubted(int(keys[row]), facet, tag, approved, round(probability, 4), issue))
    return doubted, int(np.count_nonzero(known))
