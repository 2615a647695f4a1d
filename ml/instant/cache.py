"""Embeddings on disk, by encoder and text: computed once, read by every process through a memory map.

Two append-only files in one folder per encoder: ``vectors.f32`` (rows of float32) and ``keys.sha256`` (32 bytes a
row). A row counts once both files have it; keys are written last. One writer at a time holds a lock on the folder;
readers need none: what they see grows, and never changes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ml.encoders.base import Encoder, text_hash
from ml.examples import Example

KEY_BYTES = 32
CHUNK = 2000  # texts embedded between two writes, so that an interrupted run keeps most of its work


class EmbeddingCache:
    """``embed`` answers like the encoder does, computing only what is not on disk yet."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, _Folder] = {}

    def embed(self, encoder: Encoder, examples: Sequence[Example]) -> np.ndarray:
        """``(n, dim)`` float32, in the order given."""
        folder = self._folder(encoder)
        keys = [bytes.fromhex(text_hash(e)) for e in examples]
        missing = folder.missing(keys)
        if missing:
            first = {key: i for i, key in reversed(list(enumerate(keys)))}
            for begin in range(0, len(missing), CHUNK):
                part = missing[begin : begin + CHUNK]
                folder.append(part, encoder.embed([examples[first[key]] for key in part]))
        return folder.read(keys)

    def holds(self, encoder: Encoder, examples: Sequence[Example]) -> np.ndarray:
        """``(n,)`` bool: which texts need no computing."""
        folder = self._folder(encoder)
        keys = [bytes.fromhex(text_hash(e)) for e in examples]
        missing = set(folder.missing(keys))
        return np.array([key not in missing for key in keys], dtype=bool)

    def _folder(self, encoder: Encoder) -> _Folder:
        if encoder.hash not in self._known:
            self._known[encoder.hash] = _Folder(self._root / encoder.hash, encoder.dim)
        return self._known[encoder.hash]


class _Folder:
    """The two files of one encoder, and where each key's row is."""

    def __init__(self, path: Path, dim: int) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._vectors, self._keys, self._lock = path / "vectors.f32", path / "keys.sha256", path / "lock"
        self._dim = dim
        self._row: dict[bytes, int] = {}
        self._rows = 0

    def _whole_rows(self) -> int:
        keys = self._keys.stat().st_size // KEY_BYTES if self._keys.exists() else 0
        vectors = self._vectors.stat().st_size // (4 * self._dim) if self._vectors.exists() else 0
        return min(keys, vectors)

    def _refresh(self) -> None:
        rows = self._whole_rows()
        if rows > self._rows:
            with self._keys.open("rb") as stream:
                stream.seek(self._rows * KEY_BYTES)
                data = stream.read((rows - self._rows) * KEY_BYTES)
            for step in range(rows - self._rows):
                self._row.setdefault(data[step * KEY_BYTES : (step + 1) * KEY_BYTES], self._rows + step)
            self._rows = rows

    def missing(self, keys: Sequence[bytes]) -> list[bytes]:
        """Those without a row, each once, in the order given."""
        self._refresh()
        return list(dict.fromkeys(key for key in keys if key not in self._row))

    def append(self, keys: Sequence[bytes], vectors: np.ndarray) -> None:
        """Raises ValueError on vectors of another shape or with numbers that are none."""
        if vectors.shape != (len(keys), self._dim) or not np.isfinite(vectors).all():
            raise ValueError(f"expected finite vectors of shape {(len(keys), self._dim)}, got {vectors.shape}")
        with self._writing():
            rows = self._whole_rows()
            for path, width, data in (
                (self._vectors, 4 * self._dim, np.ascontiguousarray(vectors, dtype="<f4").tobytes()),
                (self._keys, KEY_BYTES, b"".join(keys)),
            ):
                with path.open("r+b" if path.exists() else "w+b") as stream:
                    stream.truncate(rows * width)  # what a killed writer left half done
                    stream.seek(rows * width)
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
        self._refresh()

    def read(self, keys: Sequence[bytes]) -> np.ndarray:
        """Raises KeyError for a key without a row."""
        if not keys:
            return np.zeros((0, self._dim), dtype=np.float32)
        mapped = np.memmap(self._vectors, dtype="<f4", mode="r", shape=(self._rows, self._dim))
        return np.asarray(mapped[[self._row[key] for key in keys]])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(stream, fcntl.LOCK_UN)
