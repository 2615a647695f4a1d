"""A sentence encoder served with ONNX Runtime and a Rust tokenizer: no torch, no transformers.

Its directory holds ``encoder.json``, ``tokenizer.json`` and ``model.onnx``. The graph takes ``input_ids`` and
``attention_mask`` ``(batch, sequence)`` int64 and gives ``pooled_embedding`` ``(batch, dim)``, pooled and normalised.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from ml.bundle import sha256_file
from ml.encoders.base import EncoderError, normalise, read_card, write_card
from ml.examples import Example
from ml.text import render

GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
UNKNOWN = "[UNK]"
UNREADABLE = 1 / 3  # share of unknown tokens from which a text counts as not read: a vector of the rest would mislead
TOKENS_PER_BATCH = 2048  # real and padding tokens of one call: keeps the working set inside the cache


class OnnxEncoder:
    """Reads a directory written by :mod:`ml.encoders.export`. Texts of like lengths are computed together."""

    def __init__(self, directory: Path, card: dict[str, Any], threads: int = 0) -> None:
        self._directory = directory
        self._card = card
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or min(os.cpu_count() or 1, 4)
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(directory / card.get("graph", GRAPH)), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
            self._max_length = int(card["max_length"])
            self._pad = int(card.get("pad_id", 0))
        except Exception as error:  # both libraries raise their own kinds
            raise EncoderError(f"{directory.name}: {error}") from error
        self._unknown = self._tokenizer.token_to_id(UNKNOWN)
        self._tokenizer.enable_truncation(self._max_length)
        self._tokenizer.no_padding()

    @property
    def hash(self) -> str:
        return str(self._card["hash"])

    @property
    def dim(self) -> int:
        return int(self._card["dim"])

    def embed(self, examples: Sequence[Example]) -> np.ndarray:
        return self.embed_texts([render(e).text for e in examples])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Like :meth:`embed`, for texts that are rendered already.

        A text of which the vocabulary lacks a third or more (Chinese, for an English encoder) is a row of zeros.
        """
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        if not texts:
            return out
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted((i for i in range(len(ids)) if self._reads(ids[i])), key=lambda i: len(ids[i]))
        begin = 0
        while begin < len(order):
            end = begin + 1
            while end < len(order) and (end + 1 - begin) * len(ids[order[end]]) <= TOKENS_PER_BATCH:
                end += 1
            rows = order[begin:end]
            out[rows] = self.run([ids[i] for i in rows])
            begin = end
        return normalise(out)

    def _reads(self, ids: list[int]) -> bool:
        return self._unknown is None or ids.count(self._unknown) < UNREADABLE * max(len(ids) - 2, 1)

    def token_ids(self, text: str) -> list[int]:
        """What the graph reads of a text, special tokens included, cut to the longest it takes."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def run(self, ids: list[list[int]]) -> np.ndarray:
        """The graph's own output for lists of token ids, whether the text counts as readable or not."""
        longest = max(len(i) for i in ids)
        tokens = np.full((len(ids), longest), self._pad, dtype=np.int64)
        mask = np.zeros((len(ids), longest), dtype=np.int64)
        for row, sequence in enumerate(ids):
            tokens[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        output: np.ndarray = self._session.run(["pooled_embedding"], {"input_ids": tokens, "attention_mask": mask})[0]
        return output

    def save(self, directory: Path) -> None:
        """Copies the directory it was loaded from."""
        if directory.resolve() != self._directory.resolve():
            directory.mkdir(parents=True, exist_ok=True)
            for name in (TOKENIZER, *_graph_files(self._directory)):
                shutil.copy2(self._directory / name, directory / name)
            write_card(directory, self._card)

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls(directory, read_card(directory, "onnx"))


def seal(directory: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Write ``encoder.json`` for a directory whose graph and tokenizer are in place; returns the whole card.

    The hash covers the graph, the tokenizer and how they are used.
    """
    digest = hashlib.sha256(f"{card['max_length']} {card['pooling']} {UNREADABLE:.3f}".encode())
    for name in (TOKENIZER, *_graph_files(directory)):
        digest.update(sha256_file(directory / name).encode())
    whole = {"kind": "onnx", "graph": GRAPH, **card, "hash": digest.hexdigest()}
    write_card(directory, whole)
    return whole


def _graph_files(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir() if p.suffix in {".onnx", ".data"})
