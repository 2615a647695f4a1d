"""JSONL out: one product a line, in the shape that the importer takes in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, BinaryIO

from annotations.formats.exporting import ExportRow, ExportTag


def write_jsonl(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """``attributes`` holds the labels of the approved tags; ``decided`` says for each who or what decided it and when.

    Text is byte-exact UTF-8: nothing is escaped or defused that JSON does not ask for. ``facets`` is not needed here.
    """
    count = 0
    for row in rows:
        out.write(json.dumps(product_object(row), ensure_ascii=False, separators=(", ", ": ")).encode("utf-8") + b"\n")
        count += 1
    return count


def product_object(row: ExportRow) -> dict[str, Any]:
    """The import shape of one product. Empty parts other than title and description are left out."""
    approved = row.approved()
    whole: dict[str, Any] = {"id": row.product_id, "title": row.title, "description": row.description}
    optional: dict[str, Any] = {
        "category": row.category,
        "language": row.language,
        "family": row.family,
        "images": list(row.images),
    }
    whole |= {name: value for name, value in optional.items() if value}
    whole["attributes"] = {facet: [tag.label or tag.slug for tag in tags] for facet, tags in approved.items()}
    whole["decided"] = {facet: {tag.slug: _decision(tag) for tag in tags} for facet, tags in approved.items()}
    return whole


def _decision(tag: ExportTag) -> dict[str, Any]:
    told = {
        "label": tag.label,
        "by": tag.decided_by,
        "at": tag.decided_at,
        "source": tag.source,
        "model_version": tag.model_version,
        "score": tag.score,
    }
    return {name: value for name, value in told.items() if value not in ("", None)}
