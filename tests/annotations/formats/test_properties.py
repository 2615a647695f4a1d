"""For any rows: what is written comes back. For any damage: refusals and problems, and never another exception."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.formats.exporting import ExportRow, ExportTag
from annotations.formats.products import preview, read_products
from annotations.formats.rows import FileRefused, Problem, Row
from annotations.formats.tags import TagRow, read_tags
from annotations.formats.writers import WRITERS

from .helpers import read

# Any character that may be stored: no surrogates, no NUL. Blank markers (n/a, -) mean empty in a table, by design.
CHARACTERS = st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\ufeff")
TEXTS = st.text(CHARACTERS, max_size=30)
PRINTABLE = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff\u2028\u2029\x85")
CELLS = st.text(PRINTABLE | st.sampled_from("\n\t\",;|'"), max_size=30)
IDS = st.text(CHARACTERS, min_size=1, max_size=12).map(str.strip).filter(lambda t: t and not t.startswith("'"))
LABELS = st.text(CHARACTERS, min_size=1, max_size=12).map(lambda t: f"x{t.strip()}x")
FACETS = st.sampled_from(["colour", "material", "style"])


@st.composite
def export_rows(draw: st.DrawFn) -> list[ExportRow]:
    ids = draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    return [
        ExportRow(
            product_id=i,
            title=draw(TEXTS),
            description=draw(TEXTS),
            tags={
                facet: [ExportTag(f"slug-{n}", label) for n, label in enumerate(labels)]
                for facet, labels in draw(
                    st.dictionaries(FACETS, st.lists(LABELS, min_size=1, max_size=3, unique=True), max_size=3)
                ).items()
            },
        )
        for i in ids
    ]


def written(name: str, rows: list[ExportRow]) -> bytes:
    out = io.BytesIO()
    WRITERS[name](rows, out)
    return out.getvalue()


@pytest.mark.long
@settings(max_examples=80, deadline=None)
@given(export_rows())
def test_jsonl_round_trip_is_exact(rows: list[ExportRow]) -> None:
    got, problems = read(written("jsonl", rows), "x.jsonl", steps=())
    assert not [p for p in problems if p.severity == "error"]
    assert [r.id for r in got] == [r.product_id for r in rows]
    for row, back in zip(rows, got, strict=True):
        assert back.raw["title"] == row.title and back.raw["description"] == row.description
        assert back.raw["attributes"] == {f: [t.label for t in tags] for f, tags in sorted(row.tags.items())}


@settings(max_examples=80, deadline=None)
@given(export_rows())
def test_wide_csv_round_trip_by_the_csv_module(rows: list[ExportRow]) -> None:
    """Read back by another reader than ours: text is what went in, but for the apostrophe before formulas."""
    table = list(csv.DictReader(io.StringIO(written("csv-wide", rows).decode(), newline="")))
    assert len(table) == len(rows)
    for row, cells in zip(rows, table, strict=True):
        assert cells["title"].removeprefix("'") == row.title.removeprefix("'")
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells.values())


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(PRINTABLE, min_size=1, max_size=200).map(str.strip).filter(bool), CELLS, CELLS),
        min_size=2,
        max_size=8,
        unique_by=lambda r: r[0],
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_python_writes_is_read_cell_for_cell(
    rows: list[tuple[str, str, str]], delimiter: str, encoding: str, newline: str
) -> None:
    out = io.StringIO()
    table = csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    table.writerow(["id", "title", "note"])
    table.writerows(rows)
    data = out.getvalue().encode(encoding)
    got, problems = read(data, steps=())
    assert not [p for p in problems if p.severity == "error"]
    assert [(r.raw["id"], r.raw["title"], r.raw["note"]) for r in got] == rows
    lines = [data.decode(encoding)[:m].count("\n") + 1 for m in _starts(data.decode(encoding), rows, delimiter)]
    if not any("\r" in cell.replace("\r\n", "") or "\n" in cell for row in rows for cell in row):
        assert [r.line for r in got] == lines


def _starts(text: str, rows: list[tuple[str, str, str]], delimiter: str) -> list[int]:
    starts, at = [], text.index("note")
    for row in rows:
        at = text.index(delimiter.join('"' + c.replace('"', '""') + '"' for c in row), at)
        starts.append(at)
    return starts


GOOD: dict[str, bytes] = {
    "p.csv": (
        'id,title,description,color,image\n' + "".join(f'{n},Shirt {n},"soft, warm\nand ""light""",Blue,{n}.jpg\n' for n in range(12))
    ).encode(),
    "p.tsv": ("商品编号\t商品名称\t参数\n" + "".join(f"{n}\t纯棉衬衫{n}\t材质：棉；颜色：蓝\n" for n in range(12))).encode("gb18030"),
    "u.csv": ("Artikel-Nr.;Bezeichnung;Farbe\r\n" + "".join(f"{n};Größe {n};Grün\r\n" for n in range(12))).encode("utf-16"),
    "p.jsonl": "".join(
        json.dumps({"id": n, "title": f"纯棉 {n}", "attributes": {"c": ["x"]}, "spans": [{"start": 0, "end": 2, "field": "title"}]})
        + "\n"
        for n in range(12)
    ).encode(),
    "p.json": json.dumps({"data": [{"id": n, "name": f"n{n}", "size": {"w": 1.5}, "tags": ["a"]} for n in range(12)]}, indent=1).encode(),
    "l.json": json.dumps([{"id": n, "name": f"n{n}"} for n in range(12)], indent=1).encode(),
    "s.csv": (
        "Handle,Title,Body (HTML),Vendor,Option1 Name,Option1 Value,Variant SKU,Image Src\n"
        + "".join(f"h{n},Shirt,<p>x</p>,V,Color,Red,{n}-r,a.jpg\nh{n},,,,,Blue,{n}-b,b.jpg\n" for n in range(6))
    ).encode(),
    "m.csv": (
        "sku,name,additional_attributes,configurable_variations,visibility,categories\n"
        + "".join(f'{n},Shirt,"a=1,b=2|3",,Not Visible Individually,"Default Category/Men,Default Category"\n' for n in range(12))
    ).encode(),
}  # fmt: skip
GOOD["p.csv.gz"] = gzip.compress(GOOD["p.csv"])
NASTY = [b"\0", b"\xff\xfe", b'"', b'""', b"\n", b"\r", b",", b";", b"\t", b"{", b"}", b"[", b"]", b"\\u0000", b"\\ud800",
         b"\xef\xbb\xbf", b"\x1a", b"null", b"1e999", b"NaN", b"[" * 500, b"a" * 3000, b"'", b"=", b"\x80", b"\xe4\xb8"]  # fmt: skip


