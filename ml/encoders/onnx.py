"""A sentence encoder served with ONNX Runtime and a Rust tokenizer: no torch, no transformers.

Its directory holds ``encoder.json``, ``tokenizer.json`` and ``model.onnx``. The graph takes ``input_ids`` and
``attention_mask`` ``(batch, sequence)`` int64 and gives ``pooled_embedding`` ``(batch, dim)``, pooled and normalised, and perhaps ``token_states``
``(batch, sequence, dim)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ml.encoders.base import EncoderError, normalise
from ml.encoders.served import GRAPH, ServedEncoder
from ml.encoders.tokens import TokenReader, session
from ml.examples import Example
from ml.text import render

POOLED, STATES = "pooled_embedding", "token_states"  # outputs of a graph; the second where a span head reads them
TOKENS_PER_BATCH = 2048  # real and padding tokens of one call: keeps the working set inside the cache


class OnnxEncoder(ServedEncoder):
    """Reads a directory written by :mod:`ml.encoders.export`. Texts of like lengths are computed together."""

    kind = "onnx"

    def __init__(self, directory: Path, card: dict[str, Any], threads: int = 0) -> None:
        super().__init__(directory, card)
        self._session = session(directory / GRAPH, threads=threads)
        self._reader = TokenReader(directory, card)

    def embed(self, examples: Sequence[Example]) -> np.ndarray:
        return self.embed_texts([render(e).text for e in examples])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Like :meth:`embed`, for texts that are rendered already.

        A text of which the vocabulary lacks a third or more (Chinese, for an English encoder) is a row of zeros.
        """
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        if not texts:
            return out
        ids = self._reader.ids(texts)
        order = sorted((i for i in range(len(ids)) if self._reader.knows(ids[i])), key=lambda i: len(ids[i]))
        begin = 0
        while begin < len(order):
            end = begin + 1
            while end < len(order) and (end + 1 - begin) * len(ids[order[end]]) <= TOKENS_PER_BATCH:
                end += 1
            rows = order[begin:end]
            out[rows] = self.run([ids[i] for i in rows])
            begin = end
        return normalise(out)

    def token_ids(self, text: str) -> list[int]:
        """What the graph reads of a text, special tokens included, cut to the longest it takes."""
        return self._reader.ids([text])[0]

    def run(self, ids: list[list[int]]) -> np.ndarray:
        """The graph's own output for lists of token ids, whether the text counts as readable or not."""
        return self._run(ids, POOLED)

    def states(self, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Token states ``(tokens, dim)`` of each list of token ids. Raises EncoderError where the graph has none."""
        if STATES not in (output.name for output in self._session.get_outputs()):
            raise EncoderError(f"{self._directory.name}: its graph gives no token states")
        out: list[np.ndarray] = [np.zeros((0, self.dim), np.float32)] * len(ids)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        size = max(1, TOKENS_PER_BATCH // max((len(i) for i in ids), default=1))
        for begin in range(0, len(order), size):
            rows = order[begin : begin + size]
            for row, found in zip(rows, self._run([ids[i] for i in rows], STATES), strict=True):
                out[row] = found[: len(ids[row])]
        return out

    @property
    def tokenizer(self) -> Tokenizer:
        """Cuts at the longest text that the graph takes, and never pads."""
        return self._reader.tokenizer

    def _run(self, ids: Sequence[Sequence[int]], name: str) -> np.ndarray:
        output: np.ndarray = self._session.run([name], self._reader.batch(ids))[0]
        return output
