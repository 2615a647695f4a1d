"""Any file at all: refused, or taken in with every problem in its place. benchmarks/broken_files.py does 2,000 of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from annotations.formats.products import read_products
from annotations.formats.rows import Problem
from annotations.models import Catalogue
from tests.broken_files import take_in
from tests.mutator import GOOD, Broken, broken, good

from .formats.helpers import read

NUMBERS = range(25)
FOUND = (999, 24, 16, 91)
"""Files that broke something once: lists in a feed's cells, a column named twice, a quote within the first ten rows."""


@pytest.fixture
def catalogue(db: None) -> Catalogue:
    return Catalogue.objects.create(slug="broken", name="Broken")


def test_broken_files_are_refused_or_taken_in(catalogue: Catalogue, tmp_path: Path) -> None:
    came = {number: take_in(catalogue, broken(number), tmp_path, child=False) for number in (*NUMBERS, *FOUND)}
    assert list(came.values()).count("done") > len(NUMBERS) / 3 and len(set(came.values())) > 4


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.xlsx"])
def test_the_child_that_reads_in_earnest_agrees(catalogue: Catalogue, tmp_path: Path, name: str) -> None:
    assert take_in(catalogue, Broken(name, good(name), ()), tmp_path, child=True) == "done"


def test_the_good_ones_are_good(tmp_path: Path) -> None:
    for name in GOOD:
        path = tmp_path / name
        path.write_bytes(good(name))
        items = list(read_products(path))
        assert len(items) == 40 and not [item for item in items if isinstance(item, Problem)], name


def test_a_quote_names_its_column_wherever_it_stands() -> None:
    early = b'id,title,color\n1,Coat,"red"x\n2,"Ca"pe,blue\n'
    rows, problems = read(
        early + b"".join(b"%d,Hat,red\n" % n for n in range(3, 30)) + b'30,Hat,"never closed\n31,Hat,red\n'
    )
    assert [(p.line, p.column, p.code) for p in problems] == [
        (2, "color", "stray-quote"),
        (3, "title", "stray-quote"),
        (31, "color", "unclosed-quote"),
    ]
    assert len(rows) == 30


def test_a_number_nobody_can_store_names_its_place() -> None:
    _rows, problems = read(
        b'{"id": "1", "title": "a", "price": 1e999}\n{"id": "2", "title": NaN}\n{"id": "3", "title": "c"}\n', "a.jsonl"
    )
    assert [(p.line, p.column) for p in problems] == [(1, "character 36"), (2, "character 22")]


@pytest.mark.long
def test_damage_far_behind_keeps_what_stands_before_it() -> None:
    whole = gzip.compress(b"id,title\n" + b"".join(b"%d,Shirt %d\n" % (n, n * 7919) for n in range(60_000)))
    rows, problems = read(whole[: len(whole) * 2 // 3], "p.csv.gz")
    assert len(rows) > 10_000 and [p.code for p in problems] == ["truncated"]


def test_an_object_on_one_line_is_no_jsonl() -> None:
    rows, problems = read(good("line.json"), "line.json")
    assert len(rows) == 40 and not problems