def mutate(data: bytes, luck: random.Random) -> bytes:
    """One to four kinds of damage, as they happen in transit, in editors and by malice."""
    for _ in range(luck.randint(1, 4)):
        at, to = sorted((luck.randrange(len(data) + 1), luck.randrange(len(data) + 1)))
        act = luck.randrange(7)
        if act == 0:
            data = data[:at] + luck.choice(NASTY) + data[at:]
        elif act == 1:
            data = data[:at] + data[min(to, at + 30) :]
        elif act == 2:
            data = data[:at]
        elif act == 3:
            data = data[:at] + bytes(luck.randrange(256) for _ in range(luck.randint(1, 6))) + data[at + 3 :]
        elif act == 4:
            data = data[:to] + data[at : min(to, at + 200)] + data[to:]
        elif act == 5:
            data = data.replace(luck.choice([b"\n", b",", b'"', b":", b";"]), luck.choice(NASTY), luck.randint(1, 3))
        else:
            data = data[to:] + data[:at]
    return data


def read_all(data: bytes, name: str) -> list[Row | Problem]:
    preview(io.BytesIO(data), name=name)
    return list(read_products(io.BytesIO(data), name=name))


@pytest.mark.parametrize("name", sorted(GOOD))
def test_the_good_files_are_good(name: str) -> None:
    items = read_all(GOOD[name], name)
    assert len(items) in (6, 12) and all(isinstance(i, Row) for i in items)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_broken_files_are_refused_or_give_rows_and_problems(name: str) -> None:
    luck = random.Random(f"broken {name}")
    seen = {"refused": 0, "problems": 0}
    for _ in range(120):
        data = mutate(GOOD[name], luck)
        try:
            items = read_all(data, name)
        except FileRefused as refused:
            seen["refused"] += 1
            assert str(refused) and refused.file == name
            continue
        seen["problems"] += any(isinstance(i, Problem) for i in items)
        for item in items:
            if isinstance(item, Problem):
                assert item.file == name and item.line >= 1 and item.message and len(item.value) <= 80
            else:
                assert item.id and item.line >= 1
            json.dumps(item.to_json(), allow_nan=False, ensure_ascii=False).encode()  # storable
            assert not re.search(r"(?<!\\)(?:\\\\)*\\u0000", json.dumps(item.to_json()))
    assert seen["refused"] >= 5 and sum(seen.values()) >= 50, seen  # the control: the damage does something


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["x.csv", "x.json", "x.jsonl", "x.xlsx", "x.yaml", "x.csv.gz", ""]))
def test_any_bytes_at_all(data: bytes, name: str) -> None:
    readers: list[Callable[[], list[Row | Problem] | list[TagRow | Problem]]] = [
        lambda: read_all(data, name),
        lambda: list(read_tags(io.BytesIO(data), name=name)),
    ]
    for reader in readers:
        try:
            items = reader()
        except FileRefused:
            continue
        assert items


LONG = 90_000
REPEATED = ["<", "<a ", "<!--", "&lt;a ", "&", "a：", "；", ",", "a=1,", "|", "a:b:c,", "Ã¼", "> ", "[", '{"a":', "a/", "<li>",
            "<a b=", "\u0301", " \n", ", ", "&#", "</", "<![CDATA["]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", REPEATED)
def test_no_cell_makes_a_reader_search_it_over_and_over(piece: str) -> None:
    """One sign repeated to the cell limit in every column, in two rows: what is quadratic takes minutes."""
    cell = piece * (LONG // len(piece))
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(["id", "title", "description", "category", "attributes", "color", "image"])
    table.writerows([n, *[cell] * 6] for n in range(2))
    assert len(list(read_products(io.BytesIO(out.getvalue().encode()), name="x.csv"))) >= 2
