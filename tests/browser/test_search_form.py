"""The form of a search in a real browser: fields lie in sections, what is ticked shows while they are closed."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.urls import reverse

from annotations.models import PlanSearch
from tests.browser.conftest import Shop
from tests.browser.test_axe import axe, violations

__all__ = ["axe"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]


def test_any_field_is_ticked_in_its_section_and_refused_there(shop: Shop, reader: Any, axe: str) -> None:
    from annotations.actions.decide_lines import decide_lines

    line = {
        "product": shop.products[0].external_id,
        "facet": "colour",
        "tag": "black",
        "verdict": "accept",
        "reviewer": "ada",
    }
    assert not decide_lines(catalogue=shop.catalogue, lines=[line]).problem_list
    ada = reader(shop.people["ada"])
    page = ada.go(reverse("plan_searches", args=["autumn"]))
    assert (
        page.get_by_label("Learning rate", exact=True).is_checked()
        and not page.get_by_label("Dropout", exact=True).is_checked()
    )
    loss = page.locator("#vary-loss")
    assert not page.get_by_label("Label smoothing", exact=True).is_visible(), (
        "sections with nothing ticked begin closed"
    )
    loss.locator("summary").focus()
    ada.keys("Enter")
    page.get_by_label("Label smoothing", exact=True).check()
    values = page.get_by_label("Values of “Label smoothing”")
    assert values.input_value() == "0..0.1"
    values.fill("0..7")
    assert violations(page, axe) == []
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/search-form.png", full_page=True)
    page.get_by_role("button", name="Start the search").click()
    assert values.is_visible() and page.locator("#vary-loss [data-changed]").inner_text() == "Label smoothing"
    assert "not between" in page.locator("#vary-loss .errorlist").inner_text()
    assert values.get_attribute("aria-invalid") == "true" and not PlanSearch.objects.exists()
    values.fill("0..0.2")
    page.get_by_role("button", name="Start the search").click()
    page.wait_for_url("**/training/searches/1/")
    assert set(PlanSearch.objects.get().rules["space"]) == {"learning_rate", "epochs", "label_smoothing"}
    assert not [words for words in ada.complaints if "422" not in words]
