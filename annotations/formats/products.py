"""Products in: any file to rows and problems, with or without a mapping."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from annotations.formats.apply import Applier, columns_of
from annotations.formats.cleaning import Cleaning
from annotations.formats.detect import Detected, detect
from annotations.formats.dialects import dialect_of, flatten
from annotations.formats.feeds import read_feed
from annotations.formats.folders import Part, opened, parts_of
from annotations.formats.jsonl import lists_in, read_json, read_jsonl
from annotations.formats.known import Known, Recognised
from annotations.formats.mapping import NOTES, Mapping, propose
from annotations.formats.parquet import open_arrow, open_parquet
from annotations.formats.rows import FileRefused, Limits, Problem, Record, Row, Same, problem
from annotations.formats.shapes import prepare
from annotations.formats.source import DAMAGED, Inflates, Readable, Source
from annotations.formats.tables import Table
from annotations.formats.xlsx import open_workbook, sheet_names

SAMPLE = 200
"""Records looked at before a mapping is proposed."""
CHOICES = 50
"""Lists of a JSON file, or sheets of a workbook, that are offered."""
NOTES_SET = frozenset(NOTES)
WHOLE_ROWS = frozenset(("json", "jsonl", "parquet", "arrow"))
"""Kinds whose rows are objects and not cells of text."""
DIALECTS = frozenset(("labelstudio", "doccano", "jsonld"))
Opened = tuple[list[str], Iterator[Record | Problem]]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file looks like before anything is written. ``refusal`` says why it can't go in as it is mapped now.

    about:   how many rows it may have, by its size and its first rows; 0 where nobody can say
    mends:   it holds rows that were sent back to be mended
    choices: lists of objects in JSON (path, length) or sheets of a workbook (name, 0), where there are several
    """

    file: str
    kind: str
    encoding: str
    delimiter: str
    gzipped: bool
    headers: list[str]
    mapping: Mapping
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    refusal: FileRefused | None = None
    about: int = 0
    mends: bool = False
    choices: list[tuple[str, int]] = field(default_factory=list)


