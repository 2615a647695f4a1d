"""The grid in a real browser: many products at once, only what was on screen is saved, one undo takes it back."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.models import Band, Decision, FacetCompletion, Product, QueueItem, Suggestion
from tests.browser.conftest import Shop, spans_of
from tests.browser.test_review import until, wait_saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
GRID = "/c/autumn/grid/?facet=material&tag=cotton"


def fill(shop: Shop, count: int, tag: str = "cotton") -> list[Product]:
    """Products for which the tag is suggested, the surest first."""
    made = []
    for n in range(count):
        words = f"Shirt {n} in soft {tag}" if n % 5 else f"Shirt {n}"
        product = Product.objects.create(
            catalogue=shop.catalogue,
            external_id=f"G-{n:03}",
            title=words,
            description=f"Made of {tag} by hand." if n % 10 else "",
        )
        QueueItem.objects.create(product=product, catalogue=shop.catalogue, status="queued", priority=-100.0 - n)
        Suggestion.objects.create(
            product=product,
            tag=shop.tags[tag],
            score=0.99 - n / 1000,
            band=Band.STRONG,
            spans=spans_of(product, (tag,)),
        )
        made.append(product)
    Suggestion.objects.filter(product__in=shop.products).delete()
    return made


def state(shop: Shop) -> Any:
    stands = sorted((p.pk, *sorted(shop.standing(p).items())) for p in Product.objects.all())
    return (
        stands,
        sorted(FacetCompletion.objects.values_list("product", "facet")),
        sorted(QueueItem.objects.values_list("product", "status")),
    )


def seen(page: Any) -> str:
    return page.locator("#seen").inner_text()


@pytest.mark.long
def test_the_odd_ones_out(shop: Shop, reader: Any) -> None:
    made = fill(shop, 60)
    before = state(shop)
    lin = reader(shop.people["lin"], viewport={"width": 1280, "height": 1500})
    page = lin.go(GRID + "&size=24")
    until(page, "document.querySelectorAll('.tile').length === 24")
    until(page, "document.getElementById('seen').textContent.startsWith('24 of 24')")
    assert page.locator(".tile.at").get_attribute("data-title") == made[0].title
    lin.keys("ArrowRight", "x", "ArrowDown", "Space", "ArrowRight", "c")
    page.keyboard.type("wool")
    lin.keys("Enter")
    # the server is asked what "wool" may mean
    until(page, "document.getElementById('save-word').innerText === 'Accept 21, reject 2'")
    lin.keys("Enter")
    wait_saved(page)
    until(page, "document.getElementById('notice').textContent.includes('21 accepted, 2 rejected. Undo')")
    said = {p.pk: shop.standing(p) for p in made}
    columns = 6
    odd, out, wrong = 1, 1 + columns, 2 + columns
    for n, product in enumerate(made):
        if n >= 24 or n == out:
            assert said[product.pk] == {}, "not on screen, or left out"
        elif n == odd:
            assert said[product.pk] == {"cotton": "rejected"}
        elif n == wrong:
            assert said[product.pk] == {"cotton": "rejected", "wool": "approved"}
        else:
            assert said[product.pk] == {"cotton": "approved"}
    assert set(Decision.objects.values_list("input", flat=True)) == {"grid"}
    assert page.locator(".tile").count() == 24, "the next ones are there"
    lin.keys("u")
    until(page, "t => document.querySelector('.tile.at')?.dataset.title === t", made[0].title)
    assert state(shop) == before
    assert lin.complaints == []


def test_only_what_was_on_screen_is_saved(shop: Shop, reader: Any) -> None:
    made = fill(shop, 48)
    lin = reader(shop.people["lin"], viewport={"width": 1280, "height": 700})
    page = lin.go(GRID + "&size=48")
    until(page, "document.querySelectorAll('.tile').length === 48")
    until(page, "/^[1-9]/.test(document.getElementById('seen').textContent)")
    page.wait_for_timeout(200)
    shown = int(seen(page).split()[0])
    assert 8 < shown < 48
    lin.keys("Enter")
    wait_saved(page)
    assert [bool(shop.standing(p)) for p in made] == [n < shown for n in range(48)]
    until(page, "n => document.querySelectorAll('.tile').length === n", 48 - shown)


def test_what_somebody_else_decided_meanwhile_is_held_back(shop: Shop, reader: Any) -> None:
    made = fill(shop, 5)
    lin = reader(shop.people["lin"])
    page = lin.go(GRID)
    until(page, "document.getElementById('seen').textContent.startsWith('5 of 5')")
    QueueItem.objects.filter(product=made[2]).update(version=1)
    lin.keys("Enter")
    until(page, "document.getElementById('notice').textContent.includes('4 accepted, 0 rejected, 1 held back. Undo')")
    assert made[2].title in page.locator("#notice li").inner_text()
    assert shop.standing(made[2]) == {}
    page.get_by_role("heading", name="Nothing more is suggested here").wait_for()


def test_a_facet_without_a_value_asks_about_all_of_it(shop: Shop, reader: Any) -> None:
    made = fill(shop, 3)
    Suggestion.objects.create(product=made[0], tag=shop.tags["wool"], score=0.9, band=Band.LIKELY)
    lin = reader(shop.people["lin"])
    page = lin.go("/c/autumn/grid/?facet=material")
    until(page, "document.getElementById('seen').textContent.startsWith('3 of 3')")
    lin.keys("Enter")
    wait_saved(page)
    assert shop.standing(made[0]) == {"cotton": "approved", "wool": "approved"}
    assert FacetCompletion.objects.filter(facet=shop.facets["material"]).count() == 3


@pytest.mark.long
def test_a_finger_to_the_left_rejects(shop: Shop, reader: Any) -> None:
    made = fill(shop, 4)
    lin = reader(shop.people["lin"], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = lin.go(GRID)
    until(page, "document.getElementById('seen').textContent.startsWith('4 of 4')")
    box = page.locator(".tile").nth(1).bounding_box()
    touch = lin.context.new_cdp_session(page)
    x, y = box["x"] + 150, box["y"] + 60
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 8):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x - 16 * step, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(page, "document.querySelectorAll('.tile [value=reject]:checked').length === 1")
    page.wait_for_timeout(150)  # a tap right after the swipe would be taken for its end
    page.get_by_role("button", name="Accept 3, reject 1").click()
    wait_saved(page)
    assert shop.standing(made[1]) == {"cotton": "rejected"}


@pytest.mark.long
def test_without_script_the_grid_is_a_form(shop: Shop, reader: Any) -> None:
    made = fill(shop, 6)
    lin = reader(shop.people["lin"], java_script_enabled=False)
    page = lin.go("/c/autumn/grid/")
    page.get_by_role("link", name="Cotton 6").click()
    page.locator(".tile").nth(2).locator("label[title=reject]").click()
    page.get_by_role("button", name="Save").click()
    assert "5 accepted, 1 rejected" in page.locator("#messages").inner_text()
    assert [shop.standing(p)["cotton"] for p in made] == ["approved"] * 2 + ["rejected"] + ["approved"] * 3
    page.get_by_role("button", name="Undo").click()
    assert not shop.standing(made[0])
