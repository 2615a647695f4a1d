"""What an encoder is, and how one is found again on disk.

An encoder's directory holds ``encoder.json`` with its ``kind``, its ``hash`` and whatever it needs to be loaded.
The hash names what the encoder computes: equal hash, equal vectors. Caches and bundles refer to encoders by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from ml.examples import Example
from ml.text import render

CARD = "encoder.json"
TEXT, PICTURE = "text", "picture"


class EncoderError(ValueError):
    """A directory that holds no encoder we read; the message says which file and why."""


@runtime_checkable
class Encoder(Protocol):
    """Products to unit vectors.

    hash: 64 hex digits that name what it computes
    dim:  the number of columns of :meth:`embed`

    One that looks at pictures says so with ``reads``, a frozenset of TEXT and PICTURE; without it, text is read alone.
    """

    @property
    def hash(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def embed(self, examples: Sequence[Example]) -> np.ndarray:
        """``(n, dim)`` float32, rows in the order given, each of length 1 (or all zero where nothing can be read)."""
        ...

    def save(self, directory: Path) -> None:
        """Write the encoder into ``directory`` (made if missing), so that :func:`load_encoder` finds it again."""
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Raises EncoderError where the directory holds something else."""
        ...


def reads(encoder: Encoder) -> frozenset[str]:
    """What it reads of a product: TEXT, PICTURE or both."""
    return getattr(encoder, "reads", frozenset({TEXT}))


def text_hash(example: Example) -> str:
    """Names the text an encoder reads of a product: 64 hex digits, the same for equal renderings."""
    return hashlib.sha256(render(example).text.encode()).hexdigest()


def normalise(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1 as float32; rows of zeros stay zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    out: np.ndarray = vectors / np.where(lengths > 1e-12, lengths, 1.0)
    return out


def read_card(directory: Path, kind: str = "") -> dict[str, Any]:
    """The parsed ``encoder.json``. Raises EncoderError when missing, malformed, or of another kind than asked for."""
    try:
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
        found = card["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{directory.name}/{CARD}: not an encoder's card ({error!r})") from error
    if kind and found != kind:
        raise EncoderError(f"{directory.name}: an encoder of kind {found!r}, not {kind!r}")
    return dict(card)


def write_card(directory: Path, card: dict[str, Any]) -> None:
    (directory / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=1), encoding="utf-8")


def load_encoder(directory: Path) -> Encoder:
    """The encoder saved in ``directory``, whatever its kind. Only kinds that serve without torch are known here."""
    from ml.encoders.lexical import LexicalEncoder
    from ml.encoders.onnx import OnnxEncoder
    from ml.encoders.pictures import OnnxFused, OnnxVision

    kinds: dict[str, type[Encoder]] = {
        "lexical": LexicalEncoder, "onnx": OnnxEncoder, "vision": OnnxVision, "fused": OnnxFused,
    }  # fmt: skip
    kind = read_card(directory)["kind"]
    if kind not in kinds:
        raise EncoderError(f"{directory.name}: unknown kind of encoder {kind!r} (known: {', '.join(kinds)})")
    return kinds[kind].load(directory)
