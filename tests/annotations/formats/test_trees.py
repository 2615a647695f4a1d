"""Trees of categories as tags: everything once, parents first, and no two called the same."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from annotations.actions.import_tags import import_tags
from annotations.formats.tags import TagRow, read_tags
from annotations.models import Catalogue, Tag

NODES = [
    {"id": "3", "name": "Cases", "path": [{"id": "1", "name": "Cameras"}, {"id": "3", "name": "Cases"}], "subCategories": []},
    {"id": "1", "name": "Cameras", "path": [{"id": "1", "name": "Cameras"}]},
    {"id": "5", "name": "Cases", "path": [{"name": "Phones"}, {"name": "Cases"}]},
    {"id": "6", "name": "Leather", "path": [{"name": "Phones"}, {"name": "Cases"}, {"name": "Leather"}]},
    {"id": "7", "name": "Odd", "path": []},
]  # fmt: skip


def test_a_tree_becomes_one_facet() -> None:
    items = list(read_tags(io.BytesIO(json.dumps(NODES).encode()), name="categories.json"))
    rows = [item for item in items if isinstance(item, TagRow)]
    assert [(row.tag, row.parent, next(iter(row.labels.values()))) for row in rows] == [
        ("Cameras", "", "Cameras"),
        ("Phones", "", "Phones"),  # named by those below it alone
        ("Cameras / Cases", "Cameras", "Cases (Cameras)"),
        ("Phones / Cases", "Phones", "Cases (Phones)"),
        ("Phones / Cases / Leather", "Phones / Cases", "Leather"),
    ]
    assert {row.facet for row in rows} == {"category"} and len(items) - len(rows) == 1
    table = "id;full_name\n1;Home\n2;Home > Light\n3;Home > Light > Lamps\n"
    assert [row.tag for row in read_tags(io.BytesIO(table.encode()), name="t.csv")] == [
        "Home", "Home / Light", "Home / Light / Lamps",
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_tree_goes_in_once(tmp_path: Path) -> None:
    catalogue = Catalogue.objects.create(slug="day", name="Day", languages=["en"])
    (tmp_path / "tree.json").write_text(json.dumps(NODES))
    first = import_tags(catalogue=catalogue, path=tmp_path / "tree.json", user=None)
    assert (first.new_facets, first.new_tags, first.problems) == (1, 5, 1)
    leather = Tag.objects.get(labels__en="Leather")
    assert (leather.parent.labels, leather.parent.parent.labels) == ({"en": "Cases (Phones)"}, {"en": "Phones"})
    again = import_tags(catalogue=catalogue, path=tmp_path / "tree.json", user=None)
    assert (again.new_tags, again.changed) == (0, 0)


@pytest.mark.shared
def test_a_real_tree_of_a_shop(shared: Path) -> None:
    rows = [row for row in read_tags(shared / "raw_json/bestbuy_categories.json.gz") if isinstance(row, TagRow)]
    names = {row.tag for row in rows}
    assert len(names) == len(rows) > 4584  # and those that are named only as being above others
    assert len({label for row in rows for label in row.labels.values()}) == len(rows)
    assert {row.parent for row in rows} - {""} <= names
