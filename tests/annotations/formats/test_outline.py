"""What a taxonomy file offers: branches with distinct sizes, languages by use, search by any of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from annotations.formats.outline import Outline, outline_of
from annotations.formats.rows import FileRefused, Limits
from annotations.formats.starter import read_starter
from annotations.formats.starter_confined import outline_confined, read_starter_confined
from tests.annotations.test_starter import ATTRIBUTES, CATEGORIES


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "categories.json", tmp_path / "attributes.json"]
    for path, content in zip(paths, (CATEGORIES, ATTRIBUTES), strict=True):
        path.write_text(json.dumps(content), encoding="utf-8")
    return paths


def outlined(*paths: Path) -> Outline:
    return outline_of(paths, language="en", limits=Limits())


def test_sizes_are_distinct_and_the_order_of_the_files_is_nothing(files: list[Path]) -> None:
    found = outlined(*files)
    assert found == outlined(*reversed(files))
    assert (found.kind, found.facets, found.values, found.languages[0]) == ("starter", 3, 4, "en")
    sizes = {branch.id: (branch.facets, branch.values, branch.below) for branch in found.branches}
    # shared facets count once; a narrower attribute is the one whose values it uses
    assert sizes == {"w": (2, 3, 2), "w-1": (2, 3, 0), "w-2": (1, 2, 0), "h": (2, 3, 1), "h-1": (2, 3, 0)}
    assert [branch.id for branch in found.roots] == ["w", "h"]
    assert Outline.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_branches_are_found_by_name_or_path_in_any_language(files: list[Path]) -> None:
    found = outlined(*files)
    assert [b.id for b in found.search("sho")] == ["w-1"]
    assert [b.id for b in found.search("other")] == ["w-2", "h-1"]
    assert [found.path(b, "zh-hans") for b in found.search("home > oth")] == ["家居 > 其他"]
    assert [b.id for b in found.search("鞋")] == ["w-1"]
    assert found.search("  ") == found.search(">") == []


def test_a_tree_that_bites_its_tail_ends(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "full_name": "A", "children": ["b"], "attributes": ["tint"]},
        {"id": "b", "full_name": "B", "children": ["a"], "attributes": []},
    ]
    path = tmp_path / "taxonomy.json"
    path.write_text(json.dumps({"verticals": [{"categories": rows}], "attributes": ATTRIBUTES}))
    found = outlined(path)
    assert found.path(found.branches[0], "en").count("A") == 20
    assert all(branch.facets == 1 for branch in found.branches if branch.id == "a")


def test_in_a_child_it_is_the_same(files: list[Path]) -> None:
    found = outline_confined(files, names=["c.json", "a.json"], language="en", limits=Limits())
    assert found == outlined(*files)
    assert read_starter_confined(files) == read_starter(*files)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "no-tags"), (b"[1]", "no-tags"), (b'{"verticals": 1, "attributes": []}', "not-a-taxonomy"),
        (b'{"attributes": {"a": 1}}', "no-tags"), (gzip.compress(b"[" * 100_000), "broken-json"), (b"\x1f\x8b junk", "broken-gzip"),
        (b'[{"id": "w", "full_name": "Wear"}]', "only-categories"),
    ],
)  # fmt: skip
def test_what_is_neither_a_taxonomy_nor_a_list_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(FileRefused) as refusal:
        outlined(path)
    assert refusal.value.code == code
