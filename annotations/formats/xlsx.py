"""XLSX as records: openpyxl in read-only mode, one row at a time, XML through defusedxml.

What a workbook unpacks to is counted before any of it is parsed: members, ratio, and size, on the bytes that really
come out. Cells are text as a person sees them where that can be told: whole numbers without ``.0``, dates in ISO form.
"""

from __future__ import annotations

import datetime as dt
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from annotations.formats.encoding import BAD_TEXT
from annotations.formats.headers import is_known, unique
from annotations.formats.pictures import ZIP_BROKEN
from annotations.formats.rows import FileRefused, Limits, Problem, Record, problem
from annotations.formats.source import Source
from annotations.formats.tables import HEADER_WITHIN

PART_BYTES = 1 << 30
"""A part of a workbook (a sheet, the shared strings) may unpack to this many bytes at most."""
XML_RATIO = 300
"""XML of a sheet with equal cells packs well: a higher ratio than for pictures is honest."""


def open_workbook(source: Source, limits: Limits, sheet: str = "") -> tuple[list[str], Iterator[Record | Problem]]:
    """``(headers, records)`` of a sheet; without a name, the first sheet that has two columns. Raises FileRefused."""
    try:
        import openpyxl
    except ImportError as error:
        raise FileRefused("needs-package", source.name, detail="XLSX (openpyxl)") from error
    if not openpyxl.DEFUSEDXML:
        raise FileRefused("needs-package", source.name, detail="XLSX (defusedxml)")
    stream = source.seekable()
    _weigh(stream, source.name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl remarks on styles it does not know
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            names = book.sheetnames
            if sheet and sheet not in names:
                raise FileRefused("no-sheet", source.name, detail=sheet[:60])
            for name in [sheet] if sheet else names:
                worksheet = book[name]
                if not hasattr(worksheet, "iter_rows"):
                    continue  # a sheet of charts
                worksheet.reset_dimensions()  # what a sheet says of its own size is often wrong
                rows = _rows(worksheet, limits)
                ahead = [row for _, row in zip(range(HEADER_WITHIN), rows, strict=False)]
                if sheet or any(len(cells) > 1 for _, cells in ahead):
                    return _table(ahead, rows, source.name, limits)
    except FileRefused:
        raise
    except Exception as error:  # openpyxl raises whatever its parts do on a damaged workbook
        raise FileRefused("broken-xlsx", source.name, detail=_told(error)) from error
    raise FileRefused("empty", source.name)


def sheet_names(source: Source) -> list[str]:
    """The sheets of a workbook that opened well. None where it does not open."""
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(source.seekable(), read_only=True, keep_links=False)
            return [str(name) for name in book.sheetnames]
    except Exception:  # whatever its parts do on a damaged workbook; it has been said where it was read
        return []


def _weigh(stream: Any, file: str) -> None:
    """Unpacks every part once without keeping it and refuses what is too much. Leaves the stream at its beginning."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            if len(members) > 10_000:
                raise FileRefused("zip-limit", file, detail="more than 10000 parts")
            for info in members:
                if info.filename.startswith("xl/media/"):
                    continue  # never opened here
                size = 0
                with archive.open(info) as part:
                    while block := part.read(1 << 18):
                        size += len(block)
                        ratio = XML_RATIO * max(1, info.compress_size)
                        if size > PART_BYTES or (size > 32 * 1024**2 and size > ratio):
                            raise FileRefused("inflates", file, detail=f"more than {size} bytes in one part")
    except ZIP_BROKEN as error:
        raise FileRefused("broken-xlsx", file, detail=str(error)[:100] or type(error).__name__) from error
    finally:
        stream.seek(0)


def _rows(worksheet: Any, limits: Limits) -> Iterator[tuple[int, list[str]]]:
    """``(number, cells)`` of each row that is not blank."""
    for number, cells in enumerate(worksheet.iter_rows(values_only=True, max_col=limits.columns), start=1):
        texts = [as_seen(cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        if any(text.strip() for text in texts):
            yield number, texts


def as_seen(value: Any) -> str:
    """A cell's value as text. Openpyxl gives an error cell as its text (#N/A), which counts as blank later."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("_x000D_", "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _table(
    ahead: list[tuple[int, list[str]]], rest: Iterator[tuple[int, list[str]]], file: str, limits: Limits
) -> tuple[list[str], Iterator[Record | Problem]]:
    """The header is the best known of the first rows, as in other tables."""
    if not ahead:
        raise FileRefused("empty", file)
    known = [sum(map(is_known, cells)) for _, cells in ahead]
    place = next((i for i, k in enumerate(known) if k == max(known) and k >= max(2, known[0] + 2)), 0)
    headers = unique(ahead[place][1])
    return headers, _records(ahead[place + 1 :], rest, headers, file, limits)


def _records(
    ahead: list[tuple[int, list[str]]],
    rest: Iterator[tuple[int, list[str]]],
    headers: list[str],
    file: str,
    limits: Limits,
) -> Iterator[Record | Problem]:
    number = 0
    try:
        for part in (ahead, rest):
            for number, cells in part:
                yield _record(number, cells, headers, file, limits)
    except Exception as error:  # a damaged sheet: what came before it stands
        yield problem("unreadable-row", file=file, line=number + 1, detail=_told(error))


def _told(error: Exception) -> str:
    """What went wrong at the bottom of it, on one line: openpyxl wraps errors in long advice."""
    while isinstance(error.__cause__ or error.__context__, Exception):
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def _record(number: int, cells: list[str], headers: list[str], file: str, limits: Limits) -> Record | Problem:
    width = len(headers)
    if len(cells) > width:
        return problem(
            "too-many-cells",
            file=file,
            line=number,
            column=headers[-1],
            value=cells[width],
            detail=len(cells),
            limit=width,
            cells=[dict(zip(headers, cells, strict=False))],
        )
    for header, cell in zip(headers, cells, strict=False):
        if len(cell) > limits.cell_chars:
            rows = [dict(zip(headers, cells, strict=False))]
            return problem(
                "long-cell", file=file, line=number, column=header, value=cell, limit=limits.cell_chars, cells=rows
            )
        if found := BAD_TEXT.search(cell):
            code = "nul" if found[0] == "\0" else "surrogate"
            rows = [dict(zip(headers, cells, strict=False))]
            return problem(code, file=file, line=number, column=header, value=cell, cells=rows)
    return Record(number, dict(zip(headers, cells + [""] * (width - len(cells)), strict=True)))
