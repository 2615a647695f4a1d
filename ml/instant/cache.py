"""Embeddings on disk, by encoder and what it reads of a product: computed once, read by every process through a memory map.

What is read is the text, the picture or both (:func:`keys_for`). An encoder of both is told the states of pictures that
are here already, so that a changed text costs no second look at its picture.

Two append-only files in one folder per encoder: ``vectors.f32`` (rows of float32) and ``keys.sha256`` (32 bytes a
row). A row counts once both files have it; keys are written last. One writer at a time holds a lock on the folder;
readers need none: what they see grows, and never changes.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from ml.encoders.base import PICTURE, TEXT, Encoder, reads, text_hash
from ml.examples import Example
from ml.pictures import picture_key

KEY_BYTES = 32
CHUNK = 2000  # texts embedded between two writes, so that an interrupted run keeps most of its work
AT_ONCE = 20_000  # rows taken from the map at a time


class EmbeddingCache:
    """``embed`` answers like the encoder does, computing only what is not on disk yet. Threads may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, _Folder] = {}
        self._lock = threading.Lock()

    def embed(self, encoder: Encoder, examples: Sequence[Example]) -> np.ndarray:
        """``(n, dim)`` float32, in the order given."""
        keys = keys_for(encoder, examples)
        self.fill(encoder, examples, keys)
        return self._folder(encoder).read(keys)

    def fill(
        self,
        encoder: Encoder,
        examples: Sequence[Example],
        keys: np.ndarray | None = None,
        advance: Callable[[int], None] = lambda done: None,
    ) -> int:
        """Compute and store what is missing; returns how many texts that were.

        ``advance(n)`` is told after each write how many texts it held; what it raises ends the work, and what is
        written stays.
        """
        keys = keys_for(encoder, examples) if keys is None else keys
        with self._lock:
            folder = self._folder(encoder)
            missing = folder.missing(keys)
        for begin in range(0, len(missing), CHUNK):
            part = missing[begin : begin + CHUNK]
            vectors = self._compute(encoder, [examples[i] for i in part])
            with self._lock:
                folder.append(keys[part], vectors)
            advance(len(part))
        return len(missing)

    def _compute(self, encoder: Encoder, examples: Sequence[Example]) -> np.ndarray:
        """As ``encoder.embed``; its part that sees, where it has one, from here."""
        if isinstance(encoder, InParts):
            return encoder.embed_with(examples, self.embed(encoder.part, examples))
        return encoder.embed(examples)

    def holds(self, encoder: Encoder, examples: Sequence[Example]) -> np.ndarray:
        """``(n,)`` bool: which texts need no computing."""
        return self.has(encoder, keys_for(encoder, examples))

    def has(self, encoder: Encoder, keys: np.ndarray) -> np.ndarray:
        """``(n,)`` bool for keys as from :func:`keys_for`."""
        with self._lock:
            return self._folder(encoder).find(keys) >= 0

    def read(self, encoder: Encoder, keys: np.ndarray) -> np.ndarray:
        """``(n, dim)`` float32 for keys that are there. Raises KeyError where one is not."""
        with self._lock:
            folder = self._folder(encoder)
        return folder.read(keys)

    def _folder(self, encoder: Encoder) -> _Folder:
        if encoder.hash not in self._known:
            self._known[encoder.hash] = _Folder(self._root / encoder.hash, encoder.dim)
        return self._known[encoder.hash]


@runtime_checkable
class InParts(Protocol):
    """An encoder of text and picture that can be given the picture's part."""

    @property
    def part(self) -> Encoder:
        """The part that reads the picture alone."""
        ...

    def embed_with(self, examples: Sequence[Example], states: np.ndarray) -> np.ndarray: ...


def keys_for(encoder: Encoder, examples: Sequence[Example]) -> np.ndarray:
    """``(n, 4)`` uint64: what names what this encoder reads of each product."""
    shown = pictures_of(examples) if PICTURE in reads(encoder) else None
    return joined(encoder, keys_of(examples), shown)


def joined(encoder: Encoder, text: np.ndarray, shown: np.ndarray | None) -> np.ndarray:
    """The keys of texts and of pictures as those of what this encoder reads."""
    if shown is None or PICTURE not in reads(encoder):
        return text
    return text ^ shown if TEXT in reads(encoder) else shown


