"""Encoders that are files: what those served with ONNX Runtime have in common.

A directory holds ``encoder.json``, graphs (``.onnx``, their weights perhaps beside them as ``.data``), ``tokenizer.json``
where text is read, and perhaps further such directories as its parts. The hash in its card covers all of it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from ml.bundle import sha256_file
from ml.encoders.base import CARD, EncoderError, read_card, write_card
from ml.encoders.tokens import TOKENIZER, UNREADABLE

GRAPH = "model.onnx"


class ServedEncoder:
    """A sealed directory and its card. ``kind`` is what the card must say; raises EncoderError where it says otherwise."""

    kind: ClassVar[str]

    def __init__(self, directory: Path, card: dict[str, Any]) -> None:
        self._directory = directory
        try:
            self.hash, self.dim = str(card["hash"]), int(card["dim"])
        except (KeyError, TypeError, ValueError) as error:
            raise EncoderError(f"{directory.name}/{CARD}: not a served encoder's card ({error!r})") from error

    @property
    def directory(self) -> Path:
        """Where its files lie."""
        return self._directory

    def save(self, directory: Path) -> None:
        """Copies the directory it was loaded from."""
        if directory.resolve() == self._directory.resolve():
            return
        for file in (*_computing(self._directory), *self._directory.rglob(CARD)):
            copy = directory / file.relative_to(self._directory)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls(directory, read_card(directory, cls.kind))


def seal(directory: Path, kind: str, card: dict[str, Any]) -> dict[str, Any]:
    """Write ``encoder.json`` for a directory whose files are in place; returns the whole card.

    The hash covers the files, those of its parts, and how they are used (the card).
    """
    digest = hashlib.sha256(f"{kind} {sorted(card.items())} {UNREADABLE:.3f}".encode())
    for file in sorted(_computing(directory)):
        digest.update(f"{file.relative_to(directory).as_posix()} {sha256_file(file)}".encode())
    whole = {"kind": kind, **card, "hash": digest.hexdigest()}
    write_card(directory, whole)
    return whole


def _computing(directory: Path) -> Iterator[Path]:
    """The files that decide what it computes."""
    return (f for f in directory.rglob("*") if f.suffix in {".onnx", ".data"} or f.name == TOKENIZER)
