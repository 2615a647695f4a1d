"""Rows out: deterministic bytes, nothing that a spreadsheet runs, and JSONL that comes back in as it went out."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from annotations.formats.exporting import ExportRow, ExportTag
from annotations.formats.writers import WRITERS

from .helpers import read

BLACK = ExportTag(
    "black", "Black", score=0.91, source="review", decided_by="ann", decided_at="2026-01-02T03:04:05+00:00"
)
RED = ExportTag("red", "Red", state="rejected", source="review", decided_by="ann")
ROWS = [
    ExportRow(
        "=1+1", "=cmd|' /C calc'!A0", "two\nlines, “quotes” and \"more\"", "Men/Tops", "en", "F1",
        {"fit": [ExportTag("slim|x", "Slim|x")], "color": [RED, BLACK, ExportTag("amber", "Amber", decided_by="policy")]},
        images=("a.jpg",),
    ),
    ExportRow("2", "智能手表", "", tags={"color": [RED]}),
    ExportRow("3", "-5 % off", "\tx"),
]  # fmt: skip


def written(name: str, rows: list[ExportRow], **options: object) -> tuple[int, bytes]:
    out = io.BytesIO()
    count = WRITERS[name](iter(rows), out, **options)  # type: ignore[arg-type]
    assert not out.closed
    return count, out.getvalue()


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_counts_products_and_gives_the_same_bytes_for_the_same_rows(name: str) -> None:
    shuffled = [
        replace(r, tags={f: list(reversed(r.tags[f])) for f in reversed(list(r.tags))}) for r in ROWS
    ]  # the order within a product is not the caller's duty
    count, data = written(name, ROWS)
    assert count == 3 and data
    assert written(name, shuffled) == (count, data)


def test_jsonl_is_byte_exact_and_comes_back_in() -> None:
    _, data = written("jsonl", ROWS)
    objects = [json.loads(line) for line in data.decode().splitlines()]
    assert objects[0]["title"] == ROWS[0].title and "智能手表".encode() in data
    assert objects[0]["attributes"] == {"color": ["Amber", "Black"], "fit": ["Slim|x"]}
    assert objects[0]["decided"]["color"]["black"] == {
        "label": "Black", "by": "ann", "at": "2026-01-02T03:04:05+00:00", "source": "review", "score": 0.91,
    }  # fmt: skip
    assert objects[1]["attributes"] == {}
    rows, problems = read(data, "out.jsonl", steps=())
    assert not problems
    assert [(r.id, r.title, r.description, r.family) for r in rows] == [
        (r.product_id, r.title, r.description, r.family) for r in ROWS
    ]
    assert rows[0].attributes == objects[0]["attributes"] and rows[0].images == ["a.jpg"]


def test_csv_wide_has_a_column_per_facet_and_runs_nothing() -> None:
    _, data = written("csv-wide", ROWS)
    table = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert table[0] == ["id", "title", "description", "category", "language", "family", "color", "fit"]
    assert table[1][6:] == ["Amber|Black", "Slim\\|x"]
    assert not [cell for row in table for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    rows, problems = read(data, "out.csv", steps=())
    assert [p.severity for p in problems] in ([], ["warning"])
    assert [(r.id, r.title, r.description) for r in rows] == [(r.product_id, r.title, r.description) for r in ROWS]
    assert rows[0].attributes == {"color": ["Amber", "Black"], "fit": ["Slim|x"]}


def test_csv_wide_with_given_facets_keeps_their_order() -> None:
    _, data = written("csv-wide", ROWS, facets=["size", "fit", "color"])
    assert data.split(b"\r\n")[0].endswith(b"family,size,fit,color")


def test_a_facet_named_like_a_product_column_stays_apart() -> None:
    _, data = written("csv-wide", [ExportRow("1", tags={"title": [BLACK]})])
    assert data.split(b"\r\n")[0] == b"id,title,description,category,language,family,title (facet)"


def test_csv_long_says_who_decided() -> None:
    _, data = written("csv-long", ROWS)
    table = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [(t["product_id"], t["facet"], t["tag"], t["state"]) for t in table] == [
        ("'=1+1", "color", "amber", "approved"),
        ("'=1+1", "color", "black", "approved"),
        ("'=1+1", "color", "red", "rejected"),
        ("'=1+1", "fit", "slim|x", "approved"),
        ("2", "color", "red", "rejected"),
    ]
    assert (table[1]["score"], table[1]["decided_by"], table[0]["decided_by"]) == ("0.91", "ann", "policy")


def test_xlsx_comes_back_in_and_runs_nothing() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    odd = ExportRow("4", "bell\x07 and \x0b", "long " * 10_000, tags={"color": [BLACK]})
    _, data = written("xlsx", [*ROWS, odd])
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert not [c for row in sheet.iter_rows() for c in row if c.data_type == "f"]
    assert written("xlsx", [*ROWS, odd])[1] == data
    rows, _ = read(data, "out.xlsx", steps=())
    assert [r.id for r in rows] == ["=1+1", "2", "3", "4"] and rows[0].title == ROWS[0].title
    assert rows[0].attributes == {"color": ["Amber", "Black"], "fit": ["Slim|x"]}
    assert rows[3].title == "bell and " and len(rows[3].description) == 32_767


def test_parquet_comes_back_in_byte_exact() -> None:
    _, data = written("parquet", ROWS)
    rows, _ = read(data, "out.parquet", steps=())
    assert [(r.id, r.title, r.raw["description"]) for r in rows] == [
        (r.product_id, r.title, r.description) for r in ROWS
    ]
    assert rows[0].raw["color"] == ["Amber", "Black"]
    assert written("parquet", [])[0] == 0


def test_shopify_patch_merges_tags_and_names_three_columns_only() -> None:
    rows = [
        ExportRow("tee", "Tee", tags={"color": [BLACK, RED], "fit": [ExportTag("slim", "Slim, fit")]},
                  source={"Tags": ["summer", "black", "sale"]}),
        ExportRow("mug", "=Mug"),
    ]  # fmt: skip
    _, data = written("shopify", rows)
    assert list(csv.reader(io.StringIO(data.decode(), newline=""))) == [
        ["Handle", "Title", "Tags"],
        ["tee", "Tee", "summer, black, sale, Slim  fit"],
        ["mug", "=Mug", ""],
    ]


def test_google_feed_speaks_googles_words_within_its_limits() -> None:
    def labels(*names: str) -> list[ExportTag]:
        return [ExportTag(f"{n:02}", name) for n, name in enumerate(names)]

    rows = [
        ExportRow("1", tags={"colour": labels("Navy", "White", "Red", "Green"), "gender": labels("Men's"),
                             "age-group": labels("儿童"), "material": labels("x" * 99, "wool"), "size": labels("S", "M")}),
        ExportRow("2\t", tags={"gender": labels("Women", "Men"), "size": labels("XL"), "occasion": labels("Party")}),
        ExportRow("3", tags={"gender": labels("Robots"), "color": [RED]}),
    ]  # fmt: skip
    _, data = written("google", rows)
    table = list(csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter="\t"))
    assert table[0] == {
        "id": "1", "color": "Navy/White/Red", "gender": "male", "age_group": "kids", "material": "x" * 99,
        "pattern": "", "size": "",
    }  # fmt: skip
    assert (table[1]["id"], table[1]["gender"], table[1]["size"]) == ("2", "unisex", "XL")
    assert set(table[2].values()) == {"3", ""}


def test_label_studio_keeps_people_and_policies_apart() -> None:
    policy = ExportTag("wool", "Wool", score=0.8, source="policy", model_version="m3")
    _, data = written("labelstudio", [ExportRow("1", "T", "D", tags={"color": [BLACK], "material": [policy]}), ROWS[1]])
    first, second = json.loads(data)
    assert first["data"]["text"] == "T\n\nD"
    assert first["annotations"][0]["result"][0] == {
        "from_name": "color", "to_name": "text", "type": "choices", "value": {"choices": ["Black"]},
    }  # fmt: skip
    assert first["predictions"][0]["model_version"] == "m3" and first["predictions"][0]["score"] == 0.8
    assert second["annotations"] == second["predictions"] == []
    assert json.loads(written("labelstudio", [])[1]) == []
