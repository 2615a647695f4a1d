"""A full bundle without torch: its encoder through ONNX Runtime, its tag head in numpy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ml.bundle import BundleError, read_bundle
from ml.encoders.base import Encoder, load_encoder
from ml.encoders.onnx import OnnxEncoder
from ml.examples import Example
from ml.instant.model import applicable
from ml.instant.phrases import Phrases
from ml.knowledge import Relations
from ml.schema import Schema
from ml.serving.decoding import Calibration, decide, probabilities
from ml.serving.labelling import Labels
from ml.serving.spans import SpanReader, SpanWeights

KIND = "full"
SPANS, PHRASES = "spans.safetensors", "phrases.json"  # of a bundle whose plan learned spans


class FullModel:
    """What ``python -m ml train`` leaves in ``bundle/``, ready to answer. Products go in batches of any size.

    encoder:  unit vectors of width d; the one that an instant head sits on once this bundle is promoted
    families: hashes of the families it was trained on or stopped by (``family_hash``)
    spans:    reads spans and values in products; None where the plan learned none
    """

    def __init__(
        self,
        encoder: Encoder,
        schema: Schema,
        weight: np.ndarray,
        bias: np.ndarray,
        calibration: Calibration,
        families: frozenset[str] = frozenset(),
        name: str = "",
        spans: SpanReader | None = None,
    ) -> None:
        self.encoder, self.schema, self.calibration = encoder, schema, calibration
        self.families, self.hash, self.spans = families, name, spans
        self._relations = Relations.of(schema)
        self._weight, self._bias = weight, bias

    @classmethod
    def load(cls, directory: Path, *, verify: bool = True) -> FullModel:
        """Raises BundleError or EncoderError, naming the file, when the directory is not a whole full bundle."""
        bundle = read_bundle(directory, verify)
        if bundle.kind != KIND:
            raise BundleError(f"{directory.name}: a bundle of kind {bundle.kind!r}, not {KIND!r}")
        try:
            schema = Schema.load(directory / "schema.json")
            calibration = Calibration.from_json(json.loads((directory / "calibration.json").read_text("utf-8")))
            families = frozenset(json.loads((directory / "families.json").read_text("utf-8")))
            head = load_file(directory / "head.safetensors")
            weight, bias = head["weight"], head["bias"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
            raise BundleError(f"{directory.name}: not a whole full bundle ({error!r})") from error
        encoder = load_encoder(directory / "encoder")
        tags = (len(schema.columns),)
        if weight.shape != (*tags, encoder.dim) or bias.shape != tags or calibration.thresholds.shape != tags:
            raise BundleError(f"{directory.name}: head or calibration do not fit {tags[0]} tags x {encoder.dim}")
        spans = read_spans(directory, schema, encoder)
        return cls(encoder, schema, weight, bias, calibration, families, bundle.hash, spans)

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """``(n, d)`` embeddings of :attr:`encoder` to ``(n, columns)`` float32 logits, not yet calibrated."""
        out: np.ndarray = vectors @ self._weight.T + self._bias
        return out

    def scores(self, examples: Sequence[Example]) -> np.ndarray:
        """``(n, columns)`` calibrated probabilities; 0 where the facet is not asked of the product's category."""
        return self.scores_of(self.encoder.embed(examples), examples)

    def scores_of(self, vectors: np.ndarray, examples: Sequence[Example]) -> np.ndarray:
        """Like :meth:`scores`, for products whose embeddings are at hand."""
        p = probabilities(self.schema, self.logits(vectors), self.calibration.temperature)
        p = np.where(applicable(self.schema, examples), p, 0.0)
        return self._relations.constrain(p, [e.category for e in examples])

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """``(n, columns)`` bool: what it would tag, given its own scores."""
        return self._relations.settle(decide(self.schema, scores, self.calibration.thresholds), scores)


def read_spans(directory: Path, schema: Schema, encoder: Encoder) -> SpanReader | None:
    """What reads spans in a full bundle; None where it learned none. Raises BundleError for what does not fit."""
    if not (directory / SPANS).is_file():
        return None
    try:
        weights = SpanWeights.load(directory / SPANS)
        rows = json.loads((directory / PHRASES).read_text("utf-8")) if (directory / PHRASES).is_file() else None
        phrases = None if rows is None else Phrases.from_json(schema, rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise BundleError(f"{directory.name}: its spans cannot be read ({error!r})") from error
    k = len(Labels(schema))
    if not isinstance(encoder, OnnxEncoder) or not weights.fits(k, encoder.dim):
        raise BundleError(f"{directory.name}: its span head does not fit {k} labels x {encoder.dim}")
    return SpanReader(schema, encoder, encoder.tokenizer, weights, phrases)
