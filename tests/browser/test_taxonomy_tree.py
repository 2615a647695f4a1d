"""The tree of tags under the keyboard: another place, another name, the next row."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.models import Tag

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_tags_are_moved_and_renamed_without_a_mouse(shop: Any, reader: Any) -> None:
    from playwright.sync_api import expect

    ada = reader(shop.people["ada"])
    facet = shop.facets["material"]
    page = ada.go(f"/c/autumn/taxonomy/facets/{facet.pk}/")
    page.locator("input.name").first.focus()
    ada.keys("ArrowDown", "ArrowDown", "Alt+ArrowUp")
    page.wait_for_url("**at=*")
    expect(page.locator("input.name").nth(1)).to_be_focused()
    names = [page.locator("input.name").nth(n).input_value() for n in range(4)]
    assert names == ["Cotton", "Leather", "Wool", "Stainless steel"]
    ada.keys("Alt+ArrowRight")  # below the one before
    expect(page.locator("li.in1 input.name")).to_have_value("Leather")
    page.locator("li.in1 input.name").fill("Hide")
    ada.keys("Enter")
    expect(page.locator("li.in1 input.name")).to_have_value("Hide")
    leather = Tag.objects.get(facet=facet, slug="leather")
    assert (leather.labels["en"], leather.synonyms, leather.parent) == (
        "Hide",
        {"en": ["Leather"]},
        shop.tags["cotton"],
    )
    assert ada.complaints == []
