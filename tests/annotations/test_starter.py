"""A published taxonomy as a start: by branch, in the catalogue's languages, each facet where it is meant for."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from annotations.actions.errors import Refused
from annotations.actions.starter import load_starter
from annotations.models import Catalogue, Facet, Tag
from annotations.queries.offers import offers
from annotations.queries.taxonomy import search_tags

ATTRIBUTES = [
    {"handle": "tint", "name": {"en": "Tint", "zh-CN": "色调", "de": "Farbton"}, "extended": ["lid-tint"], "values": [
        {"handle": "tint__red", "name": {"en": "Red", "zh-CN": "红", "de": "Rot"}},
        {"handle": "tint__grass-green", "name": {"en": "Grass green", "zh-CN": "草绿", "de": "Grasgrün"}}]},
    {"handle": "sole", "name": {"en": "Sole", "zh-CN": "鞋底"}, "values": [{"handle": "sole__flat", "name": {"en": "Flat"}}]},
    {"handle": "wattage", "name": "Wattage", "values": [{"id": "gid://x/9", "name": "40 W"}]},
]  # fmt: skip
CATEGORIES = [
    {"id": "w", "full_name": {"en": "Wear", "zh-CN": "服饰"}, "children": ["w-1", "w-2"], "attributes": ["tint"]},
    {"id": "w-1", "full_name": {"en": "Wear > Shoes", "zh-CN": "服饰 > 鞋"}, "children": [], "attributes": ["tint", "sole"]},
    {"id": "w-2", "full_name": {"en": "Wear > Other", "zh-CN": "服饰 > 其他"}, "children": [], "attributes": ["tint"]},
    {"id": "h", "full_name": {"en": "Home", "zh-CN": "家居"}, "children": ["h-1"], "attributes": []},
    {"id": "h-1", "full_name": {"en": "Home > Other", "zh-CN": "家居 > 其他"}, "children": [], "attributes": ["wattage", "lid-tint"]},
]  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    attributes, categories = tmp_path / "attributes.jsonl.gz", tmp_path / "categories.json"
    with gzip.open(attributes, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in ATTRIBUTES)
    categories.write_text(json.dumps({"verticals": [{"categories": CATEGORIES}]}))
    return attributes, categories


@pytest.fixture
def catalogue(db: None) -> Catalogue:
    return Catalogue.objects.create(slug="new", name="New", languages=["en", "zh-hans"])


def test_whole_with_its_tree(catalogue: Catalogue, files: tuple[Path, Path]) -> None:
    attributes, categories = files
    report = load_starter(catalogue=catalogue, attributes=attributes, categories=categories, with_categories=True)
    assert (report.new_facets, report.new_tags, report.problems) == (4, 9, 0)
    tint = Facet.objects.get(slug="tint")
    assert tint.labels == {"en": "Tint", "zh-hans": "色调"}
    assert tint.categories == ["Home/Other", "Wear"]  # the whole of one branch, a part of the other
    assert Tag.objects.get(slug="grass-green").labels == {"en": "Grass green", "zh-hans": "草绿"}
    catalogue.refresh_from_db()
    assert [o.facet.slug for o in offers(catalogue, "Wear/Shoes")] == ["tint", "sole", "product-category"]
    # two of a name in different branches are two tags, and the path tells them apart
    assert [t.slug for t in search_tags(catalogue, "other")] == ["w-2", "h-1"]
    assert [t.slug for t in search_tags(catalogue, "home > other")] == ["h-1"]
    assert [t.slug for t in search_tags(catalogue, "家居 其他")] == ["h-1"]
    assert [t.slug for t in search_tags(catalogue, "tint red")] == ["red"]
    assert [t.slug for t in search_tags(catalogue, "绿")] == ["grass-green"]
    again = load_starter(catalogue=catalogue, attributes=attributes, categories=categories, with_categories=True)
    assert (again.new_facets, again.new_tags, again.changed) == (0, 0, 0)


def test_one_branch_in_one_language(catalogue: Catalogue, files: tuple[Path, Path]) -> None:
    attributes, categories = files
    load_starter(
        catalogue=catalogue, attributes=attributes, categories=categories, branches=["服饰 > 鞋"], languages=["de"]
    )
    assert set(Facet.objects.values_list("slug", flat=True)) == {"tint", "sole"}
    assert Facet.objects.get(slug="tint").labels == {"de": "Farbton"}
    assert Facet.objects.get(slug="sole").labels == {"en": "Sole"}  # in none of the languages asked for


def test_what_cannot_be_used_is_said(catalogue: Catalogue, files: tuple[Path, Path], tmp_path: Path) -> None:
    attributes, categories = files
    with pytest.raises(Refused) as refusal:
        load_starter(catalogue=catalogue, attributes=attributes, categories=categories, branches=["Garden"])
    assert refusal.value.code == "branch"
    for text in ("", "{", "[1]", '[{"handle": "x"}]', '[{"handle": "x", "name": {"en": "X"}, "values": [1]}]'):
        broken = tmp_path / "broken.json"
        broken.write_text(text)
        with pytest.raises(Refused):
            load_starter(catalogue=catalogue, attributes=broken)
    assert not Facet.objects.exists()
