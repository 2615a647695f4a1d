"""Broken files made from good ones, each by its number alone: the same number gives the same bytes everywhere."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from annotations import sample

ROWS = 40
Chance = random.Random


@dataclass(frozen=True, slots=True)
class Broken:
    """``damage``: what was done to it, one after the other; ``lines``: an upper bound of the lines it has."""

    name: str
    content: bytes
    damage: tuple[str, ...]

    @property
    def lines(self) -> int:
        data = self.content
        if data[:2] == b"\x1f\x8b":
            try:
                data = gzip.decompress(data)
            except Exception:  # damaged: who knows
                return 10**9
        return data.count(b"\n") + data.count(b"\r") + 2


# -- good files


def rows(language: str = "en") -> list[dict[str, Any]]:
    found = []
    for row in sample.products():
        if not row["id"].startswith(language):
            continue
        found.append({k: row.get(k, "") for k in ("id", "title", "description", "category", "attributes")})
        if len(found) == ROWS:
            break
    return found


FACETS = ("color", "material", "size")


def grid(language: str = "en") -> list[list[str]]:
    header = ["id", "title", "description", "category", *FACETS]
    body = []
    for row in rows(language):
        said = {name.lower(): "|".join(values) for name, values in row["attributes"].items()}
        body.append([str(row[k]) for k in header[:4]] + [said.get(f, "") for f in FACETS])
    return [header, *body]


def table(delimiter: str, encoding: str = "utf-8", newline: str = "\n", language: str = "en") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=newline).writerows(grid(language))
    return out.getvalue().encode(encoding, "replace")


def workbook() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for cells in grid():
        book.active.append(cells)  # type: ignore[union-attr]
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet() -> bytes:
    import pyarrow
    from pyarrow.parquet import write_table

    header, *body = grid()
    columns = {name: [cells[n] for cells in body] for n, name in enumerate(header)}
    out = io.BytesIO()
    write_table(pyarrow.table(columns), out, row_group_size=10)
    return out.getvalue()


def feed() -> bytes:
    from xml.sax.saxutils import escape

    items = "\n".join(
        f"<item><g:id>{row['id']}</g:id>\n<title>{escape(row['title'])}</title>"
        f"<description>{escape(row['description'])}</description><g:color>Red</g:color></item>"
        for row in rows()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
        f"<title>Shop</title>\n{items}\n</channel></rss>"
    ).encode()


def shopify() -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["Handle", "Title", "Body (HTML)", "Vendor", "Tags", "Option1 Name", "Option1 Value", "Variant SKU"]
    )
    for row in rows():
        for n, size in enumerate("SML"):
            first = [row["title"], f"<p>{row['description']}</p>", "Acme", "a, b", "Size"] if n == 0 else [""] * 5
            writer.writerow([row["id"], *first, size, f"{row['id']}-{size}"])
    return out.getvalue().encode()


GOOD: dict[str, Callable[[], bytes]] = {
    "a.csv": lambda: table(","),
    "crlf.csv": lambda: table(";", "cp1252", "\r\n"),
    "hanzi.csv": lambda: table(",", "gb18030", language="zh"),
    "wide.csv": lambda: table("\t", "utf-16"),
    "a.tsv": lambda: table("\t"),
    "shop.csv": shopify,
    "a.jsonl": lambda: "\n".join(json.dumps(row, ensure_ascii=False) for row in rows()).encode(),
    "a.json": lambda: json.dumps(rows(), ensure_ascii=False, indent=1).encode(),
    "line.json": lambda: json.dumps({"products": rows()}, ensure_ascii=False).encode(),
    "deep.json": lambda: json.dumps({"data": {"items": rows(), "n": 1}}, indent=2).encode(),
    "a.xlsx": workbook,
    "a.parquet": parquet,
    "a.xml": feed,
}
_made: dict[str, bytes] = {}


def good(name: str) -> bytes:
    if name not in _made:
        _made[name] = GOOD[name]()
    return _made[name]


# -- damage


def cut(data: bytes, chance: Chance) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def flip(data: bytes, chance: Chance) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 20, 200))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _place(data: bytes, chance: Chance) -> int:
    return chance.randrange(len(data) + 1)


def drop(data: bytes, chance: Chance) -> bytes:
    at = _place(data, chance)
    return data[:at] + data[at + chance.choice((1, 10, 300)) :]


def repeat(data: bytes, chance: Chance) -> bytes:
    at = _place(data, chance)
    piece = data[at : at + chance.choice((5, 200, 3000))]
    return data[:at] + piece * chance.choice((2, 5)) + data[at:]


def swap(data: bytes, chance: Chance) -> bytes:
    a, b = sorted((_place(data, chance), _place(data, chance)))
    return data[b:] + data[a:b] + data[:a]


ODD = (
    b'"', b'""', b"'", b"\0", b"\r", b"\n", b"\r\n\r\n", b"\t\t", b",,,,,,,,,,", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80",
    b"\x1a", b"\x1b[31m", b"{", b"}", b"]", b"\\", b"\\ud800", b"\\u0000", b"NaN", b"1e999", b"-Infinity", b"<!--", b"<![CDATA[",
    b"]]>", b"&lt;", b"<item>", b"</rss>", b'<!ENTITY a "b">', b"=cmd|' /C calc'!A0", "\u2028\u200b\u202e".encode(), b"#REF!", b"null",
    "\ufffe\uffff".encode("utf-8", "surrogatepass"), b"\xf4\x90\x80\x80", b"<script>", b"%s%n", b"\x85",
)  # fmt: skip


def insert(data: bytes, chance: Chance) -> bytes:
    for _ in range(chance.choice((1, 1, 4, 30))):
        at = _place(data, chance)
        data = data[:at] + chance.choice(ODD) + data[at:]
    return data


def quotes(data: bytes, chance: Chance) -> bytes:
    """Every quote of one kind becomes another, or goes."""
    old = chance.choice((b'"', b"'", b",", b"\n", b":", b"<"))
    return data.replace(old, chance.choice((b"", b'"', b"'", old + old, "“".encode())), chance.choice((-1, 1, 7)))


def recode(data: bytes, chance: Chance) -> bytes:
    """Read as one encoding and written as another, as programs do that know no better."""
    read = chance.choice(("utf-8", "latin-1", "cp1252", "gb18030", "utf-16"))
    write = chance.choice(("utf-8", "latin-1", "utf-16", "utf-16-be", "utf-32", "gb18030", "utf-7", "koi8-r", "cp437"))
    return data.decode(read, "replace").encode(write, "replace")


def deep(data: bytes, chance: Chance) -> bytes:
    at, levels = _place(data, chance), chance.choice((50, 1000, 100_000))
    sign = chance.choice((b"[", b'{"a":', b"<a>", b'{"id":"x","attributes":{"a":['))
    return data[:at] + sign * min(levels, 200_000 // len(sign)) + data[at:]


def huge(data: bytes, chance: Chance) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.choice((b"x", b"<b>", b"&amp;", b" ", "棉".encode(), b"1")) * 120_000 + data[at:]


def columns(data: bytes, chance: Chance) -> bytes:
    """A header of thousands of names, of the same names, or of none."""
    first, newline, rest = data.partition(b"\n")
    more = chance.choice((b",c" * 3000, b",id,id,title", b"," * 20, b";x", b""))
    return (first if chance.random() < 0.7 else b"") + more + newline + rest


def doubled(data: bytes, chance: Chance) -> bytes:
    return data + chance.choice((b"", b"\n")) + good(chance.choice(list(GOOD)))


def renamed(data: bytes, chance: Chance) -> bytes:
    """Names and values that mean something get another meaning."""
    pairs = ((b'"id"', b'"ID "'), (b'"id": "', b'"id": ["'), (b'"title": "', b'"title": {"a": "'), (b"title", b"id"),
             (b"id", b""), (b'"attributes": {', b'"attributes": [{'), (b'"attributes": {', b'"spans": {'), (b": [", b": [[["),
             (b'"description": "', b'"description": 1e400, "d": "'), (b"color", b"title"), (b"category", b"images"))  # fmt: skip
    old, new = chance.choice(pairs)
    return data.replace(old, new, chance.choice((-1, 1, 3)))


def zipped(data: bytes, chance: Chance) -> bytes:
    """A workbook taken apart: a part is missing, doubled, empty, of another kind, or says something else of its size."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except Exception:
        return insert(data, chance)
    name = chance.choice(sorted(parts))
    how = chance.randrange(6)
    if how == 0:
        del parts[name]
    elif how == 1:
        parts[name] = b""
    elif how == 2:
        parts[name] = chance.choice(DAMAGE)(parts[name], chance)
    elif how == 3:
        parts[name] = b" " * 5_000_000
    elif how == 4:
        parts = {("../" + n if n == name else n): part for n, part in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, part in parts.items():
            archive.writestr(each, part)
    made = bytearray(out.getvalue())
    if how == 5 and (at := made.rfind(b"PK\x01\x02")) >= 0:
        made[at + 20 : at + 28] = chance.randbytes(8)
    return bytes(made)


DAMAGE: tuple[Callable[[bytes, Chance], bytes], ...] = (
    cut, flip, drop, repeat, swap, insert, insert, quotes, recode, deep, huge, columns, doubled, renamed, renamed,
)  # fmt: skip


def broken(number: int) -> Broken:
    """The file of this number. One in five is gzipped, and of those every other damaged once more after that."""
    chance = Chance(number)
    name = chance.choice(list(GOOD))
    data, done = good(name), []
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        damage = zipped if name.endswith(".xlsx") and chance.random() < 0.5 else chance.choice(DAMAGE)
        data = damage(data, chance)[:4_000_000]
        done.append(damage.__name__)
    if chance.random() < 0.2:
        data, name = gzip.compress(data), name + ".gz"
        done.append("gzip")
        if chance.random() < 0.5:
            damage = chance.choice((cut, flip, drop))
            data = damage(data, chance)
            done.append(damage.__name__)
    if chance.random() < 0.1:
        name = "renamed." + chance.choice(("csv", "json", "xlsx", "parquet", "xml", "txt", "gz"))
    return Broken(name, data, tuple(done))
