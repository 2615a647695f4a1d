"""Parquet as records, batch by batch. pyarrow is an optional package."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterator
from typing import Any

from annotations.formats.jsonl import as_record
from annotations.formats.rows import FileRefused, Limits, Problem, Record, problem
from annotations.formats.source import Source

BATCH_ROWS = 500
BATCH_BYTES = 256 * 1024**2


def open_parquet(source: Source, limits: Limits) -> tuple[list[str], Iterator[Record | Problem]]:
    """``(headers, records)``; a record's line is its number in the file. Raises FileRefused."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise FileRefused("needs-package", source.name, detail="Parquet (pyarrow)") from error
    try:
        # Limits on what the footer may make pyarrow reserve: a few bytes of it can ask for gigabytes.
        file = pq.ParquetFile(
            source.seekable(), thrift_string_size_limit=16 * 1024**2, thrift_container_size_limit=1_000_000
        )
        headers = [str(name) for name in file.schema_arrow.names]
        groups = [file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise FileRefused("broken-parquet", source.name, detail=str(error)[:120]) from error
    if len(headers) > limits.columns:
        raise FileRefused("too-many-columns", source.name, detail=len(headers), limit=limits.columns)
    if max(groups, default=0) > limits.inflated_bytes or sum(groups) > limits.inflated_bytes:
        raise FileRefused("inflates", source.name, detail=f"more than {limits.inflated_bytes} bytes")
    return headers, _records(file, source.name)


def _records(file: Any, name: str) -> Iterator[Record | Problem]:
    import pyarrow as pa

    number = 0
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            if batch.nbytes > BATCH_BYTES:
                yield problem("long-line", file=name, line=number + 1, limit=BATCH_BYTES)
                return
            for cells in batch.to_pylist():
                number += 1
                plain = {str(k): _plain(v) for k, v in cells.items()}
                yield as_record(plain, repr(cells), number, file=name)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        yield problem("unreadable-row", file=name, line=number + 1, detail=str(error)[:100])


def _plain(value: Any) -> Any:
    """What JSON can say: bytes are left out, dates and decimals are text, not-a-number is nothing."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124  NaN
    if isinstance(value, bytes):
        return None
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, decimal.Decimal | dt.timedelta) else value
