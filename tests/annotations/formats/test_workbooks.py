"""XLSX, Parquet and XML feeds: rows as from any other file, bombs and damage refused."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import random
import zipfile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotations.formats.products import read_products
from annotations.formats.rows import FileRefused, Problem, Row

from .helpers import read

openpyxl = pytest.importorskip("openpyxl")


def workbook(*sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for n, rows in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"Sheet {n}")
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


ROWS: list[list[Any]] = [
    ["商品编号", "商品名称", "颜色", "零售价", "上架", "since"],
    [1001, "纯棉衬衫", "蓝色", 59.9, True, dt.date(2026, 1, 2)],
    ["A-2", "=1+1", None, 60.0, None, None],
    [None, None, None, None, None, None],
    [None, "no id", "红色"],
    [1003.0, "T恤", "白色"],
]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_workbook(zipped: bool) -> None:
    data = workbook([["notes"]], ROWS)
    rows, problems = read(gzip.compress(data) if zipped else data, "p.xlsx")
    assert [(r.id, r.title, r.line) for r in rows] == [("1001", "纯棉衬衫", 2), ("A-2", "", 3), ("1003", "T恤", 6)]
    assert rows[0].attributes == {"颜色": ["蓝色"]}
    assert rows[0].extra == {"零售价": "59.9", "上架": "true", "since": "2026-01-02"}
    # A formula that was never worked out has no value.
    assert [(p.code, p.line) for p in problems] == [("blank-product", 3), ("missing-id", 5)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (workbook([["only"], ["one"]]), "empty"),
        (workbook([["id", "title"]]), "no-rows"),
        (workbook(ROWS)[:2000], "broken-xlsx"),
        (b"PK\x03\x04[Content_Types].xml nothing", "broken-xlsx"),
    ],
)
def test_workbooks_that_are_none(data: bytes, code: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read(data, "p.xlsx")
    assert refused.value.code == code


def test_a_workbook_that_is_a_bomb_is_refused_before_it_is_parsed() -> None:
    out = io.BytesIO(workbook(ROWS))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet9.xml", b"<row>" + b" " * 60_000_000)
    with pytest.raises(FileRefused) as refused:
        read(out.getvalue(), "p.xlsx")
    assert refused.value.code == "inflates"


def test_entities_of_a_workbook_are_not_expanded() -> None:
    source, out = zipfile.ZipFile(io.BytesIO(workbook(ROWS))), io.BytesIO()
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><sst>&b;</sst>'
    with zipfile.ZipFile(out, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, bomb if name.endswith(("sharedStrings.xml", "sheet1.xml")) else source.read(name))
    with pytest.raises(FileRefused) as refused:
        read(out.getvalue(), "p.xlsx")
    assert refused.value.code == "broken-xlsx" and "Forbidden" in str(refused.value)


def test_parquet() -> None:
    table = pa.table(
        {
            "sku": ["a", None, "c"],
            "title": ["Shirt", "no id", "Sock"],
            "color": [["Blue", "Red"], None, ["Grey"]],
            "price": [1.5, float("nan"), None],
            "raw": [b"x", None, None],
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    rows, problems = read(out.getvalue(), "p.parquet")
    assert [(r.id, r.title, r.line) for r in rows] == [("a", "Shirt", 1), ("c", "Sock", 3)]
    assert rows[0].attributes == {"color": ["Blue", "Red"]} and rows[0].extra == {"price": "1.5"}
    assert [(p.code, p.line) for p in problems] == [("missing-id", 2)]
    with pytest.raises(FileRefused) as refused:
        read(out.getvalue()[:-30], "p.parquet")
    assert refused.value.code == "broken-parquet"


FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>
<title>A shop</title><link>https://shop.example</link>
<item>
 <g:id>1</g:id><g:title>Shirt &amp; tie</g:title><g:description><![CDATA[<p>Soft.</p>]]></g:description>
 <g:link>https://shop.example/1</g:link><g:image_link>https://shop.example/1.jpg</g:image_link>
 <g:additional_image_link>https://shop.example/1b.jpg</g:additional_image_link>
 <g:additional_image_link>https://shop.example/1c.jpg</g:additional_image_link>
 <g:item_group_id>G</g:item_group_id><g:product_type>Men &gt; Tops</g:product_type>
 <g:color>Navy/White</g:color><g:material>cotton</g:material><g:availability>in_stock</g:availability>
 <g:product_detail><g:section_name>Care</g:section_name><g:attribute_name>Wash</g:attribute_name>
 <g:attribute_value>30 °C</g:attribute_value></g:product_detail>
</item>
<item><g:id>2</g:id><g:title>袜子</g:title><g:image_link>x.jpg</g:image_link><g:availability>in_stock</g:availability></item>
</channel></rss>
"""


