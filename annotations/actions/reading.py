"""How a file of products is read: the mapping that was given, that of a source whose columns it has, or a proposal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils import timezone

from annotations.formats.confined import preview_confined
from annotations.formats.covers import Covers, covers_of
from annotations.formats.headers import normal
from annotations.formats.mapping import Mapping as ColumnMapping
from annotations.formats.rows import Limits
from annotations.models import Catalogue, ImportBatch, ImportSource
from annotations.queries.sources import recognise

LOOSE = ("json", "jsonl")
"""Kinds whose rows may leave keys out, so that two files of one source need not have the same columns."""


def source_of(catalogue: Catalogue, seen: Mapping[str, Any]) -> ImportSource | None:
    """Whose file this is, by what a preview saw of it."""
    return recognise(catalogue, seen["headers"], exact=seen["kind"] not in LOOSE)


def mapping_of(source: ImportSource, seen: Mapping[str, Any]) -> dict[str, Any]:
    """The source's mapping for this file, in the file's own spelling and order of columns; what is new is kept.

    Rows that were mended come in our own encoding and not in the source's.
    """
    options = {} if seen["mends"] else source.mapping.get("options", {})
    meant = {normal(column["header"]): column for column in source.mapping["columns"]}
    columns = [{"target": "", **meant.get(normal(header), {}), "header": header} for header in seen["headers"]]
    return {**source.mapping, "options": options, "columns": columns}


def recognised(
    catalogue: Catalogue, path: str | Path, *, name: str, limits: Limits
) -> tuple[ColumnMapping | None, ImportSource | None]:
    """The source of a file that nobody mapped, and its mapping; nothing where there is none. Raises FileRefused."""
    if not ImportSource.objects.filter(catalogue=catalogue).exists():
        return None, None
    seen = preview_confined(path, 0, name=name, limits=limits)
    source = source_of(catalogue, seen)
    return (ColumnMapping.from_json(mapping_of(source, seen)), source) if source else (None, None)


def preview(*, catalogue: Catalogue, path: str | Path, mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    """How a file would be read, as the wizard shows it first; ``source`` is the name of the one recognised, or empty.

    Raises FileRefused for a file that can't be read at all.
    """
    given = ColumnMapping.from_json(mapping) if mapping else None
    seen = preview_confined(path, mapping=given)
    source = source_of(catalogue, seen) if given is None else None
    if source is not None:
        seen = preview_confined(path, mapping=ColumnMapping.from_json(mapping_of(source, seen)))
    return {**seen, "source": source.name if source else ""}


def note_reading(batch: ImportBatch, told: Mapping[str, Any], source: ImportSource | None) -> Covers | None:
    """Keep with the batch how its file is read, as the reader told when it was opened; what its columns speak of."""
    mapping = told["mapping"]
    if not batch.mapping.get("columns"):
        batch.mapping = {**mapping, "columns": [{**column, "samples": []} for column in mapping["columns"]]}
    if source is not None:
        batch.source = source
        ImportSource.objects.filter(pk=source.pk).update(used_at=timezone.now())
    batch.save(update_fields=["mapping", "source"])
    return covers_of(ColumnMapping.from_json(mapping), told["headers"], told["kind"], mends=told["mends"])


def sha256_of(path: str | Path) -> str:
    """Of a file's bytes; of a folder, of the names and bytes of its files."""
    place = Path(path)
    if not place.is_dir():
        with place.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    whole = hashlib.sha256()
    for inner in sorted(p for p in place.rglob("*") if p.is_file()):
        whole.update(f"{inner.relative_to(place).as_posix()}\0{sha256_of(inner)}\n".encode())
    return whole.hexdigest()
