"""Opening what was sent: a path or a stream, gzipped or not, readable from its beginning as often as needed."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tempfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from annotations.formats.rows import FileRefused, Limits

Readable = str | os.PathLike[str] | BinaryIO
GZIP_MAGIC = b"\x1f\x8b"
RATIO_FROM = 32 * 1024**2
"""Inflated bytes from which the ratio counts: small files of one repeated row are no bombs."""

ABOUT_BYTES = 2 * 1024**2

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
"""What a truncated or damaged gzip raises while it is read."""


class Inflates(Exception):
    """The file unpacks to more than the limits allow; the text says how much."""


class Source:
    """A file to read, as bytes after gunzipping.

    A stream that can't be rewound is first copied to a temporary file, so memory stays flat. Streams given are left
    open; what is opened here is closed by :meth:`close`. Raises FileRefused when it is too large or can't be opened.
    """

    def __init__(self, readable: Readable, *, name: str = "", limits: Limits = Limits()) -> None:  # noqa: B008
        self.limits = limits
        self._owned: list[IO[Any]] = []
        if isinstance(readable, str | os.PathLike):
            self.path: Path | None = Path(readable)
            self.name = name or self.path.name
            try:
                self._file: BinaryIO = self.path.open("rb")
            except OSError as error:
                raise FileRefused("unreadable", self.name, detail=error.strerror or str(error)) from error
            self._owned.append(self._file)
        else:
            self.path = None
            self.name = name or Path(str(getattr(readable, "name", "") or "stream")).name
            self._file = readable if readable.seekable() else self._spool(readable)
        self.size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        if self.size > limits.file_bytes:
            self.close()
            raise FileRefused("too-large", self.name, limit=limits.file_bytes)
        self.gzipped = self._file.read(2) == GZIP_MAGIC

    def _spool(self, stream: BinaryIO) -> BinaryIO:
        spool = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._owned.append(spool)
        shutil.copyfileobj(_Capped(stream, self.limits.file_bytes + 1), spool, 1 << 20)
        return spool

    def open(self) -> BinaryIO:
        """The bytes from the beginning, unzipped. One reader at a time. Reading may raise Inflates or DAMAGED."""
        self._file.seek(0)
        if not self.gzipped:
            return _Unclosed(self._file)
        # BufferedReader asks in blocks of this size, so the guard is not called per line.
        return io.BufferedReader(_Inflated(self._file, self.size, self.limits), 1 << 18)

    def seekable(self) -> BinaryIO:
        """The bytes as a file that can be read at any place (zip and Parquet begin at their end).

        A gzipped one is unpacked to a temporary file first. Raises FileRefused.
        """
        if not self.gzipped:
            self._file.seek(0)
            return self._file
        spool = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._owned.append(spool)
        try:
            with self.open() as stream:
                shutil.copyfileobj(stream, spool, 1 << 20)
        except DAMAGED as error:
            raise FileRefused("broken-gzip", self.name) from error
        except Inflates as error:
            raise FileRefused("inflates", self.name, detail=str(error)) from error
        spool.seek(0)
        return spool

    def head(self, size: int) -> bytes:
        """The first ``size`` unzipped bytes. Raises FileRefused where even that can't be had."""
        try:
            with self.open() as stream:
                return stream.read(size)
        except DAMAGED as error:
            raise FileRefused("broken-gzip", self.name) from error
        except Inflates as error:
            raise FileRefused("inflates", self.name, detail=str(error)) from error
        except OSError as error:
            raise FileRefused("unreadable", self.name, detail=error.strerror or str(error)) from error

    def lines_about(self) -> int:
        """How many lines it may have, by those of its beginning and its size; 0 where nobody can say."""
        try:
            head = self.head(ABOUT_BYTES)
        except FileRefused:  # damaged further on: the rows before that are read all the same
            return 0
        lines = head.count(b"\n")
        if len(head) < ABOUT_BYTES:
            return lines
        size = self.size
        if self.gzipped:
            self._file.seek(-4, io.SEEK_END)  # the unpacked size modulo 2**32 (RFC 1952)
            size = max(size, int.from_bytes(self._file.read(4), "little"))
        return int(lines * size / len(head))

    def close(self) -> None:
        while self._owned:
            self._owned.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


class _Capped(io.RawIOBase):
    """At most ``left`` bytes of a stream."""

    def __init__(self, stream: BinaryIO, left: int) -> None:
        self._stream, self._left = stream, left

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block


class _Unclosed(io.BufferedReader):
    """A reader of its own over a file that stays open when the reader is closed (TextIOWrapper closes what it reads)."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(_Borrowed(file), 1 << 18)


class _Borrowed(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._file.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


class _Inflated(io.RawIOBase):
    """Gunzips and counts while reading; raises Inflates as soon as a limit is passed."""

    def __init__(self, file: BinaryIO, size: int, limits: Limits) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")
        self._size, self._limits, self._read = max(size, 1), limits, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._gzip.read(len(buffer))
        self._read += len(block)
        if self._read > self._limits.inflated_bytes:
            raise Inflates(f"more than {self._limits.inflated_bytes} bytes")
        if self._read > RATIO_FROM and self._read > self._limits.inflate_ratio * self._size:
            raise Inflates(f"more than {self._limits.inflate_ratio} times its size")
        buffer[: len(block)] = block
        return len(block)
