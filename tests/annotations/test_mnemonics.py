"""Letters that lead to tags: all different, from the name, not moving; and how they travel."""

from __future__ import annotations

import random

import pytest

from annotations.models import Tag
from annotations.queries.mnemonics import MOST, mnemonics_of, pinyin_initial
from tests.annotations.conftest import World
from tests.annotations.test_views_review import as_, url


def test_the_letters_one_would_guess() -> None:
    names = ["Black", "Blue", "Health monitoring", "He", "XL", "S", "38", "Écru", "USB-C", "Кожа"]
    assert mnemonics_of(names) == ["bl", "bu", "hm", "he", "xl", "s", "38", "ec", "us", "ко"]


def test_chinese_by_the_first_letters_of_its_pinyin() -> None:
    assert mnemonics_of(["黑色", "红色", "羊毛", "羊绒", "T恤"]) == ["hs", "ha", "ym", "yr", "tx"]
    boundaries = {"啊": "a", "澳": "a", "芭": "b", "怖": "b", "匝": "z", "座": "z", "压": "y", "昔": "x", "迅": "x"}
    assert {c: pinyin_initial(c) for c in boundaries} == boundaries
    assert pinyin_initial("k") == pinyin_initial("か") == pinyin_initial("魍") == "", "none of the common characters"


@pytest.mark.parametrize("size", [12, 48, 200, 500, MOST])
def test_no_two_are_alike_and_none_is_without(size: int) -> None:
    rng = random.Random(size)
    names = [f"{a}{n}" for n, a in enumerate(rng.choices(["Ba", "Co", "Poly", "聚", "の"], k=size))]
    found = mnemonics_of(names)
    assert len(set(found)) == size
    assert all(1 <= len(letters) <= 2 for letters in found)


def test_a_new_name_moves_nobody_elses() -> None:
    names = [f"Poly{n}" for n in range(100)]
    assert mnemonics_of([*names, "Polo", "Wool"])[:100] == mnemonics_of(names)


def test_they_come_with_the_tags(world: World) -> None:
    colour = as_(world).get(url("review_tags")).json()[str(world.facets["colour"].pk)]
    assert [t["letters"] for t in colour["tags"]] == ["bl", "re", "wh"]


def test_a_large_facet_comes_whole_when_it_is_asked_for(world: World) -> None:
    material = world.facets["material"]
    Tag.objects.bulk_create(Tag(facet=material, slug=f"m{n}", labels={"en": f"Material {n}"}) for n in range(MOST + 20))
    page = as_(world)
    first = page.get(url("review_tags"), {"facet": material.pk}).json()[str(material.pk)]
    assert (len(first["tags"]), first["more"]) == (50, MOST + 23 - 50)
    assert not any("letters" in t for t in first["tags"]), "not before all that have some are there"
    whole = page.get(url("review_tags"), {"facet": material.pk, "whole": 1}).json()[str(material.pk)]
    assert (len(whole["tags"]), whole["more"]) == (MOST, 23)
    assert sum("letters" in t for t in whole["tags"]) > MOST - 30
