"""The review screen in a real browser: by keyboard alone, with undo, conflicts and a server that fails."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from annotations.models import Decision, Product, QueueItem, TagRequest
from tests.browser.conftest import Reader, Shop

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
REVIEW = "/c/autumn/review/"
SAVE = "**/review/save/"


def title(page: Any) -> str:
    return page.locator("form.stage").get_attribute("data-title")


def until(page: Any, expression: str, arg: Any = None, seconds: float = 15) -> None:
    """Wait until the expression is true in the page. (wait_for_function evaluates text, which our policy forbids.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"still not: {expression} {arg or ''}"
        page.wait_for_timeout(20)


def wait_for(page: Any, happened: Callable[[], bool], seconds: float = 15) -> None:
    """Wait until it has happened here, while the page goes on."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(20)


def wait_saved(page: Any) -> None:
    until(page, "document.getElementById('queue-state').textContent === 'All saved'")


def wait_title(page: Any, text: str) -> None:
    until(page, "t => document.querySelector('form.stage')?.dataset.title === t", text)


def wait_ahead(page: Any) -> None:
    until(page, "performance.getEntriesByType('resource').some(e => e.name.includes('/next/') && e.responseEnd)")
    page.wait_for_timeout(100)


def focused(page: Any) -> str:
    return page.locator(".at-chip").get_attribute("data-label")


def test_five_products_by_keyboard_alone(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    watch, coat, shoe, tee, sneaker, *_rest = shop.products
    assert title(page) == watch.title
    # the watch: the model is right about most, grey is left unchecked, steel is refused, waterproof accepted
    assert focused(page) == "Black"
    lin.keys("J", "j", "j", "a")
    assert focused(page) == "Smart", "accepting moves on"
    lin.keys("J", "x", "Enter")
    assert title(page) == coat.title, "the next product is there at once"
    # the coat: leather out, one more occasion by its number
    assert focused(page) == "Leather", "the focus begins where the doubt is"
    lin.keys("Space", "J", "1", "Enter")
    # the shoe: a synonym in another spelling finds the colour that is there; a tag in Chinese finds wool
    assert title(page) == shoe.title
    lin.keys("J", "J", "+")
    page.keyboard.type("羊毛")
    lin.keys("Enter")
    assert focused(page) == "Wool"
    lin.keys("Enter")
    # the tee: correct the focused chip
    assert title(page) == tee.title
    lin.keys("Space", "c")
    page.keyboard.type("gray")
    lin.keys("Enter", "Enter")
    assert title(page) == sneaker.title
    lin.keys("Enter")
    wait_saved(page)
    assert shop.standing(watch) == {
        **dict.fromkeys(("black", "health", "sleep", "smart", "waterproof", "sport", "business", "leisure"), "approved"),
        "grey": "rejected", "steel": "rejected",
    }  # fmt: skip
    assert shop.standing(coat) == {
        "black": "approved", "wool": "approved", "leather": "rejected", "business": "approved", "leisure": "rejected",
        "sport": "approved",
    }  # fmt: skip
    assert shop.standing(shoe) == {
        "grey": "approved", "waterproof": "approved", "cotton": "rejected", "sport": "approved", "wool": "approved"
    }  # fmt: skip
    assert shop.standing(tee) == {"cotton": "rejected", "white": "rejected", "grey": "approved"}
    assert shop.standing(sneaker) == {"leather": "approved", "leisure": "approved", "sport": "approved"}
    assert Decision.objects.get(product=shoe, tag__slug="wool").verdict == "add"
    assert QueueItem.objects.filter(status="done").count() == 5
    assert set(Decision.objects.values_list("input", flat=True)) == {"key"}
    times = page.evaluate("performance.getEntriesByName('save-to-next').map(e => e.duration)")
    print(f"\nEnter to next product painted, ms: median {statistics.median(times):.0f}, of {[round(t) for t in times]}")
    assert lin.complaints == []


def test_the_focused_chip_lights_its_words_up(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    assert page.locator("mark.lit").count() == 0
    assert "no evidence in the text" in page.locator(".facet.at .why").inner_text()
    lin.keys("J")
    assert page.locator("mark.lit").all_inner_texts() == ["心率监测", "血氧检测"]
    assert "“心率监测”, “血氧检测”" in page.locator(".facet.at .why").inner_text()
    lin.keys("e", "e")
    assert page.locator("mark.here").inner_text() == "血氧检测"
    assert page.locator(".title").inner_text() == shop.products[0].title, "marks change no character"
    lin.keys("J")
    assert page.locator("mark.lit").all_inner_texts() == ["高端材质"], "an emoji before it shifts nothing"


@pytest.mark.long
def test_a_value_that_does_not_exist_becomes_a_request(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    lin.keys("+")
    page.keyboard.type("petrol")
    assert "Ask for “petrol”" in page.locator("#add-list [aria-selected=true]").inner_text()
    lin.keys("Enter")
    page.locator("#notice .note").wait_for()
    assert TagRequest.objects.get().text == "petrol"
    assert shop.catalogue.facets.get(slug="colour").tags.count() == 4
    assert page.locator(".facet.at .pick").count() == 2, "and no chip"


@pytest.mark.long
def test_undo_and_redo(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    first, second = shop.products[:2]
    lin.keys("x", "Enter")
    wait_saved(page)
    assert shop.standing(first)["black"] == "rejected"
    lin.keys("u")
    wait_title(page, first.title)
    assert shop.standing(first) == {}
    lin.keys("Shift+U")
    wait_title(page, second.title)
    assert shop.standing(first)["black"] == "rejected"
    lin.keys("u")
    wait_title(page, first.title)
    lin.keys("Enter")
    assert title(page) == second.title
    wait_saved(page)
    assert shop.standing(first)["black"] == "approved"
    assert lin.complaints == []


@pytest.mark.long
def test_back_and_forth_and_reload(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    first, second, third = shop.products[:3]
    lin.keys("x", "n")
    assert title(page) == second.title
    lin.keys("p")
    assert title(page) == first.title
    black = page.locator("input[data-label=Black]")
    assert black.get_attribute("data-said") == "no", "what was said is still there"
    assert focused(page) == "Grey", "and so is the place"
    lin.keys("n", "s")
    assert title(page) == third.title
    page.reload()
    assert title(page) == third.title, "a reload stays where one was"
    assert not Decision.objects.exists()
    lin.keys("f")
    page.keyboard.type("wrong picture")
    lin.keys("Enter")
    until(page, "t => document.querySelector('form.stage')?.dataset.title !== t", third.title)  # it goes on by itself
    wait_saved(page)
    assert QueueItem.objects.get(product=third).flagged == "wrong picture"


def test_keys_stand_aside_inside_text(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    lin.keys("f")
    page.keyboard.type("x a u s ?")
    assert page.locator("#flag-text").input_value() == "x a u s ?"
    lin.keys("Escape", "?")
    help_text = page.locator("#help-list").inner_text()
    for words in ("Save what is seen", "Skip", "Undo", "Next facet", "Pick a tag of the focused facet"):
        assert words in help_text
    lin.keys("Escape", "Enter")
    wait_saved(page)
    assert Decision.objects.filter(product=shop.products[0]).exists()


@pytest.mark.long
def test_of_two_the_slower_chooses(shop: Shop, reader: Any) -> None:
    lin, ada = reader(shop.people["lin"]), reader(shop.people["ada"])
    first = shop.products[0]
    page = lin.go(REVIEW)
    # lin's lease runs out while she looks; ada takes the product and is quicker
    QueueItem.objects.filter(product=first).update(lease_owner=None, lease_until=None)
    other = ada.go(f"{REVIEW}?product={first.pk}")
    ada.keys("x", "Enter")
    wait_saved(other)
    lin.keys("Enter")
    panel = page.locator("#conflicts .conflict")
    panel.wait_for()
    assert "ada decided" in panel.inner_text()
    theirs, mine = panel.locator("ul").all_inner_texts()
    assert "✕ Black" in theirs
    assert "✓ Black" in mine
    assert shop.standing(first)["black"] == "rejected", "nothing is overwritten before she says so"
    lin.keys("y")
    wait_saved(page)
    assert shop.standing(first)["black"] == "approved"
    assert panel.count() == 0
    assert all("409" in c for c in lin.complaints), lin.complaints


@pytest.mark.long
def test_taking_theirs_drops_mine(shop: Shop, reader: Any) -> None:
    lin, ada = reader(shop.people["lin"]), reader(shop.people["ada"])
    first = shop.products[0]
    page = lin.go(REVIEW)
    QueueItem.objects.filter(product=first).update(lease_owner=None, lease_until=None)
    other = ada.go(f"{REVIEW}?product={first.pk}")
    ada.keys("x", "Enter")
    wait_saved(other)
    lin.keys("Enter")
    page.locator("#conflicts .conflict").wait_for()
    lin.keys("t")
    wait_saved(page)
    assert shop.standing(first)["black"] == "rejected"
    assert not Decision.objects.filter(reviewer=shop.people["lin"]).exists()


@pytest.mark.long
def test_a_failing_server_loses_nothing(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    wait_ahead(page)
    tried: list[str] = []
    page.route(SAVE, lambda route: (tried.append(route.request.url), route.fulfill(status=500, body="broken")))
    lin.keys("Enter", "Enter")
    badge = page.locator("#unsaved-count")
    badge.wait_for()
    assert badge.inner_text() == "2 unsaved"
    assert title(page) == shop.products[2].title, "work goes on meanwhile"
    assert not Decision.objects.exists()
    # leaving is guarded, and even so nothing is lost
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]
    badge.wait_for()
    assert badge.inner_text() == "2 unsaved"
    badge.click()
    before = len(tried)
    page.get_by_role("button", name="Try again now").click()
    wait_for(page, lambda: len(tried) > before)
    page.unroute(SAVE)  # it tries again by itself as well
    wait_saved(page)
    assert badge.is_hidden()
    assert shop.standing(shop.products[0])["black"] == "approved"
    assert shop.standing(shop.products[1])["wool"] == "approved"
    assert all("500" in c for c in lin.complaints), lin.complaints


@pytest.mark.long
def test_an_answer_that_gets_lost_is_one_decision(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    lost: list[str] = []

    def lose(route: Any) -> None:
        route.fetch()  # the server hears it, the browser never learns
        lost.append(route.request.post_data)
        route.abort() if len(lost) == 1 else route.continue_()

    page.route(SAVE, lose)
    lin.keys("Enter")
    wait_for(page, lambda: len(lost) == 2)
    wait_saved(page)
    assert len(lost) == 2
    assert lost[0] == lost[1]
    first = shop.products[0]
    assert Decision.objects.filter(product=first, verdict="complete").count() == len(shop.facets)
    assert QueueItem.objects.get(product=first).version == 1


@pytest.mark.long
def test_offline_survives_and_catches_up_in_order(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    wait_ahead(page)
    lin.context.set_offline(True)
    lin.keys("Enter", "Enter", "Enter")
    until(page, "!document.getElementById('unsaved-count').hidden")
    kept = json.loads(page.evaluate(f"localStorage.getItem('tagstudio:autumn:{shop.people['lin'].pk}')"))
    assert [e["about"] for e in kept] == [p.pk for p in shop.products[:3]]
    lin.context.set_offline(False)
    wait_saved(page)
    done = QueueItem.objects.filter(status="done").order_by("product")  # sent in order, up to four under way at once
    assert list(done.values_list("product", flat=True)) == [p.pk for p in shop.products[:3]]


@pytest.mark.long
def test_to_the_end_of_the_queue(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    for product in shop.products:
        wait_title(page, product.title)
        lin.keys("Enter")
    page.get_by_role("heading", name="All done").wait_for()
    wait_saved(page)
    assert QueueItem.objects.filter(status="done").count() == Product.objects.count()
    assert lin.complaints == []


@pytest.mark.long
def test_an_empty_card_is_asked_about_once(shop: Shop, reader: Any) -> None:
    first = shop.products[0]
    first.suggestions.all().delete()
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    lin.keys("Enter")
    assert "No tag is chosen" in page.locator("#notice").inner_text()
    assert title(page) == first.title
    lin.keys("Enter")
    wait_saved(page)
    assert title(page) == shop.products[1].title
    assert first.completions.count() == len(shop.facets)


@pytest.mark.long
def test_without_script_it_is_a_form(shop: Shop, reader: Any) -> None:
    lin: Reader = reader(shop.people["lin"], java_script_enabled=False)
    page = lin.go(REVIEW)
    first, second = shop.products[:2]
    page.locator(f"label[for=t{shop.tags['grey'].pk}]").click()
    page.locator(f"label[for=t{shop.tags['black'].pk}]").click()
    page.locator("select[name=add]").nth(2).select_option(label="Wool")
    page.get_by_role("button", name="Save and next").click()
    assert page.locator("h1.title").inner_text() == second.title
    assert shop.standing(first)["grey"] == "approved"
    assert shop.standing(first)["black"] == "rejected"
    assert shop.standing(first)["wool"] == "approved"
    page.get_by_role("button", name="Undo").click()
    assert page.locator("h1.title").inner_text() == first.title
    assert shop.standing(first) == {}


@pytest.mark.long
def test_a_value_that_an_open_facet_takes_is_a_checked_chip(shop: Shop, reader: Any) -> None:
    shop.catalogue.facets.filter(slug="colour").update(kind="open")
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    lin.keys("+")
    page.keyboard.type("petrol")
    assert "“petrol” as a value of" in page.locator("#add-list [aria-selected=true]").inner_text()
    lin.keys("Enter")
    page.locator(".facet.at .pick .added", has_text="petrol").wait_for()
    assert focused(page) == "petrol"
    petrol = shop.catalogue.facets.get(slug="colour").tags.get(slug="petrol")
    assert page.locator(f"#t{petrol.pk}").is_checked()
    lin.keys("Enter")
    wait_saved(page)
    assert shop.standing(shop.products[0])["petrol"] == "approved"
    assert lin.complaints == []