class ProductReader:
    """A file opened for reading products: what it is, how its columns are mapped, and :meth:`rows`.

    Raises FileRefused when made, and never later: rows that follow are rows or problems. Close it, or use ``with``.
    """

    def __init__(
        self,
        readable: Readable,
        mapping: Mapping | None = None,
        *,
        name: str = "",
        limits: Limits = Limits(),  # noqa: B008  frozen
        cleaning: Cleaning = Cleaning(),  # noqa: B008  frozen
    ) -> None:
        self.limits, self.cleaning = limits, cleaning
        self._open = contextlib.ExitStack()
        self._lines = 0
        try:
            options = dict(mapping.options) if mapping else {}
            chosen = mapping if mapping and mapping.columns else None  # one without columns says how to read, no more
            headers, self._records = self._opened(readable, name, options)
            self._ahead = list(itertools.islice(self._records, SAMPLE))
            sample = [item for item in self._ahead if isinstance(item, Record)]
            shape = chosen.shape if chosen else dialect_of(sample)
            if shape in DIALECTS:
                headers, self._records = [], flatten(shape, itertools.chain(self._ahead, self._records))
                self._ahead = list(itertools.islice(self._records, SAMPLE))
                sample = [item for item in self._ahead if isinstance(item, Record)]
            headers = headers or columns_of(sample)
            self.mends = bool(NOTES_SET.intersection(headers))
            self.headers = [h for h in headers if h not in NOTES_SET]
            if not sample and not any(isinstance(i, Problem) for i in self._ahead):
                raise FileRefused("no-rows", self.file)
            self.mapping = chosen or self._proposed(shape, sample, options)
        except BaseException:
            self._open.close()
            raise

    def _opened(self, readable: Readable, name: str, options: dict[str, str]) -> Opened:
        """Headers and records of a file, or of the data files of a folder or a zip one after the other."""
        self.file = name
        place = Path(readable) if isinstance(readable, str | os.PathLike) else None
        if place is None or not place.is_dir():
            source = self._open.enter_context(Source(readable, name=name, limits=self.limits))
            self.file = source.name
            try:
                self.detected: Detected = detect(
                    source, encoding=options.get("encoding", ""), delimiter=options.get("delimiter", "")
                )
                self.source: Source | None = source
                if self.detected.kind in ("csv", "jsonl"):
                    self._lines = source.lines_about()  # now: a source has one reader at a time
                return open_records(source, self.detected, self.limits, options)
            except FileRefused as refused:
                if refused.code != "zip" or place is None:
                    raise
                if not (parts := parts_of(place, self.limits)):
                    raise
        elif not (parts := parts_of(place, self.limits)):
            raise FileRefused("no-rows", self.file or place.name)
        self.file = self.file or place.name
        self.source = None
        records = itertools.chain.from_iterable(self._part(place, part, options) for part in parts)
        first = list(itertools.islice(records, 1))
        return [], itertools.chain(first, records)

    def _part(self, place: Path, part: Part, options: dict[str, str]) -> Iterator[Record | Problem]:
        """One file of a folder. One that can't be read is a problem, and the next one is read."""
        try:
            with opened(place, part, self.limits) as source:
                self.detected = detect(source)
                _, records = open_records(source, self.detected, self.limits, options)
                for item in records:
                    if part.split and isinstance(item, Record):
                        item.cells.setdefault("split", part.split)
                    yield item
        except FileRefused as refused:
            yield problem("unreadable-row", file=part.name, line=0, detail=str(refused)[:200])

    def _proposed(self, shape: str, sample: list[Record], options: dict[str, str]) -> Mapping:
        proposed = propose(self.headers, [r.cells for r in sample])
        return replace(proposed, shape=shape if shape in DIALECTS else proposed.shape, options=options)

    def about(self) -> int:
        """How many rows the file may have: its lines, over the lines that one of its first rows takes."""
        last = max((item.line for item in self._ahead), default=0)
        if len(self._ahead) < SAMPLE:
            return len(self._ahead)
        return int(self._lines * SAMPLE / last) if last > 1 else 0

    @property
    def refusal(self) -> FileRefused | None:
        """Why no row of this file could become a product with this mapping."""
        if self.mapping.has_id:
            missing = [c.header for c in self.mapping.columns if c.target == "id" and c.header not in self.headers]
            return FileRefused("no-id-column", self.file, detail=", ".join(self.headers)[:200]) if missing else None
        known = any(c.target for c in self.mapping.columns)
        code = "no-id-column" if known else "no-known-header"
        return FileRefused(code, self.file, detail=", ".join(self.headers)[:200])

    def rows(self, known: Known | None = None) -> Iterator[Row | Same | Problem]:
        """Each product as a Row or its problems; a row with warnings comes after them. Never raises on what it reads.

        known: is asked which rows the products have already; each of those is a Same
        """
        applier = Applier(
            self.mapping,
            file=self.file,
            limits=self.limits,
            table=self.detected.kind not in WHOLE_ROWS,
            cleaning=self.cleaning,
        )
        if known is not None:
            yield from Recognised(applier, known).items(self._counted())
            return
        for item in self._counted():
            if isinstance(item, Problem):
                yield item
                continue
            row, problems = applier.apply(item)
            yield from problems
            if row is not None:
                yield row

    def _counted(self) -> Iterator[Record | Problem]:
        """A record per product, at most as many as the limit says."""
        count = 0
        records = itertools.chain(self._ahead, self._safely())
        for item in prepare(self.mapping.shape, _without_notes(records) if self.mends else records):
            if isinstance(item, Record):
                count += 1
                if count > self.limits.rows:
                    yield problem("too-many-rows", file=self.file, line=item.line, limit=self.limits.rows)
                    return
            yield item

    def _safely(self) -> Iterator[Record | Problem]:
        """Damage found behind the sample is a problem on the line where it was met, and the end of the file."""
        line = 0
        try:
            for item in self._records:
                line = item.line
                yield item
        except Inflates as error:
            yield problem("inflates", file=self.file, line=line + 1, detail=str(error))
        except (*DAMAGED, OSError):
            yield problem("truncated", file=self.file, line=line + 1)

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> ProductReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_products(
    readable: Readable,
    mapping: Mapping | None = None,
    *,
    name: str = "",
    limits: Limits = Limits(),  # noqa: B008  frozen
    cleaning: Cleaning = Cleaning(),  # noqa: B008  frozen
    known: Known | None = None,
) -> Iterator[Row | Same | Problem]:
    """Rows and problems of a file, as it is read. Memory does not grow with the file.

    readable: a path or a binary stream; gzip is seen through
    mapping:  a saved mapping; without one, a mapping is proposed from headers and the first rows and used as it is
    cleaning: what is cleaned and checked; no steps leave texts as they came (so that spans refer to what was sent)
    known:    who knows which rows the products have already: those come as Same

    Raises FileRefused at once, when called, and never while iterating.
    """
    reader = ProductReader(readable, mapping, name=name, limits=limits, cleaning=cleaning)
    if reader.refusal:
        reader.close()
        raise reader.refusal
    return _closing(reader, known)


def _closing(reader: ProductReader, known: Known | None) -> Iterator[Row | Same | Problem]:
    with reader:
        yield from reader.rows(known)


