"""Rows that the products have already, told by a hash of their cells before anything is cleaned.

The hash covers the original cells, how they are mapped and cleaned, and the code that does it: equal hashes mean that
reading the row again would give the same product, without warnings (a row with any gets no hash).
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Protocol

import ftfy

from annotations.formats.apply import Applier
from annotations.formats.mapping import Column
from annotations.formats.rows import Problem, Record, Row, Same

ASKED_AT_ONCE = 500
CHARS_AT_ONCE = 2_000_000
"""Fewer are asked about where records are long: at most two questions' records are held at a time."""
_ENCODER = json.JSONEncoder(sort_keys=True, default=str)
_ORDERED = json.JSONEncoder(default=str)


class Known(Protocol):
    """Who knows which rows the products have. A second question may be asked before the first is answered."""

    def ask(self, heads: list[tuple[str, str]]) -> None:
        """``(id, hash of the cells)`` of some rows."""

    def answer(self) -> Collection[int]:
        """Of the earliest question that waits: which of its rows are there, unchanged, by their place."""


class Recognised:
    """Records to rows, with those left out that ``known`` has: in their place stands a Same."""

    def __init__(self, applier: Applier, known: Known) -> None:
        self._applier, self._known = applier, known
        self._key = reading(applier)

    def items(self, records: Iterable[Record | Problem]) -> Iterator[Row | Same | Problem]:
        """While one question is on its way the next records are read, so that neither side waits for the other."""
        waiting: deque[tuple[list[Record | Problem], list[tuple[str, str]]]] = deque()
        for block, heads in self._blocks(records):
            self._known.ask(heads)
            waiting.append((block, heads))
            if len(waiting) == 2:
                yield from self._settled(*waiting.popleft())
        while waiting:
            yield from self._settled(*waiting.popleft())

    def _blocks(
        self, records: Iterable[Record | Problem]
    ) -> Iterator[tuple[list[Record | Problem], list[tuple[str, str]]]]:
        block: list[Record | Problem] = []
        heads: list[tuple[str, str]] = []
        chars = 0
        for record in records:
            block.append(record)
            if isinstance(record, Record):
                cells = _ORDERED.encode(record.cells)
                chars += len(cells)
                heads.append((self._applier.id_of(record), self._hash(cells)))
            if len(block) >= ASKED_AT_ONCE or chars > CHARS_AT_ONCE:
                yield block, heads
                block, heads, chars = [], [], 0
        if block:
            yield block, heads

    def _hash(self, cells: str) -> str:
        return hashlib.blake2b(cells.encode(), digest_size=16, key=self._key).hexdigest()

    def _settled(self, block: list[Record | Problem], heads: list[tuple[str, str]]) -> Iterator[Row | Same | Problem]:
        there = frozenset(self._known.answer())
        place = -1
        for item in block:
            if isinstance(item, Problem):
                yield item
                continue
            place += 1
            if place in there:
                yield Same(item.line, heads[place][0])
                continue
            row, problems = self._applier.apply(item, heads[place][1])
            yield from problems
            if row is not None:
                yield row


def reading(applier: Applier) -> bytes:
    """Names how records become rows: everything the applier was told, and the code it is made of."""
    told = {name: value for name, value in vars(applier).items() if name != "file"}
    return hashlib.blake2b(_ENCODER.encode([_plain(told), code()]).encode(), digest_size=32).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, Column):  # what it means, and not how it was guessed
        return [value.header, value.target, value.facet, value.separator]
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


@functools.cache
def code() -> str:
    """A hash of this package's code, so that better cleaning reaches rows that did not change."""
    digest = hashlib.sha256(f"ftfy {ftfy.__version__}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def row_hash(row: Row) -> str:
    """The same for rows that say the same, whatever order their attributes come in."""
    body = [row.title, row.description, row.category, row.language, row.family, row.attributes, row.extra]
    more = [row.absent, row.spans, row.images]
    return hashlib.sha256(_ENCODER.encode([body, more]).encode()).hexdigest()


def text_hash(*, category: str, title: str, description: str) -> str:
    """Names what a model reads of a product, so that an embedding is made once for it."""
    return hashlib.sha256("\0".join((category, title, description)).encode("utf-8", "surrogatepass")).hexdigest()
