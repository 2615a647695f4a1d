"""Encoders that see, served with ONNX Runtime: no torch, no transformers.

``vision``: a directory with ``encoder.json`` and ``model.onnx``, which takes ``pixels (b, s, s, 3)`` uint8 and gives
``states (b, c, d)``, the cells of each picture. As an encoder of its own it answers their mean at length 1.
``fused``: ``encoder.json``, ``tokenizer.json``, a ``vision/`` as above and a ``model.onnx`` that takes a text's tokens
and a picture's states together. So the states of a picture are computed once, however often its text changes, and
:class:`~ml.instant.cache.EmbeddingCache` keeps them on disk beside the vectors of texts.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.encoders.base import PICTURE, TEXT, EncoderError, normalise
from ml.encoders.served import GRAPH, ServedEncoder
from ml.encoders.tokens import TokenReader, session
from ml.examples import Example
from ml.pictures import read_pictures
from ml.text import render

BATCH = 32
VISION = "vision"

log = logging.getLogger(__name__)


class OnnxVision(ServedEncoder):
    """Products to unit vectors by their pictures; rows of zeros where there is none that can be read."""

    kind = "vision"
    reads = frozenset({PICTURE})

    def __init__(self, directory: Path, card: dict[str, Any]) -> None:
        super().__init__(directory, card)
        self._session = session(directory / GRAPH, spinning=False)
        try:
            self.size, self.cells = int(card["size"]), int(card["cells"])
        except (KeyError, TypeError, ValueError) as error:
            raise EncoderError(f"{directory.name}: its card lacks {error}") from error

    def states(self, paths: Sequence[str]) -> np.ndarray:
        """``(n, cells, d)`` float32 of pictures by path; zeros where there is none, or none that can be read (its name
        goes to the log)."""
        out = np.zeros((len(paths), self.cells, self.dim), dtype=np.float32)
        rows = [row for row, path in enumerate(paths) if path]
        for begin in range(0, len(rows), BATCH):
            some = rows[begin : begin + BATCH]
            pixels, seen = read_pictures([paths[row] for row in some], self.size, log.warning)
            if seen.any():
                out[np.array(some)[seen]] = self._session.run(["states"], {"pixels": pixels[seen]})[0]
        return out

    def embed(self, examples: Sequence[Example]) -> np.ndarray:
        return normalise(self.states([e.image for e in examples]).mean(axis=1))


class PictureStates:
    """The states of a vision encoder as rows of numbers, for a cache: ``dim`` is cells x width, rows of any length."""

    reads = frozenset({PICTURE})

    def __init__(self, vision: OnnxVision) -> None:
        self._vision = vision
        self.hash = hashlib.sha256(f"states of {vision.hash}".encode()).hexdigest()
        self.dim = vision.cells * vision.dim

    def embed(self, examples: Sequence[Example]) -> np.ndarray:
        return self._vision.states([e.image for e in examples]).reshape(len(examples), -1)


class OnnxFused(ServedEncoder):
    """Text and picture together; a row of zeros where there is neither. A text of which the vocabulary lacks a third
    counts as missing, as for a text encoder alone."""

    kind = "fused"
    reads = frozenset({TEXT, PICTURE})

    def __init__(self, directory: Path, card: dict[str, Any]) -> None:
        super().__init__(directory, card)
        self._session = session(directory / GRAPH, spinning=False)
        self.vision = OnnxVision.load(directory / VISION)
        self.part = PictureStates(self.vision)
        self._reader = TokenReader(directory, card)

    def embed(self, examples: Sequence[Example]) -> np.ndarray:
        return self.embed_with(examples, self.part.embed(examples))

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts without a picture (labels, for example), rendered already."""
        return self._fuse(list(texts), np.zeros((len(texts), self.part.dim), dtype=np.float32))

    def embed_pictures(self, states: np.ndarray) -> np.ndarray:
        """Pictures without a text, by their states ``(n, cells x d)``; rows of zeros where there is no picture."""
        return self._fuse([""] * len(states), states)

    def embed_with(self, examples: Sequence[Example], states: np.ndarray) -> np.ndarray:
        """Like :meth:`embed`, where the pictures' states ``(n, cells x d)`` are at hand; zeros: no picture."""
        return self._fuse([render(e).text for e in examples], states)

    def _fuse(self, texts: list[str], states: np.ndarray) -> np.ndarray:
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        ids = [found or [self._reader.pad] for found in self._reader.ids(texts)]
        has_text = np.array(
            [bool(t.strip()) and self._reader.knows(i) for t, i in zip(texts, ids, strict=True)], dtype=bool
        )
        seen = (states != 0).any(axis=1)
        order = sorted(np.flatnonzero(has_text | seen).tolist(), key=lambda row: len(ids[row]))
        for begin in range(0, len(order), BATCH):
            rows = order[begin : begin + BATCH]
            given = {
                **self._reader.batch([ids[row] for row in rows], least=2), "has_text": has_text[rows], "seen": seen[rows],
                "states": states[rows].reshape(len(rows), self.vision.cells, self.vision.dim),
            }  # fmt: skip
            out[rows] = self._session.run(["pooled_embedding"], given)[0]
        return normalise(out)
