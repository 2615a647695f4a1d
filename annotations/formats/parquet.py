"""Parquet and Arrow as records, batch by batch. pyarrow is an optional package.

Hugging Face ``datasets`` stores classes as numbers and their names in the schema: they are told by name here.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Iterable, Iterator
from typing import Any

from annotations.formats.headers import unique
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
        headers = _apart([str(name) for name in file.schema_arrow.names])
        groups = [file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)]
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise FileRefused("broken-parquet", source.name, detail=str(error)[:120]) from error
    if len(headers) > limits.columns:
        raise FileRefused("too-many-columns", source.name, detail=len(headers), limit=limits.columns)
    if max(groups, default=0) > limits.inflated_bytes or sum(groups) > limits.inflated_bytes:
        raise FileRefused("inflates", source.name, detail=f"more than {limits.inflated_bytes} bytes")
    batches = file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)
    return headers, _records(batches, headers, class_names(file.schema_arrow.metadata), source.name)


def open_arrow(source: Source, limits: Limits) -> tuple[list[str], Iterator[Record | Problem]]:
    """The same of Arrow's own files, streamed or with a directory at the end. Raises FileRefused."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise FileRefused("needs-package", source.name, detail="Arrow (pyarrow)") from error
    try:
        stream = source.seekable()
        whole = stream.read(6) == b"ARROW1"
        stream.seek(0)
        reader = pa.ipc.open_file(stream) if whole else pa.ipc.open_stream(stream)
        headers = _apart([str(name) for name in reader.schema.names])
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise FileRefused("broken-parquet", source.name, detail=str(error)[:120]) from error
    if len(headers) > limits.columns:
        raise FileRefused("too-many-columns", source.name, detail=len(headers), limit=limits.columns)
    batches = map(reader.get_batch, range(reader.num_record_batches)) if whole else iter(reader)
    small = (b.slice(at, BATCH_ROWS) for b in batches for at in range(0, b.num_rows, BATCH_ROWS))
    return headers, _records(small, headers, class_names(reader.schema.metadata), source.name)


def class_names(metadata: Any) -> dict[str, list[str]]:
    """Column to the names of its classes, as ``datasets`` writes them beside the schema."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: [str(n) for n in inner["names"]]
            for name, kind in features.items()
            for inner in [kind.get("feature", kind) if isinstance(kind, dict) else {}]
            if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" and isinstance(inner.get("names"), list)
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _apart(names: list[str]) -> list[str]:
    """The names as they are, unless one stands there twice: each column keeps its own cells."""
    return names if len(set(names)) == len(names) else unique(names)


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(v, names) for v in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else None  # -1: no class
    return value


def _records(
    batches: Iterable[Any], headers: list[str], classes: dict[str, list[str]], name: str
) -> Iterator[Record | Problem]:
    import pyarrow as pa

    number = 0
    try:
        for batch in batches:
            if batch.nbytes > BATCH_BYTES:
                yield problem("long-line", file=name, line=number + 1, limit=BATCH_BYTES)
                return
            for cells in batch.rename_columns(headers).to_pylist():
                number += 1
                plain = {str(k): _plain(v) for k, v in cells.items()}
                plain |= {k: _named(plain[k], names) for k, names in classes.items() if k in plain}
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
