"""Every page of a catalogue in a real browser: nothing complains, nothing overflows, everything can be read."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import URLPattern, reverse

from annotations import urls
from annotations.models import Job, TrainingRun
from tests.browser.conftest import Shop

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.anywhere]

# text that stands out too little from what is behind it: WCAG 2.2 AA, 4.5 to 1, large text 3 to 1
FAINT = """() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return c.startsWith("color(srgb") ? [m[0]*255, m[1]*255, m[2]*255, m[3] ?? 1] : [m[0], m[1], m[2], m[3] ?? 1]; };
  const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const behind = (el) => {
    const layers = [];
    for (let at = el; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const colour = parse(style.backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const found = [];
  for (const el of document.querySelectorAll("body *")) {
    const own = [...el.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !el.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || el.closest(".sr, :disabled, svg, .skip, noscript, option")) continue;
    const under = behind(el);
    if (!under) continue;
    const style = getComputedStyle(el);
    const [a, b] = [light(over(parse(style.color), under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${el.tagName}.${el.className}: “${el.textContent.trim().slice(0, 30)}” ${ratio.toFixed(2)}`);
  }
  return found;
}"""

# what is pressed and is smaller than 24 by 24 (WCAG 2.2 AA); links inside running text are let off, as there
SMALL = """() => [...document.querySelectorAll("button, summary, select, input:not([type=hidden]), a.btn, nav a, [role=button]")]
  .filter((el) => el.checkVisibility({ visibilityProperty: true }) && !el.closest(".sr") && !el.classList.contains("sr"))
  .map((el) => [el, el.getBoundingClientRect(), getComputedStyle(el, "::after")])
  .filter(([el, box, after]) => box.width && (box.width < 20 || box.height < 20 || (box.height < 24 && after.position !== "absolute" && !el.closest("label"))))
  .map(([el, box]) => `${el.tagName}.${el.className} ${el.textContent.trim().slice(0, 20)} ${box.width}×${box.height}`)"""


def addresses(shop: Shop) -> list[str]:
    """Every page that a plain GET can open: routes without arguments, and those of a catalogue alone."""
    found = []
    for route in urls.urlpatterns:
        assert isinstance(route, URLPattern)
        names = (
            set(route.pattern.regex.groupindex) if hasattr(route.pattern, "regex") else set(route.pattern.converters)
        )
        if names <= {"slug"} and route.name:
            found.append(reverse(route.name, kwargs=dict.fromkeys(names, shop.catalogue.slug)))
    return found


def pages(reader: Any, shop: Shop, **options: Any) -> Any:
    """A reader, and the addresses that show them a page."""
    ada = reader(shop.people["ada"], **options)
    shown = []
    for address in addresses(shop):
        answer = ada.context.request.get(ada.url + address, max_redirects=0)
        if answer.status == 200 and "text/html" in answer.headers.get("content-type", "") and "<html" in answer.text():
            shown.append(address)
    assert {"/", "/c/autumn/review/", "/c/autumn/training/"} <= set(shown)
    return ada, shown


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_complains_and_all_can_be_read(shop: Shop, reader: Any, scheme: str) -> None:
    ada, shown = pages(reader, shop, color_scheme=scheme)
    wrong: dict[str, Any] = {}
    for address in shown:
        page = ada.go(address)
        page.wait_for_timeout(150)
        if found := [*ada.complaints, *page.evaluate(FAINT), *page.evaluate(SMALL)]:
            wrong[address] = found
        ada.complaints.clear()
        assert page.locator("h1, h2").count(), f"{address} has no heading"
        assert page.title().count("·") >= 1, f"{address} says not what it is"
    assert not wrong


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_no_page_overflows_a_phone(shop: Shop, reader: Any, language: str) -> None:
    ada, shown = pages(reader, shop, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    ada.context.add_cookies([{"name": "django_language", "value": language, "url": ada.url}])
    wide = {}
    for address in shown:
        page = ada.go(address)
        page.wait_for_timeout(150)
        assert page.locator("html").get_attribute("lang") == language
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 390:
            wide[address] = width
    assert not wide


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_header_fits_any_window_and_says_where_one_is(shop: Shop, reader: Any, language: str) -> None:
    """The review page's is the fullest. Whatever does not fit would hide the way out: signing out is at its end."""
    ada = reader(shop.people["ada"], viewport={"width": 1440, "height": 800})
    ada.context.add_cookies([{"name": "django_language", "value": language, "url": ada.url}])
    page = ada.go("/c/autumn/review/")
    cut = {}
    for width in range(1440, 600, -60):
        page.set_viewport_size({"width": width, "height": 800})
        over = page.evaluate("document.documentElement.scrollWidth") - width
        hidden = page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.bar .here'))")
        if over > 0 or hidden > 0:
            cut[width] = (over, hidden)
    assert not cut


@pytest.mark.long
def test_a_watched_run_keeps_open_what_was_opened(shop: Shop, reader: Any) -> None:
    job = Job.objects.create(kind="train", queue="ml", catalogue=shop.catalogue, state="running", lease_until=None)
    curve = [{"stage": "tags", "step": n, "loss": 1 / n} for n in range(1, 4)]
    run = TrainingRun.objects.create(catalogue=shop.catalogue, job=job, number=1, curve=curve)
    ada = reader(shop.people["ada"])
    page = ada.go("/c/autumn/training/")
    page.get_by_text("As a table").click()
    rows = page.locator("#curve-table tbody tr")
    assert rows.count() == 3
    TrainingRun.objects.filter(pk=run.pk).update(curve=[*curve, {"stage": "tags", "step": 4, "loss": 0.2}])
    rows.nth(3).wait_for(state="visible")
    Job.objects.filter(pk=job.pk).update(state="failed", error="Not enough memory.")
    page.get_by_role("alert").filter(has_text="Not enough memory.").wait_for()
    assert ada.complaints == []


def test_the_readability_check_finds_what_is_faint(shop: Shop, reader: Any) -> None:
    """The control: a text made faint on purpose is reported, and so is an inline handler that the policy stops."""
    ada = reader(shop.people["ada"])
    page = ada.go("/")
    assert page.evaluate(FAINT) == []
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    assert len(page.evaluate(FAINT)) == 1
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    page.wait_for_timeout(100)
    assert any("Content Security Policy" in complaint for complaint in ada.complaints)
