"""How many keys a decision costs, counted by a scripted reviewer in Chromium.

pytest -s benchmarks/review_keys.py     (after make setup; needs Chromium)

Confirming a product with six right tags; one wrong tag replaced by another, in facets of 12 to 500 tags, where the
wrong one is the one the model doubts and the right one is anywhere in the facet (its rank among the model's
suggestions is random, most are not suggested at all), and where it is one that the model is sure of, so that the focus is
elsewhere. Every press counts once, from the card as it comes to the save: what opens, what chooses, what saves, and a
letter with Shift as one. The grid at 4 % errors at random places, the reviewer going to
each by arrows, the nearest first. Asserts the limits on every product and prints all.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from annotations.models import Product, QueueItem, Suggestion, Tag
from tests.browser.conftest import Shop, browser, reader, shop  # noqa: F401
from tests.browser.test_grid import fill
from tests.browser.test_review import until, wait_saved
from tests.conftest import real_transactions_leave_nothing  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SYLLABLES = [
    "ba",
    "co",
    "di",
    "fe",
    "gu",
    "ha",
    "ji",
    "ko",
    "la",
    "mi",
    "no",
    "pe",
    "qua",
    "ro",
    "si",
    "ta",
    "ve",
    "wi",
    "yo",
    "za",
]


def product(shop: Shop, n: int, claims: dict[Tag, tuple[float, str]]) -> Product:  # noqa: F811
    made = Product.objects.create(catalogue=shop.catalogue, external_id=f"K-{n}", title=f"Thing {n}")
    QueueItem.objects.create(product=made, catalogue=shop.catalogue, status="queued", priority=50.0 - n)
    for tag, (score, band) in claims.items():
        Suggestion.objects.create(product=made, tag=tag, score=score, band=band)
    return made


def six(shop: Shop) -> dict[Tag, tuple[float, str]]:  # noqa: F811
    return {shop.tags[t]: (0.95, "strong") for t in ("black", "health", "sleep", "cotton", "sport", "leisure")}


def test_six_right_tags(shop: Shop, reader: Any) -> None:  # noqa: F811
    made = [product(shop, n, six(shop)) for n in range(5)]
    lin = reader(shop.people["lin"])
    page = lin.go("/c/autumn/review/?queue=uncertain")
    for one in made:
        until(page, "t => document.querySelector('form.stage')?.dataset.title === t", one.title)
        lin.keys("Enter")
    wait_saved(page)
    assert all(len([s for s in shop.standing(one).values() if s == "approved"]) == 6 for one in made)
    print("\nsix right tags: 1 key a product")


def invent(shop: Shop, size: int) -> list[Tag]:  # noqa: F811
    """Tags for a facet, of three syllables each, so that 25 of 500 begin with the same two letters."""
    rng = random.Random(size)
    names: dict[str, None] = {}
    while len(names) < size:
        names.setdefault("".join(rng.choices(SYLLABLES, k=3)).capitalize())
    tags = [
        Tag.objects.create(facet=shop.facets["material"], slug=n.lower(), labels={"en": n}, position=9 + k)
        for k, n in enumerate(sorted(names))
    ]
    shop.catalogue.taxonomy_revision = size  # what is kept of the taxonomy is kept by its revision
    shop.catalogue.save()
    return tags


def walk(page: Any, wrong: str) -> list[str]:
    """The fewest of j, k, J and K from the focused tag to the wrong one."""
    at, to, starts = page.evaluate(
        """wrong => {
            const chips = [...document.querySelectorAll('.pick > input[type=checkbox]')];
            const starts = [...document.querySelectorAll('[data-facet]')].map(f => chips.indexOf(f.querySelector('.pick > input[type=checkbox]')));
            return [chips.findIndex(c => c.classList.contains('at-chip')), chips.findIndex(c => c.dataset.label === wrong), starts];
        }""",
        wrong,
    )
    step = lambda a, b: ["j" if b > a else "k"] * abs(b - a)  # noqa: E731
    here = max(n for n, start in enumerate(starts) if start <= at)
    by_facet = [
        (["J"] * (n - here) if n > here else ["K"] * (here - n)) + step(start, to) for n, start in enumerate(starts)
    ]
    return min([step(at, to), *by_facet], key=len)


def open_for(lin: Any, page: Any, wrong: str) -> None:
    """One key: ``c`` where the focus is on the wrong tag, else its number among the checked ones."""
    if page.locator(".at-chip").get_attribute("data-label") == wrong:
        lin.keys("c")
        return
    checked = page.locator(".pick > input:checked").evaluate_all("all => all.map(chip => chip.dataset.label)")
    lin.keys(f"Shift+Digit{checked.index(wrong) + 1}")


def type_it(lin: Any, page: Any, right: str) -> int:
    """As a reviewer does who knows the name and looks at the list: its top, its letters, or on with the name. Returns
    the keys, the one that opened the list and the one that saves included."""
    keys = 1
    page.locator("#add-list [role=option]").first.wait_for()
    for letter in right.lower():
        if page.locator("#add-0 .l").inner_text() == right:
            break
        lin.keys(letter)
        keys += 1
        shown = page.locator("#add-list [role=option]").filter(has=page.get_by_text(right, exact=True))
        own = shown.locator(".letters").inner_text() if keys == 2 and shown.count() else ""
        if own.startswith(letter) and len(own) == 2 and page.locator("#add-0 .l").inner_text() != right:
            lin.keys(f"Shift+{own[1].upper()}" if own[1].isalpha() else f"Shift+Digit{own[1]}")
            return keys + 1
    lin.keys("Shift+Enter")
    return keys + 1


@pytest.mark.parametrize("band", ["likely", "strong"])
@pytest.mark.parametrize("size", [12, 48, 200, 500])
def test_one_wrong_tag_replaced(shop: Shop, reader: Any, size: int, band: str) -> None:  # noqa: F811
    """``likely``: the model doubts the wrong one, and the focus is there. ``strong``: it does not."""
    tags, rng = invent(shop, size), random.Random(size)
    jobs = []
    for n in range(12):
        wrong, right, *near = rng.sample(tags, 6)
        claims = six(shop) | {wrong: (0.6 if band == "likely" else 0.96, band)}
        claims |= {tag: (0.3 - k / 50, "unsure") for k, tag in enumerate(near)}
        if n % 2:  # the model thinks of it, as one of five
            claims[right] = (0.25, "unsure")
        jobs.append((product(shop, n, claims), wrong, right))
    lin = reader(shop.people["lin"])
    page = lin.go("/c/autumn/review/?queue=uncertain")
    page.wait_for_timeout(500)
    ways, counts = [], []
    for one, wrong, right in jobs:
        until(page, "t => document.querySelector('form.stage')?.dataset.title === t", one.title)
        ways.append(len(walk(page, wrong.label)))
        open_for(lin, page, wrong.label)
        counts.append(type_it(lin, page, right.label))
        until(page, "t => document.querySelector('form.stage')?.dataset.title !== t", one.title)
        wait_saved(page)
        assert shop.standing(one)[right.slug] == "approved"
        assert shop.standing(one)[wrong.slug] == "rejected"
    print(f"\none wrong ({band}) of {size} tags: keys {sorted(counts)}; by j and k it would be {sorted(ways)} more")
    assert max(counts) <= 3
    assert band == "strong" or not any(ways)


@pytest.mark.parametrize("size", [24, 48])
def test_the_grid_at_four_percent_errors(shop: Shop, reader: Any, size: int) -> None:  # noqa: F811
    rng = random.Random(size)
    made = fill(shop, 4 * size)
    lin = reader(shop.people["lin"], viewport={"width": 1280, "height": 860})
    page = lin.go(f"/c/autumn/grid/?facet=material&tag=cotton&size={size}")
    wrong = {p.title for p in rng.sample(made, round(0.04 * len(made)))}
    keys = decided = 0
    while decided < len(made):
        until(page, "document.querySelectorAll('.tile').length > 0")
        page.wait_for_timeout(250)
        titles = page.locator(".tile").evaluate_all("all => all.map(t => t.dataset.title)")
        columns = page.evaluate(
            "(() => { const all = [...document.querySelectorAll('.tile')]; return all.filter(t => t.offsetTop === all[0].offsetTop).length; })()"
        )
        at, odd = 0, [n for n, title in enumerate(titles) if title in wrong]
        while odd:
            n = min(odd, key=lambda n: len(path(at, n, columns, len(titles))))
            for key in path(at, n, columns, len(titles)):
                lin.keys(key)
                keys += 1
            lin.keys("x")
            keys += 1
            odd.remove(n)
            at = n
        while not page.locator("#seen").inner_text().startswith(f"{len(titles)} of"):
            lin.keys("PageDown")
            keys += 1
            page.wait_for_timeout(300)
        lin.keys("Enter")
        keys += 1
        decided += len(titles)
    wait_saved(page)
    assert sum(shop.standing(p).get("cotton") == "rejected" for p in made) == len(wrong)
    print(f"\ngrid of {size}, {len(wrong)} wrong of {len(made)}: {keys} keys, {keys / len(made):.3f} a decision")
    assert keys / len(made) <= 0.3


def path(at: int, to: int, columns: int, count: int) -> list[str]:
    """The shortest way by arrows; over an edge one comes in at the other side."""
    rows = -(-count // columns)
    dx, dy = to % columns - at % columns, to // columns - at // columns
    across = ["ArrowRight" if dx > 0 else "ArrowLeft"] * abs(dx)
    down = ["ArrowDown" if dy > 0 else "ArrowUp"] * abs(dy)
    if count == rows * columns and abs(dy) > rows / 2:
        down = ["ArrowUp" if dy > 0 else "ArrowDown"] * (rows - abs(dy))
    return [*down, *across]
