"""axe-core over every page: no violation, in light and dark, with dialogs open, and at 320 px nothing is cut off.

axe comes with the development install (axe-playwright-python carries it); where it is absent the tests say so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotations.models import Comment, Mention, Picture, Product
from tests.browser.conftest import Shop
from tests.browser.test_grid import fill
from tests.browser.test_pages import pages

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.anywhere, pytest.mark.long]
RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.flatMap(
  (v) => v.nodes.map((n) => `${v.id} (${v.impact}): ${n.target.join(" ")} ${n.html.slice(0, 120)}`))"""


@pytest.fixture(scope="session")
def axe() -> str:
    package = pytest.importorskip("axe_playwright_python", reason="axe is not installed: make setup")
    return next(Path(package.__file__).parent.rglob("axe*.js")).read_text(encoding="utf-8")


def violations(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    found: list[str] = page.evaluate(RUN)
    return found


def with_everything(shop: Shop) -> None:
    """Comments, a mention, a family and a flag, so that pages have something to be wrong about."""
    first = shop.products[0]
    comment = Comment.objects.create(catalogue=shop.catalogue, product=first, user=shop.people["lin"], text="@ada look")
    Mention.objects.create(comment=comment, user=shop.people["ada"])
    Product.objects.filter(pk__in=[p.pk for p in shop.products[:3]]).update(family="one")
    first.queue_item.flagged = "wrong picture"
    first.queue_item.save()
    Picture.objects.create(sha256="a" * 64, file="none.png", width=10, height=10)
    Product.objects.filter(pk=first.pk).update(pictures=["a" * 64])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(shop: Shop, reader: Any, axe: str, scheme: str) -> None:
    with_everything(shop)
    ada, shown = pages(reader, shop, color_scheme=scheme)
    first = shop.products[0].pk
    more = [
        f"/c/autumn/review/?product={first}", f"/c/autumn/products/{first}/",
        "/c/autumn/grid/?facet=material&tag=cotton",
    ]  # fmt: skip
    wrong = {}
    for address in [*shown, *more]:
        page = ada.go(address)
        page.wait_for_timeout(150)
        if found := violations(page, axe):
            wrong[address] = found
    assert not wrong, "\n".join(f"{a}: {v}" for a, found in wrong.items() for v in found)


def test_axe_finds_nothing_while_something_is_asked(shop: Shop, reader: Any, axe: str) -> None:
    with_everything(shop)
    ada = reader(shop.people["ada"])
    page = ada.go(f"/c/autumn/review/?product={shop.products[0].pk}")
    wrong = {}
    for key in ("+", "f", "m", "v", "?", "x"):
        ada.keys(key)
        page.wait_for_timeout(300)
        if found := violations(page, axe):
            wrong[key] = found
        ada.keys("Escape")
    assert not wrong, "\n".join(f"{a}: {v}" for a, found in wrong.items() for v in found)


def test_axe_is_awake(shop: Shop, reader: Any, axe: str) -> None:
    """The control: a picture without words and a faint sentence are reported."""
    page = reader(shop.people["ada"]).go("/")
    page.evaluate("""() => {
        document.querySelector("main").append(Object.assign(new Image(), { src: "data:," }));
        document.querySelector("h1").style.color = "#eee";
    }""")
    assert {v.split()[0] for v in violations(page, axe)} >= {"image-alt", "color-contrast"}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_review_pages_fit_320_px(shop: Shop, reader: Any, language: str) -> None:
    """A phone of 320 px, and equally a window of 1280 px zoomed to 400 %."""
    fill(shop, 8)
    with_everything(shop)
    ada = reader(shop.people["ada"], viewport={"width": 320, "height": 640})
    ada.context.add_cookies([{"name": "django_language", "value": language, "url": ada.url}])
    for address in ("review/", "grid/", "grid/?facet=material&tag=cotton", "fix-list/", "../../keys/"):
        page = ada.go(f"/c/autumn/{address}")
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
    assert ada.complaints == []
