"""Junk rows by name, each check on its own, and the real products that none of them may touch."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotations.formats.checks import CHECKS, junk, supplier_of, without_shared
from annotations.formats.clean import STEPS
from annotations.formats.cleaning import EXAMPLES, NAMES, VALUES, Cleaning
from annotations.formats.rows import Row

from .helpers import read


@pytest.mark.parametrize(
    ("row", "check"),
    [
        ({}, "blank"),
        ({"category": "Shoes"}, "blank"),
        ({"title": "test 3"}, "placeholder"),
        ({"title": "Test product"}, "placeholder"),
        ({"title": "测试"}, "placeholder"),
        ({"title": "111", "description": "111"}, "placeholder"),
        ({"title": "---"}, "placeholder"),
        ({"title": "#REF!"}, "sheet_error"),
        ({"id": "SKU", "title": "Title"}, "header"),
        ({"title": "501"}, ""),
        ({"title": "Test tube rack", "description": "Glass"}, ""),
        ({"title": "Test", "description": "A board game about tests of courage, for two to four players."}, ""),
        ({"title": "Name", "id": "17"}, ""),
        ({"title": "", "images": ["a.jpg"]}, ""),
        ({"title": "", "attributes": {"colour": ["Red"]}}, ""),
    ],
)
def test_a_check(row: dict[str, object], check: str) -> None:
    assert junk(Row(line=1, **{"id": "x", **row})) == check  # type: ignore[arg-type]
    if check:
        assert junk(Row(line=1, **{"id": "x", **row}), [c for c in CHECKS if c != check]) in ("", "header")  # type: ignore[arg-type]


def test_every_step_has_a_name_and_each_text_step_an_example_that_it_changes() -> None:
    assert set(EXAMPLES) == {*STEPS, VALUES} and set(NAMES) == {*STEPS, *CHECKS, VALUES, "boilerplate"}
    for name, (before, after) in EXAMPLES.items():
        assert STEPS["entities" if name == VALUES else name](before) == after != before


def test_steps_are_switched_one_by_one() -> None:
    data = b"id,title,description\n1,<b>Wool</b>  coat,\n2,test,\n"
    rows, _ = read(data, cleaning=Cleaning.without(["html", "placeholder"]))
    assert [(r.title, r.junk) for r in rows] == [("<b>Wool</b> coat", ""), ("test", "")]
    rows, _ = read(data)
    assert [(r.title, r.junk) for r in rows] == [("Wool coat", ""), ("test", "placeholder")]
    assert rows[0].originals == {"title": "<b>Wool</b>  coat"} and rows[0].cleaned == {"title": ["html"]}


def test_shared_texts_go_for_their_supplier_alone() -> None:
    shared = {"Acme": ["Free returns within 30 days."]}
    data = b'id,title,brand,description\n1,A,Acme,"Good.\nFree returns within 30 days."\n2,B,Other,"Good.\nFree returns within 30 days."\n'
    rows, _ = read(data, cleaning=Cleaning.without([], shared))
    assert [r.description for r in rows] == ["Good.", "Good.\nFree returns within 30 days."]
    assert rows[0].cleaned["description"] == ["boilerplate"]
    assert rows[0].originals["description"].endswith("30 days.")
    rows, _ = read(data, cleaning=Cleaning.without(["boilerplate"], shared))
    assert rows[0].cleaned == {}
    assert without_shared("a\n\nx\n\nb", {"x"}) == "a\n\nb"


def test_the_supplier_is_found_by_its_usual_names() -> None:
    assert supplier_of({"Brand": ["Luma"], "colour": ["Red"]}, {}) == "Luma"
    assert supplier_of({"品牌": ["网易"]}, {}) == "网易"
    assert supplier_of({"brand": ["Luma"]}, {"Vendor": "Warehouse 3"}) == "Warehouse 3"
    assert supplier_of({"colour": ["Red"]}, {}) == ""


@pytest.mark.shared
@pytest.mark.parametrize("name", ["magento_luma_en", "oamine_en", "yanxuan_zh", "grocery_store_en"])
def test_no_real_product_is_taken_for_junk(name: str, shared: Path) -> None:
    rows, _ = read((shared / name / "products.jsonl.gz").read_bytes(), "products.jsonl.gz")
    assert len(rows) > 50
    assert [(row.id, row.title, row.junk) for row in rows if row.junk] == []


@pytest.mark.shared
def test_the_junk_of_a_real_database_is_found(shared: Path) -> None:
    rows, _ = read((shared / "mall_demo_zh" / "products.jsonl.gz").read_bytes(), "products.jsonl.gz")
    assert {row.title for row in rows if row.junk} == {"test", "xxx"}