def pictures_of(examples: Sequence[Example]) -> np.ndarray:
    """``(n, 4)`` uint64: what names the picture of each product; zeros for none."""
    return np.frombuffer(b"".join(picture_key(e.image) for e in examples), dtype="<u8").reshape(-1, 4)


def keys_of(examples: Sequence[Example]) -> np.ndarray:
    """``(n, 4)`` uint64: what names the text of each product."""
    data = b"".join(bytes.fromhex(text_hash(e)) for e in examples)
    return np.frombuffer(data, dtype="<u8").reshape(-1, 4)


class _Folder:
    """The two files of one encoder, and where each key's row is.

    The index is the sorted first eight bytes of the keys: 16 bytes a row instead of the 200 of a dict, and made for a
    million rows in a fifth of a second. Where two texts share these bytes the first row found with all 32 counts.
    """

    def __init__(self, path: Path, dim: int) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._vectors, self._keys, self._lock = path / "vectors.f32", path / "keys.sha256", path / "lock"
        self._dim = dim
        self._all = np.zeros((0, 4), dtype="<u8")
        self._sorted = np.zeros(0, dtype="<u8")
        self._row = np.zeros(0, dtype=np.int64)

    def _whole_rows(self) -> int:
        keys = self._keys.stat().st_size // KEY_BYTES if self._keys.exists() else 0
        vectors = self._vectors.stat().st_size // (4 * self._dim) if self._vectors.exists() else 0
        return min(keys, vectors)

    def _refresh(self) -> None:
        rows = self._whole_rows()
        if rows > len(self._all):
            self._all = np.memmap(self._keys, dtype="<u8", mode="r", shape=(rows, 4))
            first = np.ascontiguousarray(self._all[:, 0])
            self._row = np.argsort(first, kind="stable")
            self._sorted = first[self._row]

    def find(self, keys: np.ndarray) -> np.ndarray:
        """``(n,)`` the row of each key, -1 where there is none."""
        self._refresh()
        out = np.full(len(keys), -1, dtype=np.int64)
        if not len(self._sorted) or not len(keys):
            return out
        at = np.searchsorted(self._sorted, keys[:, 0])
        open_ = np.arange(len(keys))
        while len(open_):  # one turn, and another for each text whose first eight bytes another one shares
            open_ = open_[at[open_] < len(self._sorted)]
            open_ = open_[self._sorted[at[open_]] == keys[open_, 0]]
            row = self._row[at[open_]]
            same = (self._all[row] == keys[open_]).all(axis=1)
            out[open_[same]] = row[same]
            open_ = open_[~same]
            at[open_] += 1
        return out

    def missing(self, keys: np.ndarray) -> np.ndarray:
        """Positions of those without a row, each key once, in the order given."""
        there = np.flatnonzero(self.find(keys) < 0)
        if not len(there):
            return there
        first = np.unique(keys[there], axis=0, return_index=True)[1]
        return there[np.sort(first)]

    def append(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Raises ValueError on vectors of another shape or with numbers that are none."""
        if vectors.shape != (len(keys), self._dim) or not np.isfinite(vectors).all():
            raise ValueError(f"expected finite vectors of shape {(len(keys), self._dim)}, got {vectors.shape}")
        with self._writing():
            rows = self._whole_rows()
            for path, width, data in (
                (self._vectors, 4 * self._dim, np.ascontiguousarray(vectors, dtype="<f4").tobytes()),
                (self._keys, KEY_BYTES, np.ascontiguousarray(keys, dtype="<u8").tobytes()),
            ):
                with path.open("r+b" if path.exists() else "w+b") as stream:
                    stream.truncate(rows * width)  # what a killed writer left half done
                    stream.seek(rows * width)
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
        self._refresh()

    def read(self, keys: np.ndarray) -> np.ndarray:
        """Raises KeyError for a key without a row."""
        out = np.zeros((len(keys), self._dim), dtype=np.float32)
        row = self.find(keys)
        if (row < 0).any():
            raise KeyError(f"{int((row < 0).sum())} texts have no vector")
        if len(keys):
            mapped = np.memmap(self._vectors, dtype="<f4", mode="r", shape=(len(self._all), self._dim))
            for begin in range(0, len(keys), AT_ONCE):
                out[begin : begin + AT_ONCE] = mapped[row[begin : begin + AT_ONCE]]
        return out

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(stream, fcntl.LOCK_UN)
