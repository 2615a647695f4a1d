"""How a graph that serves reads texts: its vocabulary, what of it counts as read, and batches of token ids."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from ml.encoders.base import EncoderError

TOKENIZER = "tokenizer.json"
UNKNOWN = "[UNK]"
UNREADABLE = 1 / 3  # share of unknown tokens from which a text counts as not read: a vector of the rest would mislead


class TokenReader:
    """The tokenizer beside a graph. ``tokenizer`` cuts at the longest text that the graph takes, and never pads.

    Raises EncoderError where it cannot be read, or the card does not say how long a text may be.
    """

    def __init__(self, directory: Path, card: Mapping[str, Any]) -> None:
        try:
            self.tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
            self.pad = int(card.get("pad_id", 0))
            self.tokenizer.enable_truncation(int(card["max_length"]))
        except Exception as error:  # tokenizers raises its own kinds
            raise EncoderError(f"{directory.name}: {error}") from error
        self.tokenizer.no_padding()
        self._unknown = self.tokenizer.token_to_id(UNKNOWN)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def knows(self, ids: Sequence[int]) -> bool:
        """Whether the vocabulary lacks less than a third of a text (Chinese, for an English encoder, is lacking)."""
        return self._unknown is None or ids.count(self._unknown) < UNREADABLE * max(len(ids) - 2, 1)

    def batch(self, ids: Sequence[Sequence[int]], *, least: int = 1) -> dict[str, np.ndarray]:
        """``input_ids`` and ``attention_mask`` ``(b, l)`` int64, padded to the longest, which is at least ``least``."""
        longest = max(least, *(len(sequence) for sequence in ids))
        tokens = np.full((len(ids), longest), self.pad, dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, sequence in enumerate(ids):
            tokens[row, : len(sequence)], mask[row, : len(sequence)] = sequence, 1
        return {"input_ids": tokens, "attention_mask": mask}


def session(graph: Path, *, threads: int = 0, spinning: bool = True) -> onnxruntime.InferenceSession:
    """A graph on the processor; threads: 0 takes up to four. spinning: whether they wait awake between two operations,
    which costs where graphs are small and cores are shared. Raises EncoderError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(os.cpu_count() or 1, 4)
    options.log_severity_level = 3
    if not spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own kinds
        raise EncoderError(f"{graph.parent.name}: {error}") from error
