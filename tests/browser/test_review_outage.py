"""The server goes away in the middle of the work, a session ends, two tabs work side by side: nothing is lost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from annotations.models import Decision, Product, QueueItem, Suggestion
from tests.browser.conftest import Shop
from tests.browser.test_review import REVIEW, until, wait_ahead, wait_saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def forty(shop: Shop, count: int = 40) -> list[Product]:
    made = []
    for n in range(count):
        product = Product.objects.create(catalogue=shop.catalogue, external_id=f"D-{n:02}", title=f"Shirt {n}")
        QueueItem.objects.create(product=product, catalogue=shop.catalogue, status="queued", priority=100.0 - n)
        Suggestion.objects.create(product=product, tag=shop.tags["cotton"], score=0.9, band="strong")
        made.append(product)
    return made


@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_forty_decisions_across_an_outage_arrive_once(shop: Shop, reader: Any, seconds: float) -> None:
    made = forty(shop)
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    wait_ahead(page)
    back_at: list[float] = []

    def gate(route: Any) -> None:
        if back_at and time.monotonic() < back_at[0]:
            route.abort("connectionrefused")
        else:
            route.continue_()

    page.route("**/review/**", gate)
    for n, product in enumerate(made):
        if n == 15:
            back_at.append(time.monotonic() + seconds)
        until(
            page, "t => document.querySelector('form.stage')?.dataset.title === t", product.title, seconds=60 + seconds
        )
        lin.keys("Enter")
    until(page, "document.getElementById('queue-state').textContent === 'All saved'", seconds=60)
    done = Decision.objects.filter(product__in=made, tag=shop.tags["cotton"])
    assert sorted(done.values_list("product", flat=True)) == sorted(p.pk for p in made), "each once"
    assert set(QueueItem.objects.filter(product__in=made).values_list("version", flat=True)) == {1}


def test_a_session_that_ends_says_so_and_loses_nothing(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    wait_ahead(page)
    kept = [c for c in lin.context.cookies() if c["name"] == "sessionid"]
    lin.context.clear_cookies(name="sessionid")
    lin.keys("Enter", "Enter")
    page.locator("#notice [data-signed-out]").wait_for()
    assert "you are signed out" in page.locator("#notice").inner_text()
    assert page.locator("#notice a").inner_text() == "Sign in"
    assert not Decision.objects.exists()
    lin.context.add_cookies(kept)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(lin.url + REVIEW)  # as after signing in
    wait_saved(page)
    assert QueueItem.objects.filter(status="done").count() == 2


def test_two_tabs_work_side_by_side(shop: Shop, reader: Any) -> None:
    made = forty(shop, 16)
    lin = reader(shop.people["lin"])
    first = lin.go(REVIEW)
    wait_ahead(first)
    second = lin.context.new_page()
    second.goto(lin.url + REVIEW)
    wait_ahead(second)
    for _ in range(4):
        for page in (first, second):
            page.keyboard.press("Enter")
            page.wait_for_timeout(150)
    for page in (first, second):
        page.bring_to_front()
        theirs = page.locator("#conflicts [data-does=take-theirs]")
        until(page, "!document.getElementById('queue-state').textContent.startsWith('Saving')")
        while theirs.count():  # the same product was on screen in both: said, and never doubled
            assert "Somebody else saved" in page.locator("#conflicts").inner_text()
            theirs.first.click()
        wait_saved(page)
    done = QueueItem.objects.filter(product__in=made, status="done")
    assert 4 <= done.count() <= 8
    assert set(done.values_list("version", flat=True)) == {1}, "nothing is decided twice"


def test_back_and_reload_bring_back_where_one_was(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    wait_ahead(page)
    lin.keys("Enter")
    wait_saved(page)
    here = page.locator("form.stage").get_attribute("data-title")
    page.reload()
    assert page.locator("form.stage").get_attribute("data-title") == here
    page.goto(lin.url + "/")
    page.go_back()
    until(page, "t => document.querySelector('form.stage')?.dataset.title === t", here)
    assert QueueItem.objects.filter(status="done").count() == 1
