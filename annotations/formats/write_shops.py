"""Out to shops and other tools: a Shopify patch, a Google supplemental feed, Label Studio tasks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any, BinaryIO

from annotations.formats.exporting import ExportRow, ExportTag
from annotations.formats.headers import normal

_GOOGLE_NAMES = {
    "color": "color|colour|colors|farbe|颜色",
    "gender": "gender|sex|geschlecht|性别|department|audience|适用性别|人群",
    "age_group": "age group|age|altersgruppe|年龄|适用年龄",
    "material": "material|materials|材质|面料",
    "pattern": "pattern|muster|图案",
    "size": "size|größe|尺码|尺寸",
}
_GOOGLE_FACETS = {normal(name): column for column, names in _GOOGLE_NAMES.items() for name in names.split("|")}
_GENDERS = {
    "men": "male", "man": "male", "male": "male", "mens": "male", "boys": "male", "herren": "male", "男": "male",
    "男士": "male", "women": "female", "woman": "female", "female": "female", "womens": "female", "girls": "female",
    "damen": "female", "女": "female", "女士": "female", "unisex": "unisex", "男女": "unisex", "中性": "unisex",
}  # fmt: skip
_AGES = {
    "newborn": "newborn", "新生儿": "newborn", "infant": "infant", "baby": "infant", "babies": "infant", "婴儿": "infant",
    "toddler": "toddler", "幼儿": "toddler", "kids": "kids", "children": "kids", "child": "kids", "kinder": "kids",
    "儿童": "kids", "adult": "adult", "adults": "adult", "erwachsene": "adult", "成人": "adult",
}  # fmt: skip
GOOGLE_COLUMNS = ("id", "color", "gender", "age_group", "material", "pattern", "size")
GOOGLE_CHARS = 100
GOOGLE_VALUES = 3


def write_google(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """A supplemental feed (TSV): ``id`` and the columns Google knows, in its own words and within its limits.

    Source: Google's product data specification: at most three colours or materials joined by ``/`` and 100 characters,
    gender is male, female or unisex, age_group newborn to adult, one size. What has no word there is left out. Every
    product has a row, and an empty cell changes nothing in the primary feed.
    """
    count = 0
    _line(out, list(GOOGLE_COLUMNS), "\t")
    for row in rows:
        cells = dict.fromkeys(GOOGLE_COLUMNS, "")
        cells["id"] = row.product_id
        for facet, tags in row.approved().items():
            column = _GOOGLE_FACETS.get(normal(facet.replace("-", " ")))
            if column and not cells[column]:
                cells[column] = _google_value(column, [tag.label or tag.slug for tag in tags])
        _line(out, [" ".join(cells[c].split()) for c in GOOGLE_COLUMNS], "\t")
        count += 1
    return count


def _google_value(column: str, labels: list[str]) -> str:
    if column in ("gender", "age_group"):
        words = _GENDERS if column == "gender" else _AGES
        found = {words[key] for label in labels if (key := label.casefold().replace("'", "").strip()) in words}
        if column == "gender" and found >= {"male", "female"}:
            return "unisex"
        return found.pop() if len(found) == 1 else ""
    if column in ("size", "pattern"):
        return labels[0][:GOOGLE_CHARS] if len(labels) == 1 else ""
    text = ""
    for label in labels[:GOOGLE_VALUES]:
        longer = f"{text}/{label.replace('/', ' ')}" if text else label.replace("/", " ")
        if len(longer) <= GOOGLE_CHARS:
            text = longer
    return text


def write_shopify(rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int:
    """A minimal patch for Shopify's product import: ``Handle``, ``Title`` and ``Tags``, nothing else.

    ``Tags`` are those the product came with (``source["Tags"]``) and the approved labels, merged: Shopify replaces the
    cell as a whole. Columns left out keep what the shop has; metafields are left out, since an empty cell would erase
    what nobody has decided on yet.
    """
    count = 0
    _line(out, ["Handle", "Title", "Tags"], ",")
    for row in rows:
        came = next((tags for name, tags in row.source.items() if normal(name) == "tags"), [])
        merged: dict[str, None] = dict.fromkeys(came)
        known = {tag.casefold() for tag in merged}
        for tags in row.approved().values():
            for tag in tags:
                label = (tag.label or tag.slug).replace(",", " ")
                if label.casefold() not in known:
                    known.add(label.casefold())
                    merged[label] = None
        _line(out, [row.product_id, row.title, ", ".join(merged)], ",")
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
