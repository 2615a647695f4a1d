"""The plan form in a real browser: a section opened, a field set, the plan as a file, a wrong combination at its field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from annotations.models import TrainingRun
from tests.browser.conftest import Shop

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]
HERE = "/c/autumn/training/"
MORE = "#everything-else > summary"


def test_a_field_is_found_set_and_comes_back_from_a_file(shop: Shop, reader: Any) -> None:
    ada = reader(shop.people["ada"])
    page = ada.go(HERE)
    loss = page.locator("#part-loss")
    assert not loss.is_visible(), "what few need is behind one line"
    page.locator(MORE).click()
    assert not page.get_by_label("What weighs more").is_visible(), "sections begin closed"
    loss.locator("summary").focus()
    ada.keys("Enter")
    page.get_by_label("What weighs more").select_option("asymmetric")
    loss.locator("summary").click()
    assert loss.locator("[data-changed]").inner_text() == "What weighs more: rare tags more (asymmetric)"
    page.locator("#part-small summary").click()
    page.get_by_label("Blocks kept").fill("2")
    page.get_by_role("button", name="Check it").click()
    plan = json.loads(page.get_by_label("As a plan file").input_value())
    assert plan == {"preset": "quick", "base": "packaged-minilm", "loss": "asymmetric", "keep_blocks": 2}
    assert page.locator("#part-small [data-changed]").inner_text() == "Blocks kept: 2"
    ada.go(HERE)
    page.get_by_text("From a plan file").click()
    page.get_by_label("A plan as JSON").fill(json.dumps(plan))
    page.get_by_role("button", name="Fill in the form").click()
    assert page.locator("#part-loss [data-changed]").is_visible(), "what differs is in view"
    assert page.locator("#part-loss [data-changed]").inner_text().startswith("What weighs more")
    page.locator("#part-loss summary").click()
    assert page.get_by_label("What weighs more").input_value() == "asymmetric"
    assert not TrainingRun.objects.exists() and not ada.complaints


def test_what_does_not_go_together_is_told_at_its_field(shop: Shop, reader: Any) -> None:
    ada = reader(shop.people["ada"])
    page = ada.go(HERE)
    page.locator(MORE).click()
    page.locator("#part-pictures summary").click()
    page.get_by_label("What reads pictures").fill("small")
    page.locator("#part-little summary").click()
    page.get_by_label("Runs brought together").fill("3")
    page.get_by_role("button", name="Check it").click()
    field = page.get_by_label("Runs brought together")
    assert field.is_visible() and field.get_attribute("aria-invalid") == "true", "its section is open"
    assert "text alone" in page.locator(f"#{field.get_attribute('id')}_error").inner_text()
    assert page.get_by_role("alert").get_by_role("link").inner_text() == "Runs brought together"
    assert not page.get_by_label("As a plan file").count()


def test_without_script_everything_is_there(shop: Shop, reader: Any) -> None:
    ada = reader(shop.people["ada"], java_script_enabled=False)
    page = ada.go(HERE)
    page.locator(MORE).click()
    page.locator("#part-tuning summary").click()
    page.get_by_label("What is trained of the encoder").select_option("lora")
    page.get_by_role("button", name="Check it").click()
    assert json.loads(page.get_by_label("As a plan file").input_value())["tuning"] == "lora"
    assert "LoRA" in page.locator("#part-tuning [data-changed]").inner_text()
