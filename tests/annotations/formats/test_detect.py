"""Encoding, delimiter, quoting, header: told from the bytes."""

from __future__ import annotations

import io

import pytest

from annotations.formats.detect import detect
from annotations.formats.encoding import detect_encoding
from annotations.formats.source import Source

from .helpers import read

GERMAN = "Artikel-Nr.;Bezeichnung;Farbe\r\n" + "".join(f"{n};Größe für Männer – 5 €;Grün\r\n" for n in range(30))
CHINESE = "商品编号,商品名称,颜色\n" + "".join(f"{n},纯棉短袖衬衫（经典款）,藏青色\n" for n in range(30))
FRENCH = "id,title,couleur\n" + "".join(f"{n},Chaussures d’été à lacets « légères »,Écru\n" for n in range(30))


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "codec", "told"),
    [
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "utf-8-sig", "utf-8-sig"),
        (GERMAN, "cp1252", "cp1252"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-16-le", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        (FRENCH, "cp1252", "cp1252"),
        (FRENCH, "utf-8", "utf-8"),
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gbk", "gb18030"),
        (CHINESE, "utf-16", "utf-16"),
        ("id,title\n1,plain\n", "ascii", "utf-8"),
        ("id,title\n" + "1,plain\n" * 40_000 + "2,Grün\n", "cp1252", "cp1252"),
        ("id,title\n" + "1,plain\n" * 40_000 + "2,纯棉短袖衬衫\n", "gb18030", "gb18030"),
    ],
)
def test_encodings(text: str, codec: str, told: str) -> None:
    data = text.encode(codec)
    assert detect_encoding(io.BytesIO(data)) == told
    rows, problems = read(data)
    assert not problems
    assert rows[-1].title == text.strip().splitlines()[-1].replace(";", ",").split(",")[1]


def test_a_utf8_file_with_a_few_bad_rows_stays_utf8() -> None:
    lines = [line.encode() for line in CHINESE.splitlines()]
    lines[5] = "5,纯棉,藏青色".encode("gb18030")
    lines[9] = "9,Größe,Grün".encode("cp1252")
    rows, problems = read(b"\n".join(lines))
    assert len(rows) == 28 and {p.code for p in problems} == {"undecodable"}
    assert [(p.line, p.column) for p in problems] == [(6, "商品名称"), (10, "商品名称")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_newlines_with_lines_as_an_editor_counts(delimiter: str, newline: str) -> None:
    header = delimiter.join(["id", "title", "description", "price"])
    body = [
        delimiter.join([str(n), f"Shirt, no {n}; a|b" if delimiter not in ",;|" else f"Shirt {n}", f'"two{newline}""lines"""', "5,0"
        if delimiter != "," else "5.0"])
        for n in range(20)
    ]  # fmt: skip
    rows, problems = read((newline.join([header, *body]) + newline).encode())
    assert not problems and len(rows) == 20
    assert [r.line for r in rows] == list(range(2, 42, 2))
    assert rows[3].description == 'two\n"lines"' and rows[3].raw["description"] == f'two{newline}"lines"'


def test_commas_inside_quotes_do_not_make_a_file_without_quoting() -> None:
    data = "id,title,description,color\n" + "".join(f'{n},Shirt,"made, of, cotton",Blue\n' for n in range(50))
    detected = detect(Source(io.BytesIO(data.encode())))
    assert (detected.delimiter, detected.quote) == (",", '"')
    assert len(read(data.encode())[0]) == 50


def test_inches_in_a_tab_separated_sheet_are_no_quotes() -> None:
    data = "id\ttitle\tcolor\n" + "".join(f'{n}\t"Laptop 15"\tgrey\n{n}b\t"13 inch\tblue\n' for n in range(20))
    rows, problems = read(data.encode())
    assert len(rows) == 40 and not problems


def test_the_header_may_stand_below_a_title() -> None:
    rows, problems = read(b"Catalogue 2026,,\nprinted on Monday,,\nid,title,color\n1,Shirt,Blue\n2,Sock,Red\n")
    assert [(r.id, r.line, r.title) for r in rows] == [("1", 4, "Shirt"), ("2", 5, "Sock")] and not problems


def test_one_open_quote_costs_one_row() -> None:
    lines = [f'{n},"Shirt, {n}",Blue' for n in range(1, 200)]
    lines[99] = '100,"never closed,Blue'
    rows, problems = read(("id,title,color\n" + "\n".join(lines)).encode())
    assert len(rows) == 198 and [(p.line, p.code, p.severity) for p in problems] == [(101, "unclosed-quote", "error")]


def test_cells_fewer_than_headers_are_taken_with_a_warning_and_more_are_not() -> None:
    rows, problems = read(b"id,title,color\n1,Shirt\n2,a,b,c\n3,x,y,,\n")
    assert [(r.id, r.title) for r in rows] == [("1", "Shirt"), ("3", "x")]
    assert [(p.line, p.code, p.severity) for p in problems] == [
        (2, "short-row", "warning"),
        (3, "too-many-cells", "error"),
    ]


def test_repeated_and_empty_headers_keep_their_columns() -> None:
    rows, _ = read(b"id,title,note,note,\n1,Shirt,a,b,c\n")
    assert rows[0].extra == {"note": "a", "note (2)": "b", "column 5": "c"}
