"""What drift is looked at through: an encoder and a head that have seen neither of the two sides that they compare.

Whatever was fitted on what came before finds anything new unlike it, also where nothing has changed: on a real catalogue
the encoder and the head that serve alarmed in four looks of five (benchmarks/README.md). So half of the families of what
was before, chosen by a hash, are learned from, and the other half is what the new ones are compared with: to a yardstick
made of other families, all of these are equally new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ml.encoders.lexical import LexicalEncoder, LexicalPlan
from ml.evaluation.drift import MOST, Shift, shifts
from ml.examples import Example, fold_of
from ml.instant.model import InstantModel
from ml.schema import Schema

LEARNED = 200  # products, at most, that it is fitted on
COMPARED = 400  # products of a side, at most, that are looked at through it
LEAST = 12  # families on each side of a comparison, and of decided ones to learn tags from
DIM = 64
EMBEDDING = ""  # no facet is called so


@dataclass(frozen=True)
class Yardstick:
    """``learned``: families that it must not be held to."""

    encoder: LexicalEncoder
    model: InstantModel | None
    learned: frozenset[str]

    @classmethod
    def fit(cls, schema: Schema, before: Sequence[Example]) -> Self | None:
        """On half of the families; decided products first, then the last ones. None with too few families."""
        half = [e for e in before if fold_of(e.family, 2, "drift") == 0]
        if len({e.family for e in half}) < LEAST:
            return None
        decided = [e for e in half if e.decided]
        others = [e for e in half if not e.decided]
        some = [*decided[-LEARNED:], *others[max(0, len(others) + len(decided[-LEARNED:]) - LEARNED) :]]
        encoder = LexicalEncoder.fit(some, LexicalPlan(dim=DIM))
        model = None
        if schema.columns and len({e.family for e in decided[-LEARNED:]}) >= LEAST:
            model = InstantModel.fit(schema, decided[-LEARNED:], [encoder])
        return cls(encoder, model, frozenset(e.family for e in half))

    def shifts(
        self, before: Sequence[Example], recent: Sequence[Example], *, seed: int = 0, most: int = MOST
    ) -> dict[str, Shift]:
        """Of the embeddings (``EMBEDDING``) and, facet by facet, of the probabilities of its tags.

        Products of families that it has learned from are left out. Empty with too few families on a side.
        """
        sides = [[e for e in side if e.family not in self.learned][-COMPARED:] for side in (before, recent)]
        families = [[e.family for e in side] for side in sides]
        late = set(families[1])
        if len(late) < LEAST or len(set(families[0]) - late) < LEAST:
            return {}
        old, new = (self.encoder.embed(side) for side in sides)
        views = {EMBEDDING: (old, new)}
        if self.model is not None:
            was, now = (self.model.scores(side) for side in sides)
            facets = {f: columns for f, columns in self.model.schema.facet_columns.items() if columns}
            views |= {facet: (was[:, columns], now[:, columns]) for facet, columns in facets.items()}
        return shifts(views, *families, seed=seed, most=most)
