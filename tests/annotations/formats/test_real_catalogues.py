"""Raw exports as they are found in the wild go in without anybody mapping a column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from annotations.formats.products import ProductReader, read_products
from annotations.formats.rows import Problem, Row

pytestmark = pytest.mark.shared


def take(path: Path) -> tuple[dict[str, Row], list[Problem]]:
    items = list(read_products(path))
    return {i.id: i for i in items if isinstance(i, Row)}, [i for i in items if isinstance(i, Problem)]


@pytest.mark.parametrize(
    ("file", "rows", "problems", "encoding"),
    [
        ("magento_luma_en/products.jsonl.gz", 383, 0, "utf-8"),
        ("magento_luma_en/raw_semicolon_cp1252.csv", 383, 0, "cp1252"),
        ("magento_luma_en/raw_magento_products.csv.gz", 1653, 0, "utf-8"),
        ("yanxuan_zh/raw_goods_gb18030.csv", 192, 0, "gb18030"),
        ("yanxuan_zh/products.jsonl.gz", 192, 0, "utf-8"),
        ("mall_demo_zh/products.jsonl.gz", 38, 0, "utf-8"),
        ("oamine_en/products.jsonl.gz", 1449, 0, "utf-8"),
        ("clothing_photos/products.jsonl.gz", 3057, 0, "utf-8"),
        ("grocery_store_en/photos.jsonl.gz", 2936, 0, "utf-8"),
        ("raw_json/bestbuy_categories.json.gz", 4584, 1, "utf-8"),
        ("raw_json/dummyjson_products.json.gz", 194, 0, "utf-8"),
    ],
)
def test_every_row_of_a_raw_file_becomes_a_product(
    shared: Path, file: str, rows: int, problems: int, encoding: str
) -> None:
    with ProductReader(shared / file) as reader:
        assert reader.detected.encoding == encoding
        items = list(reader.rows())
    found = [i for i in items if isinstance(i, Row)]
    assert (len(found), len(items) - len(found)) == (rows, problems)
    assert len({r.id for r in found}) == rows
    assert len({r.line for r in found}) == rows or "json" in file


def test_the_semicolon_file_says_the_same_as_the_clean_one(shared: Path) -> None:
    clean, _ = take(shared / "magento_luma_en/products.jsonl.gz")
    messy, _ = take(shared / "magento_luma_en/raw_semicolon_cp1252.csv")
    assert clean.keys() == messy.keys()
    told = [i for i in clean if messy[i].description]
    assert len(told) > 300
    # List items get a bullet here; the clean file, made by others, lost it where HTML had <li>.
    assert all(messy[i].description.replace("• ", "") == clean[i].description.replace("• ", "") for i in told)
    assert all(messy[i].category == clean[i].category and messy[i].images == clean[i].images for i in clean)
    colours = [messy[i].attributes.get("Farbe") == clean[i].attributes.get("color") for i in clean]
    assert sum(colours) == len(colours)
    for i in clean:
        if "Material" in messy[i].attributes:
            wanted = {m.replace("&reg;", "®").replace("&trade;", "™") for m in clean[i].attributes["material"]}
            assert set(messy[i].attributes["Material"]) == wanted


def test_magento_variants_know_their_family_colour_and_size(shared: Path) -> None:
    clean, _ = take(shared / "magento_luma_en/products.jsonl.gz")
    raw, _ = take(shared / "magento_luma_en/raw_magento_products.csv.gz")
    variants = [(p, raw[sku]) for p in clean.values() for sku in p.raw["skus"] if sku in raw and "-" in p.id]
    assert len(variants) > 1000
    for product, variant in variants:
        assert variant.family == product.family
        assert variant.attributes["color"] == product.attributes["color"]
        assert set(variant.attributes["size"]) <= set(product.attributes["size"])
        assert product.category in variant.raw["categories"]


def test_chinese_parameter_cells_become_the_attributes(shared: Path) -> None:
    clean, _ = take(shared / "yanxuan_zh/products.jsonl.gz")
    messy, _ = take(shared / "yanxuan_zh/raw_goods_gb18030.csv")

    def tight(attributes: dict[str, list[str]]) -> dict[str, list[str]]:
        return {f: [re.sub(r"\s+", "", "、".join(vs))] for f, vs in attributes.items()}

    pairs = [(messy[i.removeprefix("yx-")], row) for i, row in clean.items()]
    assert all(m.title == c.title and m.category == c.category for m, c in pairs)
    # One product's values hold “；k：v” themselves, which no reader can tell from two facets.
    assert sum(tight(m.attributes) == tight(c.attributes) for m, c in pairs) >= 191
    assert not [m for m, _ in pairs if "<" in m.description]