def preview(
    readable: Readable,
    n: int = 20,
    *,
    mapping: Mapping | None = None,
    name: str = "",
    limits: Limits = Limits(),  # noqa: B008  frozen
) -> Preview:
    """The first ``n`` products and the problems among them. Raises FileRefused only for what can't be read at all."""
    with ProductReader(readable, mapping, name=name, limits=limits) as reader:
        rows: list[Row] = []
        problems: list[Problem] = []
        refusal = reader.refusal
        if refusal is None:
            for item in itertools.islice(reader.rows(), 4 * n + 100):
                (rows if isinstance(item, Row) else problems).append(item)  # type: ignore[arg-type]
                if len(rows) >= n:
                    break
        found = reader.detected
        return Preview(
            reader.file, found.kind, found.encoding, found.delimiter, found.gzipped,
            list(reader.headers), reader.mapping, rows, problems, refusal,
            reader.about(), reader.mends, _choices(reader, limits),
        )  # fmt: skip


def _choices(reader: ProductReader, limits: Limits) -> list[tuple[str, int]]:
    if reader.source is None:
        return []
    if reader.detected.kind == "json":
        found = lists_in(reader.source.open(), encoding=reader.detected.encoding, limits=limits)
    else:
        found = [(name, 0) for name in sheet_names(reader.source)] if reader.detected.kind == "xlsx" else []
    return found[:CHOICES] if len(found) > 1 else []


def _without_notes(items: Iterable[Record | Problem]) -> Iterator[Record | Problem]:
    """Rows that were sent back to be mended, without what we wrote beside them."""
    for item in items:
        if isinstance(item, Record):
            for name in NOTES:
                item.cells.pop(name, None)
        yield item


def open_records(
    source: Source, detected: Detected, limits: Limits, options: dict[str, str]
) -> tuple[list[str], Iterator[Record | Problem]]:
    """``(headers, records)`` of any kind of file; headers are empty where every row names its own (JSON).

    Everything that can refuse the file happens here, before the first record is handed on.
    """
    try:
        headers, records = _OPENERS[detected.kind](source, detected, limits, options)
        first = list(itertools.islice(records, 1))
    except Inflates as error:
        raise FileRefused("inflates", source.name, detail=str(error)) from error
    except DAMAGED as error:
        raise FileRefused("broken-gzip", source.name) from error
    except OSError as error:
        raise FileRefused("unreadable", source.name, detail=error.strerror or str(error)) from error
    return headers, _Quiet(itertools.chain(first, records), source.name)


class _Quiet:
    """Records of which the sample, too, may meet damage: it is a problem there as well, and the end."""

    def __init__(self, records: Iterable[Record | Problem], file: str) -> None:
        self._records, self._file, self._line, self._ended = iter(records), file, 0, False

    def __iter__(self) -> Iterator[Record | Problem]:
        return self

    def __next__(self) -> Record | Problem:
        if self._ended:
            raise StopIteration
        try:
            item = next(self._records)
        except Inflates as error:
            self._ended = True
            return problem("inflates", file=self._file, line=self._line + 1, detail=str(error))
        except (*DAMAGED, OSError):
            self._ended = True
            return problem("truncated", file=self._file, line=self._line + 1)
        except FileRefused as error:
            self._ended = True
            return problem("unreadable-row", file=self._file, line=self._line + 1, detail=str(error))
        self._line = item.line
        return item


Opener = Callable[[Source, Detected, Limits, dict[str, str]], tuple[list[str], Iterator[Record | Problem]]]


def _open_table(source: Source, d: Detected, limits: Limits, options: dict[str, str]) -> Any:
    table = Table(
        source.open(), file=source.name, encoding=d.encoding, delimiter=d.delimiter, quote=d.quote, limits=limits
    )
    return table.headers, table.records()


def _open_jsonl(source: Source, d: Detected, limits: Limits, options: dict[str, str]) -> Any:
    return [], read_jsonl(source.open(), file=source.name, encoding=d.encoding, limits=limits)


def _open_json(source: Source, d: Detected, limits: Limits, options: dict[str, str]) -> Any:
    return [], read_json(source.open(), file=source.name, encoding=d.encoding, limits=limits, path=options.get("path"))


def _open_xlsx(source: Source, d: Detected, limits: Limits, options: dict[str, str]) -> Any:
    return open_workbook(source, limits, options.get("sheet", ""))


def _open_parquet(source: Source, d: Detected, limits: Limits, options: dict[str, str]) -> Any:
    return open_parquet(source, limits)


def _open_arrow(source: Source, d: Detected, limits: Limits, options: dict[str, str]) -> Any:
    return open_arrow(source, limits)


def _open_feed(source: Source, d: Detected, limits: Limits, options: dict[str, str]) -> Any:
    return [], read_feed(source.open(), file=source.name, limits=limits)


_OPENERS: dict[str, Opener] = {
    "csv": _open_table,
    "jsonl": _open_jsonl,
    "json": _open_json,
    "xlsx": _open_xlsx,
    "parquet": _open_parquet,
    "arrow": _open_arrow,
    "xml": _open_feed,
}

__all__ = ["Preview", "ProductReader", "open_records", "preview", "read_products", "replace"]
