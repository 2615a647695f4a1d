"""The import wizard from the keyboard alone, without JavaScript and with it: columns, trial, import, mending."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from annotations.models import ImportBatch, ImportSource, Membership, Product, Role
from annotations.tasks.run import run_now
from tests.browser.conftest import Shop

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]
ROWS = "nr_x;was;farbe;preis\nA1;Mantel;rot|blau;10\nA2;Hose;rot;20\n;ohne Nummer;rot;5\nA4;Jacke;grün;7\n"
SHOTS = os.environ.get("WIZARD_SHOTS", "")


class Keys:
    """A person with a keyboard: what has the focus is moved on by Tab alone."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def to(self, selector: str) -> None:
        """Tab until the focus is on it. Fails when a whole round of the page did not come by."""
        for _ in range(200):
            if self.page.evaluate("s => document.activeElement?.matches(s) ?? false", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never came to {selector}")

    def press(self, selector: str, key: str = "Enter") -> None:
        self.to(selector)
        self.page.keyboard.press(key)

    def choose(self, selector: str, value: str) -> None:
        """A select by its arrow keys."""
        self.to(selector)
        for _ in range(40):
            if self.page.evaluate("() => document.activeElement.value") == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{selector} has no {value}")


@pytest.fixture
def lead(shop: Shop, settings: Any, tmp_path: Path) -> Shop:
    settings.UPLOADS_ROOT = tmp_path / "uploads"
    Membership.objects.filter(catalogue=shop.catalogue, user=shop.people["lin"]).update(role=Role.LEAD)
    return shop


def work_off() -> ImportBatch:
    batch = ImportBatch.objects.latest("pk")
    assert batch.job is not None
    assert run_now(batch.job).state == "done"
    batch.refresh_from_db()
    return batch


def send(page: Any, keys: Keys, selector: str, path: Path) -> None:
    """The file field opens the system's own dialog, which answers with the file."""
    for again in range(3):
        keys.to(selector)
        try:
            with page.expect_file_chooser(timeout=10_000) as chooser:
                page.keyboard.press("Space")
        except PlaywrightTimeout:  # the list beside it was told anew at this moment, and the focus went with it
            assert again < 2, f"{selector} opens no dialog"
        else:
            return chooser.value.set_files(path)


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.mark.parametrize("script", [True, False])
def test_from_a_file_to_mended_rows_by_tab_enter_and_arrows(
    lead: Shop, reader: Any, tmp_path: Path, script: bool
) -> None:
    (tmp_path / "waren.csv").write_text(ROWS, encoding="utf-8")
    one = reader(lead.people["lin"], java_script_enabled=script)
    page = one.go(f"/c/{lead.catalogue.slug}/imports/")
    keys = Keys(page) if script else Blind(page)
    send(page, keys, "[name=table]", tmp_path / "waren.csv")
    keys.press("form[enctype] button.main")
    page.wait_for_selector("table.map")
    assert page.locator("[role=alert]").count() == 1, "no column is known to hold an id"

    keys.choose("[name=target-0]", "id")
    keys.choose("[name=target-1]", "title")
    keys.press("button[value=look]")
    page.wait_for_selector("table.peek")
    assert page.locator("table.peek tbody tr").count() == 3
    keys.to("[name=source]")
    page.keyboard.type("Lieferant Nord")
    keys.press("button[value=keep]")
    page.wait_for_selector("text=the columns of “Lieferant Nord”")
    assert ImportSource.objects.get().mapping["columns"][0]["target"] == "id"

    keys.press("button[value=try]")
    page.wait_for_selector(".job")
    assert (work_off().created, Product.objects.filter(external_id="A1").exists()) == (3, False)
    page.reload()
    page.wait_for_selector("text=What taking it in would do")
    keys.press("details:has(.n) > summary", "Space") if script else None
    shot(page, f"tried-{script}")
    keys.press("button[value=start]")
    page.wait_for_selector(".job")
    batch = work_off()
    assert (batch.created, batch.problem_count, batch.source.name) == (3, 1, "Lieferant Nord")
    page.reload()
    page.wait_for_selector("text=What was taken in")

    keys.to("a[href$='/to-mend/']")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    rows = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert rows[0] == "tagstudio_line,tagstudio_problem,nr_x,was,farbe,preis"
    assert rows[1] == "4,The row has no id. Give every product its own id.,,ohne Nummer,rot,5"
    mended = tmp_path / "mended.csv"
    mended.write_text("\n".join([rows[0], rows[1].replace("own id.,,", "own id.,A3,")]) + "\n", encoding="utf-8")
    send(page, keys, ".mend [name=table]", mended)
    keys.press(".mend button")
    page.wait_for_selector("text=Mended rows of waren.csv")
    assert page.locator("[name=archive_missing]").count() == 0
    assert page.input_value("[name=target-0]") == "id"
    keys.press("button[value=start]")
    page.wait_for_selector(".job")
    batch = work_off()
    assert (batch.created, batch.updated, batch.unchanged, batch.problem_count) == (1, 0, 0, 0)
    added = Product.objects.get(external_id="A3")
    assert (added.title, added.attributes, added.extra) == ("ohne Nummer", {"farbe": ["rot"]}, {"preis": "5"})
    assert not one.complaints


class Blind(Keys):
    """Without scripts nothing can be asked of the page but what Playwright sees of it."""

    def to(self, selector: str) -> None:
        for _ in range(200):
            if self.page.locator(f"{selector}:focus").count():
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never came to {selector}")

    def choose(self, selector: str, value: str) -> None:
        self.to(selector)
        for _ in range(40):
            if self.page.input_value(selector) == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{selector} has no {value}")
