"""The server goes away in the middle of the work, a session ends, two tabs work side by side: nothing is lost."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from annotations.models import Decision, Product, QueueItem, Suggestion
from tests.browser.conftest import Shop
from tests.browser.test_review import REVIEW, until, wait_ahead, wait_saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]


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


SHOWN = "document.querySelector('form.stage')?.dataset.title"


def test_two_tabs_of_one_person_get_different_products(shop: Shop, reader: Any) -> None:
    made = forty(shop, 24)
    lin = reader(shop.people["lin"])
    first = lin.go(REVIEW)
    wait_ahead(first)
    second = lin.context.new_page()
    second.goto(lin.url + REVIEW)
    until(second, f"t => {SHOWN} && {SHOWN} !== t", first.evaluate(SHOWN))
    assert "open in another tab of yours" in second.locator("#notice").inner_text()
    for _ in range(8):
        for page in (first, second):
            before = page.evaluate(SHOWN)
            page.keyboard.press("Enter")
            until(page, f"t => {SHOWN} && {SHOWN} !== t", before)
            wait_saved(page)  # one person works in one tab at a time: what this one fetched, the other has heard of
            wait_ahead(page)
    for page in (first, second):
        wait_saved(page)
        assert page.locator("#conflicts .conflict").count() == 0
    done = QueueItem.objects.filter(product__in=made, status="done")
    assert done.count() == 16, "each decided on another eight"
    assert set(done.values_list("version", flat=True)) == {1}
    second.close()
    waiting = QueueItem.objects.filter(product__in=made, status="queued")
    for _ in range(waiting.count() + len(shop.products)):  # what the closed tab had comes now, and not in ten minutes
        if not waiting.exists():
            break
        before = first.evaluate(SHOWN)
        first.keyboard.press("Enter")
        until(first, f"t => {SHOWN} && {SHOWN} !== t", before)
        wait_saved(first)
    assert not waiting.exists()


def test_control_tabs_that_cannot_talk_share_and_are_told(shop: Shop, reader: Any) -> None:
    made = forty(shop, 16)
    lin = reader(shop.people["lin"])
    lin.context.add_init_script("delete window.BroadcastChannel")
    first = lin.go(REVIEW)
    wait_ahead(first)
    second = lin.context.new_page()
    second.goto(lin.url + REVIEW)
    wait_ahead(second)
    assert second.evaluate(SHOWN) == first.evaluate(SHOWN)
    for page in (first, second):
        page.keyboard.press("Enter")
        until(page, "!document.getElementById('queue-state').textContent.startsWith('Saving')")
    second.bring_to_front()
    second.locator("#conflicts [data-does=take-theirs]").click()
    wait_saved(second)
    assert set(QueueItem.objects.filter(product__in=made, status="done").values_list("version", flat=True)) == {1}


def test_a_product_that_is_asked_for_by_its_address_is_shown_in_both_tabs_and_said(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    first = lin.go(REVIEW)
    wait_ahead(first)
    second = lin.context.new_page()
    second.goto(f"{lin.url}{REVIEW}?product={shop.products[0].pk}")
    until(second, "document.getElementById('notice').textContent.includes('in another tab of yours, too')")
    assert second.evaluate(SHOWN) == shop.products[0].title
    first.keyboard.press("Enter")
    wait_saved(first)
    second.keyboard.press("x")
    second.keyboard.press("Enter")
    second.locator("#conflicts .conflict").wait_for()
    assert "Somebody else saved" in second.locator("#conflicts").inner_text(), "said, and nothing is decided twice"
    assert QueueItem.objects.get(product=shop.products[0]).version == 1


def test_a_copied_tab_parts_ways_and_loses_nothing(shop: Shop, reader: Any) -> None:
    """ "Duplicate tab" copies the address and what the tab keeps in its session."""
    forty(shop, 16)
    lin = reader(shop.people["lin"])
    first = lin.go(REVIEW)
    wait_ahead(first)
    first.keyboard.press("Enter")
    wait_saved(first)
    kept = first.evaluate("JSON.stringify({...sessionStorage})")
    second = lin.context.new_page()
    second.add_init_script(
        f"if (!sessionStorage.length) for (const [k, v] of Object.entries({kept})) sessionStorage.setItem(k, v);"
    )
    second.goto(first.url)
    until(second, f"t => {SHOWN} && {SHOWN} !== t", first.evaluate(SHOWN))
    assert second.evaluate("sessionStorage.getItem('tagstudio:tab')") != first.evaluate(
        "sessionStorage.getItem('tagstudio:tab')"
    )
    lin.context.set_offline(True)
    for page in (first, second):
        page.keyboard.press("Enter")
        until(page, "document.getElementById('queue-state').textContent.includes('no connection')")
    stored = first.evaluate("Object.entries(localStorage).filter(([k]) => k.startsWith('tagstudio')).map(([, v]) => v)")
    assert sum(len(json.loads(v)) for v in stored) == 2, "neither writes over the other's"
    lin.context.set_offline(False)
    for page in (first, second):
        page.bring_to_front()
        wait_saved(page)
    assert QueueItem.objects.filter(status="done").count() == 3


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
