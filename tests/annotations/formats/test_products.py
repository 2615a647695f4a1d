"""Whole files in: what is refused, what becomes a row, what becomes a problem, and on which line."""

from __future__ import annotations

import gzip
import io
import json

import pytest

from annotations.formats.mapping import Mapping
from annotations.formats.products import preview, read_products
from annotations.formats.rows import FileRefused, Limits, Problem, Row, problem

from .helpers import read


def test_bad_rows_are_problems_with_line_and_column_and_the_rest_goes_in() -> None:
    rows, problems = read(b"id,title\n1,ok\n2,\xff\xfe broken\n,missing id\n3,fine\n", "bad.csv")
    assert [r.id for r in rows] == ["1", "3"]
    assert [(p.file, p.line, p.column, p.code) for p in problems] == [
        ("bad.csv", 3, "title", "undecodable"),
        ("bad.csv", 4, "id", "missing-id"),
    ]
    assert all(p.severity == "error" and p.message for p in problems)
    problems[0].value.encode("utf-8")  # storable, though the bytes were not


def test_three_bad_rows_among_a_hundred() -> None:
    lines = [f"{n},Shirt {n},Blue" for n in range(1, 101)]
    lines[9], lines[49], lines[89] = ",no id,Blue", "50,a,b,c,d", '90,"open quote,Blue'
    rows, problems = read(("id,title,color\n" + "\n".join(lines)).encode())
    assert len(rows) == 97
    assert [(p.line, p.code) for p in problems] == [(11, "missing-id"), (51, "too-many-cells"), (91, "unclosed-quote")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\n \n\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"id,title\n", "no-rows"),
        (b'"', "no-known-header"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "binary"),
        (bytes(range(256)) * 64, "binary"),
        (b"%PDF-1.7 ...", "binary"),
        (b"PK\x03\x04" + b"pictures/a.jpg" + b"x" * 100, "zip"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 100, "old-excel"),
        (b"id^title^price\n1^a^2\n2^b^3\n", "one-column"),
        (b"alpha,beta\n1,2\n3,4\n", "no-known-header"),
        (b"title,color\nShirt,Blue\n", "no-id-column"),
        (b"<!doctype html><html><body>login</body></html>", "binary"),
        (b'[{"id": 1,]', "broken-json"),
        (b'{"status": "ok", "items": 3}\n\n{"x"', "no-known-header"),
        (b'{\n"status": "ok",\n"items": 3\n}', "no-list"),
        (b"\x1f\x8b\x08\x00broken", "broken-gzip"),
    ],
)
def test_a_bad_file_is_refused_when_opened_with_what_and_the_way_out(data: bytes, code: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read_products(io.BytesIO(data), name="x.csv")  # not even iterated
    assert refused.value.code == code
    assert str(refused.value).endswith((".", "…]}.")) and refused.value.file == "x.csv"
    again = FileRefused.from_json(json.loads(json.dumps(refused.value.to_json())))
    assert (again.code, str(again)) == (code, str(refused.value))


def test_our_own_jsonl_shape() -> None:
    row = {
        "id": "A-1", "title": "Black cotton shirt", "description": "A shirt.", "category": "Men/Tops", "language": "en",
        "group": "A", "attributes": {"color": ["Black"], "fit": "Slim", "none": []}, "absent": ["sleeve"],
        "spans": [{"start": 0, "end": 5, "facet": "color", "text": "Black", "field": "title"}],
        "image": "images/a.jpg", "price": "52", "skus": ["A-1-S", "A-1-M"], "size_chart": {"s": 1},
    }  # fmt: skip
    rows, problems = read(json.dumps(row).encode() + b"\n", "p.jsonl")
    assert not problems
    (got,) = rows
    assert (got.id, got.family, got.category, got.language) == ("A-1", "A", "Men/Tops", "en")
    assert got.attributes == {"color": ["Black"], "fit": ["Slim"]}
    assert got.absent == ["sleeve"] and got.spans == row["spans"] and got.images == ["images/a.jpg"]
    assert got.extra == {"price": "52", "skus": "A-1-S|A-1-M", "size_chart.s": "1"}
    assert got.raw == row
    assert Row.from_json(json.loads(json.dumps(got.to_json()))) == got


def test_keys_that_the_sample_did_not_show_still_mean_what_they_mean() -> None:
    lines = [{"id": n, "title": f"t{n}"} for n in range(300)]
    lines.append({"id": 300, "title": "late", "attributes": {"color": ["Red"]}, "group": "F", "note": "x"})
    rows, problems = read("\n".join(map(json.dumps, lines)).encode(), "p.jsonl")
    assert not problems
    assert rows[-1].attributes == {"color": ["Red"]} and rows[-1].family == "F" and rows[-1].extra == {"note": "x"}


def test_attributes_of_our_own_shape_are_names_and_stay_byte_exact() -> None:
    rows, _ = read(b'{"id": "1", "title": "a &amp; b", "attributes": {"m": ["Cocona&reg; x", "A  B"]}}\n', "p.jsonl")
    assert rows[0].title == "a & b"
    assert rows[0].attributes == {"m": ["Cocona&reg; x", "A  B"]}


def test_lines_of_jsonl_that_are_broken_are_named() -> None:
    data = b'{"id": 1, "title": "a"}\n{"id": 2, "title": \n\n[1, 2]\n{"id": 3, "title": "c"}\n"x"\n'
    rows, problems = read(data, "p.jsonl")
    assert [r.id for r in rows] == ["1", "3"]
    assert [(p.line, p.code) for p in problems] == [(2, "broken-json"), (4, "not-an-object"), (6, "not-an-object")]


@pytest.mark.parametrize(
    ("cell", "code"),
    [('"a\\u0000b"', "nul"), ('"a\\ud83d"', "surrogate"), ("1e999", "broken-json"), ("NaN", "broken-json")],
)
def test_values_no_database_takes_are_problems(cell: str, code: str) -> None:
    rows, problems = read(
        f'{{"id": "1", "title": "t", "x": {cell}}}\n{{"id": "2", "title": "t"}}\n'.encode(), "p.jsonl"
    )
    assert [r.id for r in rows] == ["2"]
    assert [(p.line, p.code) for p in problems] == [(1, code)]


def test_json_lists_and_nested_lists_with_lines() -> None:
    products = [{"id": n, "name": f"n{n}", "size": {"w": n}} for n in range(5)]
    rows, problems = read(json.dumps(products, indent=1).encode(), "p.json")
    assert not problems and [r.line for r in rows] == [2, 9, 16, 23, 30]
    assert rows[2].title == "n2" and rows[2].extra == {"size.w": "2"}
    nested = {"meta": {"pages": [{"n": 1}]}, "data": {"products": products}}
    rows, _ = read(json.dumps(nested, indent=1).encode(), "p.json")
    assert [r.id for r in rows] == ["0", "1", "2", "3", "4"]
    assert rows[0].line == json.dumps(nested, indent=1)[: json.dumps(nested, indent=1).index('"id"')].count("\n")


def test_a_long_json_list_that_breaks_off_gives_what_came_before() -> None:
    data = json.dumps([{"id": n, "title": "x" * 50} for n in range(9000)]).encode()
    rows, problems = read(data[:-20], "p.json")
    assert len(rows) == 8999
    assert [p.code for p in problems] == ["broken-json-rest"]


@pytest.mark.long
def test_gzip_is_seen_through_and_a_cut_one_gives_what_came_before() -> None:
    lines = "\n".join(f"{n},title {n * 7919 % 100003}" for n in range(60_000))
    whole = gzip.compress(f"id,title\n{lines}\n".encode())
    rows, problems = read(whole, "p.csv.gz")
    assert len(rows) == 60_000 and not problems
    rows, problems = read(whole[: len(whole) * 2 // 3], "p.csv.gz")
    assert 20_000 < len(rows) < 60_000
    assert problems[-1].code == "truncated" and problems[-1].line >= rows[-1].line


def test_a_gzip_bomb_is_stopped_by_ratio_and_by_size() -> None:
    bomb = gzip.compress(b"id,title\n" + b"1," + b"a" * 80 + b"\n" + (b"2,b\n" * 20_000_000), compresslevel=1)
    with pytest.raises(FileRefused, match="200 times"):
        read(bomb)
    with pytest.raises(FileRefused, match="60000000 bytes"):
        read(bomb, limits=Limits(inflated_bytes=60_000_000, inflate_ratio=10_000))
    assert len(gzip.decompress(bomb)) > 80_000_000  # the control: it does inflate
    with pytest.raises(FileRefused, match="limit"):
        read(b"id,title\n1,2\n", limits=Limits(file_bytes=5))


def test_limits_say_so_when_hit() -> None:
    data = b"id,title\n" + b"".join(b"%d,t\n" % n for n in range(10)) + b"x" * 300 + b",t\n11," + b"y" * 60 + b"\n"
    rows, problems = read(data, limits=Limits(rows=8, id_chars=200, cell_chars=5000))
    assert len(rows) == 8 and problems[-1].code == "too-many-rows" and "8" in problems[-1].message
    rows, problems = read(data, limits=Limits(cell_chars=50, id_chars=200))
    assert [p.code for p in problems] == ["long-cell", "long-cell"] and len(rows) == 10
    rows, problems = read(data, limits=Limits(line_chars=100))
    assert [(p.code, p.line) for p in problems] == [("long-line", 12)] and len(rows) == 11


def test_texts_that_would_not_fit_their_column_are_problems() -> None:
    data = f"id,title,category,language,family\n1,t,{'c' * 501},en,f\n2,t,c,{'l' * 17},f\n3,t,c,en,{'f' * 201}\n4,t,c,en,f\n"
    rows, problems = read(data.encode())
    assert [r.id for r in rows] == ["4"]
    assert [(p.line, p.column, p.code) for p in problems] == [
        (2, "category", "long-cell"),
        (3, "language", "long-cell"),
        (4, "family", "long-cell"),
    ]


def test_a_mapping_is_editable_and_survives_json() -> None:
    data = b"ref,label,shade\n1,Shirt,Blue\n2,Sock,Red\n"
    seen = preview(io.BytesIO(data))
    assert seen.refusal is not None and seen.rows == [] and seen.headers == ["ref", "label", "shade"]
    mapping = seen.mapping.change("ref", "id").change("label", "title").change("shade", "attribute", facet="colour")
    mapping = Mapping.from_json(json.loads(json.dumps(mapping.to_json())))
    rows, problems = read(data, mapping=mapping)
    assert not problems
    assert [(r.id, r.title, r.attributes) for r in rows] == [
        ("1", "Shirt", {"colour": ["Blue"]}),
        ("2", "Sock", {"colour": ["Red"]}),
    ]
    short = Mapping.from_json({"ref": "id", "label": "title", "shade": "attribute:colour"})
    assert read(data, mapping=short)[0] == rows
    with pytest.raises(FileRefused):
        Mapping.from_json({"ref": "nonsense"})
    with pytest.raises(FileRefused):
        Mapping.from_json([1, 2])


def test_preview_shows_what_will_happen() -> None:
    data = "Artikel-Nr.;Bezeichnung;Farbe;Preis\r\n" + "".join(f"{n};Hemd für {n};Grün;5,00 €\r\n" for n in range(50))
    seen = preview(io.BytesIO(data.encode("cp1252")), 7, name="p.csv")
    assert (seen.kind, seen.encoding, seen.delimiter) == ("csv", "cp1252", ";")
    assert seen.refusal is None and len(seen.rows) == 7 and seen.rows[0].title == "Hemd für 0"
    columns = {c.header: c for c in seen.mapping.columns}
    assert columns["Farbe"].target == "attribute" and columns["Farbe"].samples == ("Grün",)
    assert columns["Preis"].target == "" and seen.rows[0].extra == {"Preis": "5,00 €"}
    assert all(0 <= c.confidence <= 1 for c in seen.mapping.columns)


def test_a_problem_repeats_only_the_beginning_of_a_value() -> None:
    p = problem("long-id", file="f", line=3, value="x" * 500, limit=5)
    assert len(p.value) == 80 and Problem.from_json(json.loads(json.dumps(p.to_json()))) == p
