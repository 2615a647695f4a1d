"""A file taken in through a real browser: columns looked at, tried, taken in, with the page following the job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotations.models import Catalogue, ImportBatch, Membership, Product, Role
from annotations.tasks.run import run_now
from tests.browser.conftest import Shop

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]
ROWS = "sku;name;farbe\nA1;Mantel <script>alert(1)</script>;rot|blau\nA2;Hose;rot\n;ohne Nummer;rot\n"


def work_off() -> None:
    """What the worker would do, here and now."""
    job = ImportBatch.objects.get().job
    assert job is not None
    assert run_now(job).state == "done"


def test_a_file_is_tried_and_taken_in(shop: Shop, reader: Any, settings: Any, tmp_path: Path) -> None:
    settings.UPLOADS_ROOT = tmp_path / "uploads"
    (tmp_path / "waren.csv").write_text(ROWS)
    Membership.objects.filter(catalogue=shop.catalogue, user=shop.people["lin"]).update(role=Role.LEAD)
    slug = Catalogue.objects.get().slug
    page = reader(shop.people["lin"]).go(f"/c/{slug}/imports/")
    page.set_input_files("[name=table]", tmp_path / "waren.csv")
    page.click("button:has-text('Look at it')")
    assert page.locator("table.peek tbody tr").count() == 2
    assert page.input_value("[name=target-0]") == "id"
    page.fill("[name=facet-2]", "Colour")
    page.click("button:has-text('Show the rows')")
    assert "Colour" in page.inner_text("table.peek")
    assert "rot" in page.inner_text("table.map tr:nth-child(3) .samples"), "a mapping of one's own keeps its samples"
    page.click("button:has-text('Try it')")
    page.wait_for_selector(".job")
    work_off()
    page.wait_for_selector("text=What taking it in would do")  # by itself: the page follows the job
    assert page.inner_text(".counts").split() == [
        "products",
        "2",
        "new",
        "2",
        "changed",
        "0",
        "the",
        "same",
        "0",
        "problems",
        "1",
    ]
    assert "The row has no id" in page.inner_text("#problems")
    assert not Product.objects.filter(external_id="A1").exists()
    page.click("button:has-text('Take it in')")
    page.wait_for_selector(".job")
    work_off()
    page.wait_for_selector("text=What was taken in")
    page.click("text=See the products")
    page.fill("[name=search]", "a1")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=A1")
    page.click("table.products a")
    assert "Colour" in page.inner_text("table.said")
    assert Product.objects.get(external_id="A1").attributes == {"Colour": ["rot", "blau"]}
