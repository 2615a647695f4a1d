"""Predictor: a bundle that answers. Calibrated tags with their band, where they come from, and the words behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np

from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, Span
from ml.instant.cache import EmbeddingCache
from ml.instant.combine import KINDS, share_single, support_step
from ml.instant.dictionary import plain
from ml.instant.evidence import entry_precision
from ml.instant.model import Features, InstantModel
from ml.knowledge import Relations
from ml.serving.bands import FLOOR, Band, band
from ml.serving.evidence import MOST, dictionary_spans, word_spans
from ml.serving.spans import SpanReader, Value, tag_names

Origin = Literal["model", "dictionary", "source", "label"]
_ORIGINS: dict[Origin, tuple[str, ...]] = {
    "dictionary": ("dictionary", "title", "category"),
    "model": ("head", "prototype"),
    "label": ("label_words", "label_sense"),
}
CHUNK = 1000  # products whose evidence is held at a time


@dataclass(frozen=True, slots=True)
class TagPrediction:
    """A suggested tag. ``score`` is the calibrated probability that it is right; ``source`` what spoke most for it."""

    facet: str
    tag: str
    score: float
    band: Band
    source: Origin
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """The suggestions for one product: facets in the order of the schema, best first inside a facet."""

    id: str
    tags: tuple[TagPrediction, ...]

    @property
    def checked(self) -> tuple[TagPrediction, ...]:
        """What a reviewer gets checked: bands strong and likely."""
        return tuple(t for t in self.tags if t.band != "unsure")


class Predictor:
    """Answers with one instant model, in agreement with the taxonomy's relations (``ml.knowledge``). Thread-safe for reading: nothing changes after it is made.

    reader: of the full model under the head, where that learned spans; the words it finds are the first evidence
    """

    def __init__(
        self, model: InstantModel, cache: EmbeddingCache | None = None, reader: SpanReader | None = None
    ) -> None:
        self.model, self.reader = model, reader
        self._names = tag_names(model.schema) if reader else {}
        self._cache = cache
        self._relations = Relations.of(model.schema)
        self._precision = entry_precision(model.dictionary)
        lexical = [n for n, e in enumerate(model.encoders) if isinstance(e, LexicalEncoder)]
        self._lexical = lexical[0] if lexical else None

    @classmethod
    def load(cls, bundle_dir: Path, encoders_dir: Path | None = None, *, cache: EmbeddingCache | None = None) -> Self:
        """Raises BundleError, naming the file, for anything that is not what the bundle's card says."""
        return cls(InstantModel.load(bundle_dir, encoders_dir), cache)

    def scores(self, examples: Sequence[Example]) -> np.ndarray:
        """``(n, len(schema.columns))`` probabilities, for ranking; 0 where the facet does not apply."""
        return self.model.scores(examples, self._cache)

    def predict(
        self, examples: Sequence[Example], *, floor: float = FLOOR, limit_per_facet: int = 8, spans: bool = True
    ) -> list[Prediction]:
        """Suggestions of at least ``floor``, at most ``limit_per_facet`` a facet, in the order given.

        Facets that do not apply to a product's category are left out. ``spans=False`` leaves out the evidence.
        """
        out: list[Prediction] = []
        for begin in range(0, len(examples), CHUNK):
            out += self._predict(examples[begin : begin + CHUNK], floor, limit_per_facet, spans)
        return out

    def _predict(self, examples: Sequence[Example], floor: float, limit: int, spans: bool) -> list[Prediction]:
        model = self.model
        features = model.features(examples, self._cache)
        evidence = model.evidence(features)
        logits = np.where(features.applies, model.combiner.logits(evidence, model.support), np.float32(-30.0))
        scores = np.where(features.applies, share_single(logits, model.schema), 0.0)
        scores = self._relations.constrain(scores, [e.category for e in examples])
        checked = self._relations.settle(scores >= model.thresholds, scores)
        read = self.reader.remembered(examples) if self.reader and spans else [[] for _ in examples]
        found = []
        for row, example in enumerate(examples):
            columns = self._columns(scores[row], floor, limit)
            origins = self._origins(evidence, row, columns)
            words = self._spans(example, features, row, columns, read[row]) if spans and columns else {}
            tags = tuple(
                TagPrediction(
                    *model.schema.columns[column],
                    score=float(scores[row, column]),
                    band=self._band(float(scores[row, column]), column, bool(checked[row, column])),
                    source=origin,
                    spans=words.get(column, ()),
                )
                for column, origin in zip(columns, origins, strict=True)
            )
            found.append(Prediction(example.id, tags))
        return found

    def _band(self, score: float, column: int, checked: bool) -> Band:
        """What the taxonomy's relations bring along is checked, what they rule out is not."""
        if not checked:
            return "unsure"
        found = band(score, float(self.model.thresholds[column]), float(self.model.strong[column]))
        return "likely" if found == "unsure" else found

    def _columns(self, scores: np.ndarray, floor: float, limit: int) -> list[int]:
        """Columns to suggest: facet by facet, best first."""
        picked: list[int] = []
        for columns in self.model.schema.facet_columns.values():
            above = [c for c in columns if scores[c] >= floor]
            picked += sorted(above, key=lambda c: -scores[c])[:limit]
        return picked

    def _origins(self, evidence: Mapping[str, np.ndarray], row: int, columns: list[int]) -> list[Origin]:
        """For each column, the origin whose evidence weighs most."""
        if not columns:
            return []
        weight = self.model.combiner.weights[support_step(self.model.support[columns])]
        names: list[Origin] = [*_ORIGINS, "source"]
        table = np.zeros((len(names), len(columns)))
        gain = evidence["source"][row, columns]
        table[-1] = gain * self.model.combiner.facts[0] + (gain != 0) * self.model.combiner.facts[1]
        for at, kinds in enumerate(_ORIGINS.values()):
            for kind in kinds:
                if kind in evidence:
                    table[at] += evidence[kind][row, columns] * weight[:, KINDS.index(kind)]
        best = table.argmax(axis=0)
        nothing = table.max(axis=0) <= 0  # only its frequency speaks for it: that is the model's knowledge
        return ["model" if nothing[at] else names[best[at]] for at in range(len(columns))]

    def _spans(
        self, example: Example, features: Features, row: int, columns: list[int], read: Sequence[Value]
    ) -> dict[int, tuple[Span, ...]]:
        model = self.model
        marked: dict[tuple[str, str], list[Span]] = {}
        for value in read:
            tag = self._names.get((value.facet, plain(value.text)))
            if tag and len(there := marked.setdefault((value.facet, tag), [])) < MOST:
                there.append(replace(value.span, tag=tag))
        of_row = features.matches[row]
        odds = np.log(self._precision / (1 - np.minimum(self._precision, 0.999)))
        useful = {m.entry: float(odds[m.entry] - model.prior[m.column]) for m in of_row}
        found = {
            c: tuple(marked.get(model.schema.columns[c], ())) or dictionary_spans(model.dictionary, of_row, c, useful)
            for c in columns
        }
        rest = [c for c in columns if not found[c]]
        if rest and self._lexical is not None:
            encoder = model.encoders[self._lexical]
            assert isinstance(encoder, LexicalEncoder)
            length = float(np.linalg.norm(features.dense[row] - model.centre))
            directions = model.directions(self._lexical, rest, length)
            pairs = [model.schema.columns[c] for c in rest]
            found |= dict(zip(rest, word_spans(example, encoder, directions, pairs), strict=True))
        return found
