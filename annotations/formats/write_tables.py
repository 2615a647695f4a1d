"""XLSX and Parquet out: the wide table, in bytes that depend on the rows alone."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable
from typing import IO, Any, BinaryIO

from annotations.formats.exporting import ExportRow
from annotations.formats.rows import FileRefused
from annotations.formats.wide import PRODUCT_COLUMNS, facet_column, wide
from annotations.formats.write_csv import joined, safe_cell

CELL_CHARS = 32_767
"""What a cell of a workbook holds at most; longer texts are cut there, by Excel's own limit."""
SHEET_ROWS = 1_048_576
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*(</dcterms:)")
EPOCH = (1980, 1, 1, 0, 0, 0)
BATCH_ROWS = 2_000


def write_xlsx(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """One sheet, text cells only. Formula-looking text is led by an apostrophe; control characters are left out.

    Raises FileRefused where the rows do not fit on a sheet.
    """
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Products")
    count = 0
    with wide(rows, facets) as (columns, lines):
        sheet.append([_text(c) for c in (*PRODUCT_COLUMNS, *map(facet_column, columns))])
        for product, cells in lines():
            count += 1
            if count >= SHEET_ROWS:
                book.close()
                raise FileRefused("too-large", limit=f"{SHEET_ROWS} rows of a sheet; {CELL_CHARS} characters and")
            sheet.append([*map(_text, product), *(_text(joined(cells.get(f, []))) for f in columns)])
    with tempfile.TemporaryFile() as spool:
        book.save(spool)
        spool.seek(0)
        _without_times(spool, out)
    return count


def _text(text: str) -> str | None:
    return _ILLEGAL.sub("", safe_cell(text))[:CELL_CHARS] or None


def _without_times(spool: IO[bytes], out: BinaryIO) -> None:
    """The workbook again, with every moment of writing in it set to one date: the same rows, the same bytes."""
    with zipfile.ZipFile(spool) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with source.open(name) as part, target.open(entry, "w", force_zip64=True) as copy:
                if name == "docProps/core.xml":
                    copy.write(_STAMP.sub(rb"\g<1>1980-01-01T00:00:00Z\g<3>", part.read()))
                    continue
                while block := part.read(1 << 20):
                    copy.write(block)


def write_parquet(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """Product columns as text, each facet as a list of labels, byte-exact. Raises FileRefused without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise FileRefused("needs-package", detail="Parquet (pyarrow)") from error
    count = 0
    with wide(rows, facets) as (columns, lines):
        names = [*PRODUCT_COLUMNS, *map(facet_column, columns)]
        kinds = [pa.string()] * len(PRODUCT_COLUMNS) + [pa.list_(pa.string())] * len(columns)
        schema = pa.schema(list(zip(names, kinds, strict=True)))
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            batch: list[list[Any]] = []
            for product, cells in lines():
                batch.append([*product, *(cells.get(f, []) for f in columns)])
                count += 1
                if len(batch) == BATCH_ROWS:
                    writer.write_table(_arrow(pa, schema, batch))
                    batch = []
            if batch or not count:
                writer.write_table(_arrow(pa, schema, batch))
    return count


def _arrow(pa: Any, schema: Any, batch: list[list[Any]]) -> Any:
    columns: list[Any] = list(zip(*batch, strict=True)) if batch else [[] for _ in schema]
    return pa.table([pa.array(c, type=f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
