"""A starter taxonomy and the proposals from the keyboard alone: files, branches, languages, trial, load, undo."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from annotations.actions.proposals import decline_proposal
from annotations.models import DeclinedProposal, Facet, ImportBatch, Job, Membership, Product, Role, Tag
from annotations.tasks.run import run_now
from tests.annotations.test_starter import ATTRIBUTES, CATEGORIES
from tests.browser.conftest import Shop
from tests.browser.test_wizard import Keys, send

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]
SHOTS = os.environ.get("STARTER_SHOTS", "")
LOOKS: list[dict[str, Any]] = [
    {"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 780}}, {"locale": "zh-CN"},
]  # fmt: skip


@pytest.fixture
def lead(shop: Shop, settings: Any, tmp_path: Path) -> Shop:
    settings.UPLOADS_ROOT = tmp_path / "uploads"
    Membership.objects.filter(catalogue=shop.catalogue, user=shop.people["lin"]).update(role=Role.LEAD)
    return shop


def work_off(kind: str = "starter") -> Job:
    job = Job.objects.filter(kind=kind).latest("created_at")
    done = run_now(job)
    assert done.state == "done", done.error
    return done


def shoot(reader: Any, shop: Shop, path: str, name: str) -> None:
    """The page in light, dark, narrow and Chinese, for somebody to look at."""
    if not SHOTS:
        return
    for number, look in enumerate(LOOKS):
        page = reader(shop.people["lin"], **look).go(path)
        page.wait_for_timeout(300)
        page.screenshot(path=f"{SHOTS}/{name}-{number}.png", full_page=True)


def test_a_branch_is_found_tried_loaded_and_undone_by_keys(lead: Shop, reader: Any, tmp_path: Path) -> None:
    (tmp_path / "attributes.json").write_text(json.dumps(ATTRIBUTES), encoding="utf-8")
    (tmp_path / "categories.json").write_text(json.dumps(CATEGORIES), encoding="utf-8")
    one = reader(lead.people["lin"])
    page = one.go("/c/autumn/taxonomy/starter/")
    shoot(reader, lead, "/c/autumn/taxonomy/starter/", "send")
    keys = Keys(page)
    send(page, keys, "[name=first]", tmp_path / "attributes.json")
    send(page, keys, "[name=second]", tmp_path / "categories.json")
    keys.press("form[enctype] button.main")
    page.wait_for_selector(".job")
    work_off()
    page.wait_for_selector("#choose")  # by itself, once the worker has looked
    batch = ImportBatch.objects.get()
    here = f"/c/autumn/taxonomy/starter/{batch.pk}/"

    keys.to("[name=q]")
    page.keyboard.type("shoes")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Wear > Shoes")
    keys.press("[name=branch][value=w-1]", "Space")
    keys.press("[name=language][value=de]", "Space")
    keys.press("button[value=try]")
    page.wait_for_selector(".job")
    work_off()
    page.wait_for_selector("text=What loading it would do")
    assert (
        page.locator("[name=branch][value=w-1]").is_checked() and page.locator("[name=language][value=de]").is_checked()
    )
    assert not Facet.objects.filter(slug="tint").exists()
    shoot(reader, lead, here, "tried")
    keys.press("button[value=load]")
    page.wait_for_selector(".job")
    work_off()
    page.wait_for_selector("text=What was loaded")
    assert Facet.objects.get(slug="tint").labels == {"en": "Tint", "zh-hans": "色调", "de": "Farbton"}
    shoot(reader, lead, here, "loaded")
    keys.press("form[action$='/undo/'] button")
    page.wait_for_selector("text=Undone")
    assert not Tag.objects.live().filter(facet__slug="tint").exists()
    assert not one.complaints


def test_proposals_are_looked_for_declined_and_taken_back_by_keys(lead: Shop, reader: Any) -> None:
    for n in range(4):
        Product.objects.create(
            catalogue=lead.catalogue, external_id=f"M-{n}", title="Hat", attributes={"colour": ["Mauve"]}
        )
    one = reader(lead.people["lin"])
    page = one.go("/c/autumn/taxonomy/proposals/")
    shoot(reader, lead, "/c/autumn/taxonomy/proposals/", "unlooked")
    keys = Keys(page)
    keys.press("form[action$='/look/'] button")
    page.wait_for_selector(".job")
    work_off("proposals")
    page.wait_for_selector("text=Mauve")
    shoot(reader, lead, "/c/autumn/taxonomy/proposals/", "proposed")
    page.keyboard.press("x")
    page.wait_for_selector("a[href$='/declined/']")
    assert DeclinedProposal.objects.get().text == "Mauve"
    keys.press("a[href$='/declined/']")
    page.wait_for_selector("h1:has-text('Declined')")
    decline_proposal(
        catalogue=lead.catalogue, kind="synonym", text="onyx", user=lead.people["lin"], tag=lead.tags["black"],
        facet=lead.facets["colour"],
    )  # fmt: skip
    shoot(reader, lead, "/c/autumn/taxonomy/proposals/declined/", "declined")
    keys.press("form[action$='/back/'] button")
    page.wait_for_selector("text=may be proposed again")
    page.goto(one.url + "/c/autumn/taxonomy/proposals/")
    assert page.locator("b:has-text('Mauve')").count() == 1
    assert not one.complaints
