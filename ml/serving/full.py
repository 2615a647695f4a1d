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
from ml.examples import Example
from ml.instant.model import applicable
from ml.schema import Schema
from ml.serving.decoding import Calibration, decide, probabilities

KIND = "full"


class FullModel:
    """What ``python -m ml train`` leaves in ``bundle/``, ready to answer. Products go in batches of any size.

    encoder:  unit vectors of width d; the one that an instant head sits on once this bundle is promoted
    families: hashes of the families it was trained on or stopped by (``family_hash``)
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
    ) -> None:
        self.encoder, self.schema, self.calibration = encoder, schema, calibration
        self.families, self.hash = families, name
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
        return cls(encoder, schema, weight, bias, calibration, families, bundle.hash)

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
        return np.where(applicable(self.schema, examples), p, 0.0)

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """``(n, columns)`` bool: what it would tag, given its own scores."""
        return decide(self.schema, scores, self.calibration.thresholds)
