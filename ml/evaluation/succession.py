"""What would serve after a promotion against what serves now, on products that neither has learned from.

Not encoder against encoder: what reviewers meet is the instant head that sits on it, so a head is fitted on each, on
the same decisions. A fine-tuned encoder has seen the labels of its training families and is calibrated on others
(``calibrate_on``); those others come from the held-out half that is not being measured, then the halves change places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ml.encoders.base import Encoder
from ml.evaluation.compare import Answers, Comparison, compare
from ml.examples import Example, family_hash, fold_of, targets
from ml.instant.cache import EmbeddingCache
from ml.instant.model import InstantModel
from ml.schema import Schema

LEAST_FAMILIES = 4


def compare_successor(
    schema: Schema,
    decided: Sequence[Example],
    current: Sequence[Encoder],
    candidate: Sequence[Encoder],
    *,
    seen_by_candidate: frozenset[str],
    seen_by_current: frozenset[str] = frozenset(),
    cache: EmbeddingCache | None = None,
) -> Comparison | None:
    """Both on the decided products whose families no fine-tuning has read, source facts not shown.

    seen_by: hashes of the families an encoder was fine-tuned on (``ml.examples.family_hash``), empty for one that was
    not. None when fewer than four families are left to measure on.
    """
    seen = seen_by_candidate | seen_by_current
    held = [e for e in decided if family_hash(e.family) not in seen]
    rest = [e for e in decided if family_hash(e.family) in seen]
    if len({e.family for e in held}) < LEAST_FAMILIES:
        return None
    halves = [[e for e in held if fold_of(e.family, 2, "halves") == side] for side in (0, 1)]
    if not all(halves):
        return None
    ordered = [*halves[0], *halves[1]]
    answers = []
    for encoders, fine_tuned in ((current, bool(seen_by_current)), (candidate, bool(seen_by_candidate))):
        parts = []
        for judged, other in (halves, halves[::-1]):
            calibrate_on = {e.family for e in other} if fine_tuned else None
            model = InstantModel.fit(schema, [*rest, *other], encoders, calibrate_on=calibrate_on, cache=cache)
            parts.append(model.scores([replace(e, source={}) for e in judged], cache))
            parts.append(parts[-1] >= model.thresholds)
        answers.append(Answers(np.vstack(parts[::2]), np.vstack(parts[1::2])))
    y, known = targets(schema, ordered)
    if not known.any():
        return None
    return compare(
        schema, y, known, answers[0], answers[1], ids=[e.id for e in ordered], families=[e.family for e in ordered]
    )
