"""What would serve after a promotion against what serves now, on products that neither has learned from.

Not encoder against encoder: what reviewers meet is the instant head that sits on it, so a head is fitted on each, on
the same decisions. A fine-tuned encoder has seen the labels of its training families and is calibrated on others
(``calibrate_on``); those others come from the held-out half that is not being measured, then the halves change places.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ml.encoders.base import Encoder
from ml.evaluation.compare import Answers, Comparison, compare
from ml.examples import Example, family_hash, fold_of, targets
from ml.instant.cache import EmbeddingCache
from ml.instant.model import InstantModel
from ml.schema import Schema

LEAST_FAMILIES = 4
OUTPUTS = 200  # products answered differently that are kept for people to judge

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Outputs:
    """What the two models say of one product, decided on or not, as (facet, tag) in the order of the schema."""

    product: str
    current: Tags
    candidate: Tags


@dataclass(frozen=True)
class Succession:
    """``blind``: the same comparison on those of the products that people decided on without suggestions, None where
    they are of fewer than four families. ``outputs``: a random sample of the products on which the models differ, of
    ``differing`` in all."""

    comparison: Comparison
    blind: Comparison | None
    outputs: tuple[Outputs, ...]
    differing: int

    def to_json(self) -> dict[str, Any]:
        """The comparison's own fields, with the others beside them; the blind one without its flips."""
        blind = {**self.blind.to_json(), "flips": []} if self.blind else None
        outputs = [asdict(o) for o in self.outputs]
        return {**self.comparison.to_json(), "blind": blind, "outputs": outputs, "differing": self.differing}


def compare_successor(
    schema: Schema,
    decided: Sequence[Example],
    current: Sequence[Encoder],
    candidate: Sequence[Encoder],
    *,
    seen_by_candidate: frozenset[str],
    seen_by_current: frozenset[str] = frozenset(),
    blind: AbstractSet[str] = frozenset(),
    cache: EmbeddingCache | None = None,
) -> Succession | None:
    """Both on the decided products whose families no fine-tuning has read, source facts not shown.

    seen_by: hashes of the families an encoder was fine-tuned on (``ml.examples.family_hash``), empty for one that was
    not. blind: ids of products that were decided blind. None when fewer than four families are left to measure on.
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

    def on(rows: np.ndarray) -> Comparison:
        sides = [Answers(a.scores[rows], a.chosen[rows]) for a in answers]
        some = [ordered[row] for row in rows]
        names = [e.id for e in some], [e.family for e in some]
        return compare(schema, y[rows], known[rows], *sides, ids=names[0], families=names[1])

    drawn = np.array([row for row, e in enumerate(ordered) if e.id in blind and known[row].any()], dtype=np.int64)
    enough = len({ordered[row].family for row in drawn}) >= LEAST_FAMILIES
    outputs, differing = _outputs(schema, ordered, answers)
    return Succession(on(np.arange(len(ordered))), on(drawn) if enough else None, outputs, differing)


def _outputs(
    schema: Schema, examples: Sequence[Example], answers: Sequence[Answers]
) -> tuple[tuple[Outputs, ...], int]:
    rows = np.flatnonzero((answers[0].chosen != answers[1].chosen).any(axis=1))
    kept = np.sort(np.random.default_rng(0).permutation(rows)[:OUTPUTS])

    def said(model: int, row: int) -> Tags:
        return tuple(schema.columns[column] for column in np.flatnonzero(answers[model].chosen[row]))

    return tuple(Outputs(examples[row].id, said(0, row), said(1, row)) for row in kept.tolist()), len(rows)
