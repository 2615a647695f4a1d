"""Out to shops and other tools: a Shopify patch, a Google supplemental feed, Label Studio tasks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any, BinaryIO

from annotations.formats.exporting import ExportRow, ExportTag
from annotations.formats.patches import (
    GOOGLE_COLUMNS,
    ShopLayout,
    google_cells,
    shopify_metafield,
    shopify_tags,
)


def write_google(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """A supplemental feed (TSV): ``id`` and the columns Google knows, in its own words and within its limits.

    What has no word there is left out. Every product has a row, and an empty cell changes nothing in the primary feed.
    """
    count = 0
    _line(out, ["id", *GOOGLE_COLUMNS], "\t")
    for row in rows:
        cells = google_cells(row)
        _line(out, [" ".join(row.product_id.split()), *("/".join(cells.get(c, ())) for c in GOOGLE_COLUMNS)], "\t")
        count += 1
    return count


def write_shopify(
    rows: Iterable[ExportRow],
    out: BinaryIO,
    *,
    facets: Iterable[str] | None = None,
    layout: ShopLayout = ShopLayout(),  # noqa: B008  frozen
) -> int:
    """A minimal patch for Shopify's product import: handle, title, tags, and the metafields that facets fill.

    Columns left out keep what the shop has. An empty cell erases it, so a cell holds what the product came with and
    what was approved, never less than the shop has.
    """
    count = 0
    _line(out, [layout.handle, layout.title, layout.tags, *(field.header for field in layout.metafields)], ",")
    for row in rows:
        more = ["; ".join(shopify_metafield(row, field)) for field in layout.metafields]
        _line(out, [row.product_id, row.title, ", ".join(shopify_tags(row)), *more], ",")
        count += 1
    return count


def _line(out: BinaryIO, cells: list[str], delimiter: str) -> None:
    """One line as the shop reads it. Not made safe for spreadsheets: an apostrophe would become part of the text."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    out.write(text.getvalue().encode("utf-8"))


def write_labelstudio(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """Label Studio tasks (a JSON list): what people decided as annotations, what a policy did as predictions.

    ``from_name`` is the facet, ``to_name`` is ``text``; choices are labels.
    """
    count = 0
    out.write(b"[")
    for row in rows:
        out.write(b",\n" if count else b"\n")
        out.write(json.dumps(_task(row), ensure_ascii=False).encode("utf-8"))
        count += 1
    out.write(b"\n]\n")
    return count


def _task(row: ExportRow) -> dict[str, Any]:
    approved = row.approved()
    people = {f: [t for t in tags if t.source != "policy"] for f, tags in approved.items()}
    policy = {f: [t for t in tags if t.source == "policy"] for f, tags in approved.items()}
    data = {
        "id": row.product_id,
        "text": f"{row.title}\n\n{row.description}".strip(),
        "title": row.title,
        "description": row.description,
        "category": row.category,
    }
    task: dict[str, Any] = {"data": data, "annotations": [], "predictions": []}
    if found := _choices(people):
        names = sorted({t.decided_by for tags in people.values() for t in tags if t.decided_by})
        task["annotations"].append({"result": found, "meta": {"decided_by": names}})
    if found := _choices(policy):
        tags = [t for ts in policy.values() for t in ts]
        scores = [t.score for t in tags if t.score is not None]
        version = next((t.model_version for t in tags if t.model_version), "")
        prediction: dict[str, Any] = {"result": found, "model_version": version}
        task["predictions"].append(prediction | ({"score": round(min(scores), 6)} if scores else {}))
    return task


def _choices(facets: dict[str, list[ExportTag]]) -> list[dict[str, Any]]:
    return [
        {
            "from_name": facet,
            "to_name": "text",
            "type": "choices",
            "value": {"choices": [tag.label or tag.slug for tag in tags]},
        }
        for facet, tags in facets.items()
        if tags
    ]
