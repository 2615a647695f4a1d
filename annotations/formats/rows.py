"""What a file becomes: rows and problems. Errors are values here; only a whole file that is bad is an exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from annotations.formats.messages import PROBLEMS, REFUSALS, sentence

Severity = Literal["error", "warning"]

VALUE_CHARS = 80
"""How much of an offending value a problem repeats."""
ROW_CHARS = 50_000
"""A row that is left out is kept with its problem, to be mended, unless it is longer than this."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken in at most. Every limit says so when hit; the web settings may lower or raise each."""

    file_bytes: int = 2 * 1024**3
    inflated_bytes: int = 8 * 1024**3
    inflate_ratio: int = 200
    rows: int = 5_000_000
    columns: int = 2_000
    cell_chars: int = 100_000
    line_chars: int = 2_000_000
    id_chars: int = 200
    family_chars: int = 200
    category_chars: int = 500
    language_chars: int = 16
    values: int = 2_000
    json_bytes: int = 256 * 1024**2
    zip_members: int = 200_000
    zip_ratio: int = 100
    zip_inflated_bytes: int = 16 * 1024**3
    picture_bytes: int = 32 * 1024**2
    picture_pixels: int = 40_000_000


class FileRefused(Exception):
    """The whole file is bad: nothing of it may be written.

    ``code`` is one of ``REFUSALS``; ``str()`` is the sentence (what is wrong and the way out) in English, and
    ``params`` fill the same sentence in another language.
    """

    def __init__(self, code: str, file: str = "", **params: object) -> None:
        self.code = code
        self.file = file
        self.params = {"detail": "", "limit": "", **params}
        super().__init__(sentence(REFUSALS[code], self.params))

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "file": self.file, "message": str(self), "params": self.params}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FileRefused:
        return cls(data["code"], data.get("file", ""), **data.get("params", {}))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one row. An error's row was left out; a warning's row was taken all the same.

    ``line`` is the line of the file where the row begins (1 is the first), 0 where there is none; ``column`` the
    header of the cell; ``value`` its beginning; ``cells`` the row that was left out, by header (rows, where a product
    stands on several), as far as it could be split.
    """

    file: str
    line: int
    column: str
    value: str
    code: str
    message: str
    severity: Severity = "error"
    params: Mapping[str, Any] = field(default_factory=dict)
    cells: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Problem:
        return cls(**{**data, "cells": tuple(data.get("cells", ()))})


def problem(
    code: str,
    *,
    file: str,
    line: int,
    column: str = "",
    value: object = "",
    severity: Severity = "error",
    cells: Sequence[Mapping[str, Any]] = (),
    sentences: Mapping[str, str] = PROBLEMS,
    **params: object,
) -> Problem:
    """A problem of a known code, its sentence filled in and its value and cells cut and made safe to store."""
    filled = {"detail": "", "limit": "", **params}
    return Problem(
        file=file,
        line=line,
        column=storable(column)[:VALUE_CHARS],
        value=storable(str(value)[: VALUE_CHARS + 1])[:VALUE_CHARS],
        code=code,
        message=sentence(sentences[code], filled),
        severity=severity,
        params={k: v for k, v in filled.items() if v != ""},
        cells=kept_cells(cells),
    )


def kept_cells(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Rows to be mended, safe to store; none of them where they are too long."""
    if sum(len(str(value)) for row in rows for value in row.values()) > ROW_CHARS:
        return ()
    return tuple({storable(name): _storable(value) for name, value in row.items()} for row in rows)


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(k)): _storable(v) for k, v in value.items()}
    return [_storable(v) for v in value] if isinstance(value, list) else value


def storable(text: str) -> str:
    """Text that any database and any encoding takes: undecodable bytes as U+FFFD, NUL as its picture (U+2400)."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "\u2400")


@dataclass(frozen=True, slots=True)
class Row:
    """One product as a file gives it, with names mapped and text cleaned.

    attributes: facet name as the file writes it to its values, in the file's order and without repeats
    absent:     facet names the file says do not apply
    spans:      ``{"start", "end", "facet", "text", "field"}``, code points, true for the text given here
    images:     names or addresses of pictures, as they stand in the file
    extra:      every column that is mapped to nothing, as text
    raw:        the original cells by header, before any cleaning
    cleaned:    field to the cleaning steps that changed it
    originals:  field to its cell as it came, for the fields in ``cleaned``
    junk:       the check that takes the row for junk; empty: none does
    source_hash: of the original cells and how they were read, so that they are known again (``known.py``); empty where
                 the row has problems or nobody asked
    row_hash, text_hash, supplier: of what came out, where the child worked them out already
    """

    line: int
    id: str
    title: str = ""
    description: str = ""
    category: str = ""
    language: str = ""
    family: str = ""
    attributes: dict[str, list[str]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    cleaned: dict[str, list[str]] = field(default_factory=dict)
    originals: dict[str, str] = field(default_factory=dict)
    junk: str = ""
    source_hash: str = ""
    row_hash: str = field(default="", compare=False)
    text_hash: str = field(default="", compare=False)
    supplier: str | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _ROW_FIELDS}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Row:
        return cls(**data)


_ROW_FIELDS = tuple(f.name for f in fields(Row))


@dataclass(frozen=True, slots=True)
class Same:
    """A row that the product has already, cell for cell and without problems. It was not read any further."""

    line: int
    id: str


@dataclass(frozen=True, slots=True)
class Record:
    """Cells of one row by header, before any mapping. Cells are text in tables and JSON values in JSON."""

    line: int
    cells: dict[str, Any]