def test_a_google_feed_in_xml_and_in_tsv_says_the_same() -> None:
    rows, problems = read(FEED.encode(), "feed.xml")
    assert not problems and [r.id for r in rows] == ["1", "2"]
    shirt = rows[0]
    assert (shirt.title, shirt.description, shirt.family, shirt.category) == ("Shirt & tie", "Soft.", "G", "Men/Tops")
    assert shirt.attributes == {"color": ["Navy", "White"], "material": ["cotton"], "Wash": ["30 °C"]}
    assert shirt.images == [f"https://shop.example/1{x}.jpg" for x in ("", "b", "c")]
    assert shirt.extra == {"link": "https://shop.example/1", "availability": "in_stock"} and rows[1].title == "袜子"
    tsv = (
        "id\ttitle\tdescription\tlink\timage_link\tadditional_image_link\titem_group_id\tproduct_type\tcolor\tmaterial\t"
        "availability\tproduct_detail\n"
        "1\tShirt & tie\t<p>Soft.</p>\thttps://shop.example/1\thttps://shop.example/1.jpg\t"
        "https://shop.example/1b.jpg,https://shop.example/1c.jpg\tG\tMen > Tops\tNavy/White\tcotton\tin_stock\tCare:Wash:30 °C\n"
    )
    same, problems = read(tsv.encode(), "feed.tsv")
    assert not problems
    for name in ("id", "title", "description", "family", "category", "attributes", "images", "extra"):
        assert getattr(same[0], name) == getattr(shirt, name), name


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><rss><item><id>&b;</id></item></rss>',
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><item><id>&x;</id></item></rss>',
        b'<?xml version="1.0"?><rss><channel><title>no items</title></channel></rss>',
        b"<rss><item><id>1</id>",
        b'<?xml version="1.0" encoding="nonsense"?><rss/>',
    ],
)
def test_xml_that_is_no_feed_or_means_harm_is_refused(data: bytes) -> None:
    with pytest.raises(FileRefused) as refused:
        read(data, "feed.xml")
    assert refused.value.code == "xml"


def test_a_feed_that_breaks_off_gives_what_came_before() -> None:
    rows, problems = read(FEED.encode()[:-12], "feed.xml")
    assert [r.id for r in rows] == ["1", "2"]
    assert [p.code for p in problems] == ["unreadable-row"]


@pytest.mark.parametrize("name", ["p.xlsx", "p.parquet", "feed.xml"])
def test_damage_gives_refusals_and_problems_only(name: str) -> None:
    if name == "p.parquet":
        out = io.BytesIO()
        pq.write_table(pa.table({"id": [str(n) for n in range(50)], "title": ["x" * n for n in range(50)]}), out)
        good = out.getvalue()
    else:
        good = workbook(ROWS) if name == "p.xlsx" else FEED.encode()
    luck, refused = random.Random(name), 0
    for _ in range(40):
        data = bytearray(good)
        for _ in range(luck.randint(1, 8)):
            data[luck.randrange(len(data))] = luck.randrange(256)
        try:
            items = list(read_products(io.BytesIO(bytes(data)), name=name))
        except FileRefused:
            refused += 1
            continue
        assert all(isinstance(i, Row | Problem) for i in items)
    assert refused
