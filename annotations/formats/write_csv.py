"""CSV out, wide (a column per facet) and long (a row per tag). UTF-8, CRLF, as RFC 4180 has it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import BinaryIO

from annotations.formats.exporting import ExportRow
from annotations.formats.wide import PRODUCT_COLUMNS, facet_column, wide

LONG_COLUMNS = (
    "product_id", "facet", "tag", "state", "score", "source", "model_version", "decided_by", "decided_at",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: one that could be is led by an apostrophe (OWASP's advice)."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def joined(labels: list[str]) -> str:
    """Labels in one cell: ``|`` between them, and a bar within one written as ``\\|``."""
    return "|".join(label.replace("|", "\\|") for label in labels)


def write_csv_wide(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """A row per product and a column per facet, approved labels joined by ``|``. See :func:`wide` for ``facets``."""
    count = 0
    with wide(rows, facets) as (columns, lines), _table(out) as table:
        table.writerow([*PRODUCT_COLUMNS, *(safe_cell(facet_column(f)) for f in columns)])
        for product, cells in lines():
            table.writerow([*map(safe_cell, product), *(safe_cell(joined(cells.get(f, []))) for f in columns)])
            count += 1
    return count


def write_csv_long(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """A row per product, facet and tag, rejected ones too. Returns the number of products, as every writer does."""
    count = 0
    with _table(out) as table:
        table.writerow(LONG_COLUMNS)
        for row in rows:
            for facet in sorted(row.tags):
                for tag in sorted(row.tags[facet], key=lambda t: t.slug):
                    score = "" if tag.score is None else repr(round(tag.score, 6))
                    table.writerow(
                        [safe_cell(row.product_id), safe_cell(facet), safe_cell(tag.slug), tag.state, score]
                        + [safe_cell(x) for x in (tag.source, tag.model_version, tag.decided_by, tag.decided_at)]
                    )
            count += 1
    return count


class _table:  # noqa: N801  reads as a verb: with _table(out) as table
    """A csv writer over a binary stream that is left open."""

    def __init__(self, out: BinaryIO) -> None:
        self._text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=False)

    def __enter__(self) -> csv._writer:  # type: ignore[name-defined]
        return csv.writer(self._text, lineterminator="\r\n")

    def __exit__(self, *_: object) -> None:
        self._text.flush()
        self._text.detach()
