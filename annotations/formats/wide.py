"""A row per product and a column per facet: what CSV, XLSX and Parquet share."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from annotations.formats.exporting import ExportRow

PRODUCT_COLUMNS = ("id", "title", "description", "category", "language", "family")
WideRow = tuple[list[str], dict[str, list[str]]]
"""Cells of the product columns, and facet to the labels of its approved tags."""


def wide_row(row: ExportRow) -> WideRow:
    product = [row.product_id, row.title, row.description, row.category, row.language, row.family]
    return product, {facet: [tag.label or tag.slug for tag in tags] for facet, tags in row.approved().items()}


def facet_column(facet: str) -> str:
    """A facet named like a product column would read back as that column."""
    return f"{facet} (facet)" if facet in PRODUCT_COLUMNS else facet


@contextmanager
def wide(
    rows: Iterable[ExportRow], facets: Iterable[str] | None
) -> Iterator[tuple[Sequence[str], Callable[[], Iterator[WideRow]]]]:
    """``(facets in the order of their columns, the rows)``.

    Without ``facets`` the columns are those that occur, sorted; the rows are then kept in a temporary file until the
    last one is known, so memory stays flat.
    """
    if facets is not None:
        yield list(facets), lambda: map(wide_row, rows)
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as spool:
        seen: set[str] = set()
        for row in rows:
            product, cells = wide_row(row)
            seen |= cells.keys()
            spool.write(json.dumps([product, cells]) + "\n")
        spool.seek(0)
        yield sorted(seen), lambda: ((product, cells) for product, cells in map(json.loads, spool))
