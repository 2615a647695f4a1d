"""The review screen's other verbs in a real browser: reasons, chosen words, families, comments, keys, fingers."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.models import ChosenEvidence, Comment, Decision, Product, QueueItem, Tag, TagRequest, User
from tests.browser.conftest import Shop
from tests.browser.test_review import REVIEW, focused, title, until, wait_saved, wait_title

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.long
def test_a_number_after_x_is_the_reason_and_a_tag_again_later(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    first = shop.products[0]
    lin.keys("x", "5")
    assert page.locator(f"label[for=t{shop.tags['black'].pk}]").inner_text().endswith("ambiguous")
    assert page.locator("[name=why]").input_value() == f"{shop.tags['black'].pk}:ambiguous"
    assert focused(page) == "Grey"
    lin.keys("k", "x")
    page.wait_for_timeout(1700)
    lin.keys("3")
    assert focused(page) == "Red", "after a moment a number is a tag's again"
    lin.keys("Enter")
    wait_saved(page)
    assert Decision.objects.get(product=first, tag__slug="black").reason == "ambiguous"
    assert QueueItem.objects.get(product=first).status == "second_opinion"
    wait_title(page, shop.products[1].title)
    lin.keys("x", "4")
    page.locator("#add").wait_for()
    assert "Which value of Material is missing?" in page.locator("#add-title").inner_text()
    page.keyboard.type("cashmere")
    lin.keys("Enter")
    page.locator("#notice .note").wait_for()
    assert TagRequest.objects.get().text == "cashmere"
    assert lin.complaints == []


@pytest.mark.long
def test_selected_words_become_the_evidence(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    page.evaluate("""() => {
        const text = document.querySelector("[data-field=title]");
        const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const at = walker.currentNode.data.indexOf("多种表带");
            if (at >= 0) getSelection().setBaseAndExtent(walker.currentNode, at, walker.currentNode, at + 4);
        }
    }""")
    lin.keys("w")
    assert page.locator("mark.lit").all_inner_texts() == ["多种表带"]
    lin.keys("Enter")
    wait_saved(page)
    first = shop.products[0]
    start = first.title.index("多种表带")
    assert ChosenEvidence.objects.get().spans == [{"field": "title", "start": start, "end": start + 4}]
    lin.keys("u")
    wait_title(page, first.title)
    assert page.locator("mark.lit").count() == 0


@pytest.mark.long
def test_the_family_by_one_key(shop: Shop, reader: Any) -> None:
    Product.objects.filter(pk__in=[p.pk for p in shop.products[1:4]]).update(family="coat")
    shop.facets["colour"].variant_axis = True
    shop.facets["colour"].save()
    lin = reader(shop.people["lin"])
    coat, shoe, tee = shop.products[1:4]
    page = lin.go(f"{REVIEW}?product={coat.pk}")
    lin.keys("v")
    page.locator("#family .kinlist").wait_for()
    assert page.locator("#family [name=variant]:checked").count() == 2
    lin.keys("Enter")
    until(page, "document.getElementById('notice').textContent.includes('applied to 2 variants')")
    wait_saved(page)
    assert shop.standing(tee) == {
        "wool": "approved",
        "leather": "approved",
        "business": "approved",
        "leisure": "rejected",
    }
    assert shop.standing(shoe)["wool"] == "approved"
    assert shop.standing(coat)["black"] == "approved"
    assert title(page) not in (shoe.title, tee.title), "what was reached is not asked for again"
    lin.keys("u")
    wait_title(page, coat.title)
    assert [shop.standing(p) for p in (coat, shoe, tee)] == [{}, {}, {}]
    assert lin.complaints == []


@pytest.mark.long
def test_what_was_applied_is_still_told_where_the_next_card_comes_later(shop: Shop, reader: Any) -> None:
    Product.objects.filter(pk__in=[p.pk for p in shop.products[1:4]]).update(family="coat")
    lin = reader(shop.people["lin"])
    held: list[Any] = []
    slow = [True]
    lin.page.route("**/review/next/*", lambda route: held.append(route) if slow else route.continue_())
    page = lin.go(f"{REVIEW}?product={shop.products[1].pk}")
    lin.keys("v")
    page.locator("#family .kinlist").wait_for()
    lin.keys("Enter")
    told = page.locator("#notice", has_text="applied to 2 variants")
    told.wait_for()
    assert page.locator("form.stage").count() == 0, "the next card is still on its way"
    slow.clear()
    for route in held:
        route.continue_()
    page.locator("form.stage").wait_for()
    assert told.is_visible()
    lin.keys("Enter")
    told.wait_for(state="detached")


@pytest.mark.long
def test_a_comment_is_there_at_once_and_names_somebody(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    lin.keys("m")
    page.locator("#comment .people button", has_text="@ada").click()
    page.keyboard.type("is this black?")
    page.keyboard.press("Control+Enter")
    assert "@ada is this black?" in page.locator(".talk").inner_text()
    wait_saved(page)
    assert Comment.objects.get().text == "@ada is this black?"
    ada = reader(shop.people["ada"])
    home = ada.go("/")
    home.get_by_role("button", name="Open").click()
    assert "lin is looking at this product" in home.locator("#messages").inner_text()
    lin.keys("s")
    wait_saved(page)
    home.get_by_role("button", name="Open").click()
    assert title(home) == shop.products[0].title
    assert "@ada is this black?" in home.locator(".talk").inner_text()


@pytest.mark.long
def test_ones_own_keys_press_the_buttons_and_the_help_shows_them(shop: Shop, reader: Any) -> None:
    User.objects.filter(username="lin").update(keys={"x": "q", "n": "x", "U": "r"})
    lin = reader(shop.people["lin"])
    page = lin.go(REVIEW)
    lin.keys("q")
    assert focused(page) == "Grey"
    assert not page.locator(f"#t{shop.tags['black'].pk}").is_checked()
    lin.keys("x")
    wait_title(page, shop.products[1].title)
    lin.keys("?")
    shown = dict(
        zip(
            page.locator("#help-list dd").all_inner_texts(),
            page.locator("#help-list dt").all_inner_texts(),
            strict=True,
        )
    )
    assert shown["Reject the tag, go to the next"] == "q"
    assert shown["Redo"] == "r"


@pytest.mark.long
def test_one_wrong_tag_is_replaced_with_three_keys(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(f"{REVIEW}?product={shop.products[1].pk}")
    assert focused(page) == "Leather"
    lin.keys("c", "s", "Shift+Enter")
    until(page, "t => document.querySelector('form.stage')?.dataset.title !== t", shop.products[1].title)
    wait_saved(page)
    assert shop.standing(shop.products[1])["steel"] == "approved"
    assert shop.standing(shop.products[1])["leather"] == "rejected"
    assert title(page) != shop.products[1].title


def many_materials(shop: Shop, count: int) -> list[Tag]:
    """Names that all begin with the same four letters."""
    named = [f"Poly {a}{b}" for a in ("amide", "ester", "ethylene") for b in range(count // 3)]
    shop.catalogue.taxonomy_revision = 70 + count
    shop.catalogue.save()
    return [
        Tag.objects.create(facet=shop.facets["material"], slug=n.replace(" ", "-"), labels={"en": n}, position=9 + k)
        for k, n in enumerate(named)
    ]


def letters_of(page: Any, label: str) -> str:
    row = page.locator("#add-list [role=option]").filter(has=page.get_by_text(label, exact=True))
    row.wait_for()
    return str(row.locator(".letters").inner_text())


@pytest.mark.long
@pytest.mark.parametrize("count", [30, 180])
def test_three_keys_replace_a_tag_however_many_begin_alike(shop: Shop, reader: Any, count: int) -> None:
    tags = many_materials(shop, count)
    lin = reader(shop.people["lin"])
    page = lin.go(f"{REVIEW}?product={shop.products[1].pk}")
    assert focused(page) == "Leather"
    right = tags[-1]
    lin.keys("c")
    if count > 36:  # more than a second key tells apart: some letters begin otherwise, seen once and known from then on
        page.keyboard.type(right.label)
        own = letters_of(page, right.label)
        assert own[0] != "p"
        lin.keys("Escape", "c", own[0])
    else:
        lin.keys("p")
        own = letters_of(page, right.label)
        assert own[0] == "p"
    lin.keys(f"Shift+{own[1].upper()}" if own[1].isalpha() else f"Shift+Digit{own[1]}")
    wait_title(page, shop.products[0].title)
    wait_saved(page)
    assert shop.standing(shop.products[1])[right.slug] == "approved"
    assert shop.standing(shop.products[1])["leather"] == "rejected"
    assert lin.complaints == []


@pytest.mark.long
def test_shift_numbers_the_checked_tags_and_corrects_any_of_them(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(f"{REVIEW}?product={shop.products[1].pk}")
    assert page.locator(".nth").count() == 0
    page.keyboard.down("Shift")
    shown = page.locator(".pick", has=page.locator(".nth")).locator(".l").all_inner_texts()
    assert shown == ["Black", "Wool", "Leather", "Business"], "the checked ones, in the order of the card"
    page.keyboard.up("Shift")
    assert page.locator(".nth").count() == 0
    lin.keys("Shift+Digit2")
    assert page.locator("#add-title").inner_text() == "Instead of “Wool”"
    lin.keys("c", f"Shift+{letters_of(page, 'Cotton')[1].upper()}")
    wait_title(page, shop.products[0].title)
    wait_saved(page)
    stands = shop.standing(shop.products[1])
    assert (stands["wool"], stands["cotton"], stands["leather"]) == ("rejected", "approved", "approved")


@pytest.mark.long
def test_letters_are_letters_for_who_switched_single_keys_off(shop: Shop, reader: Any) -> None:
    User.objects.filter(username="lin").update(shortcuts_enabled=False)
    lin = reader(shop.people["lin"])
    page = lin.go(f"{REVIEW}?product={shop.products[1].pk}")
    page.get_by_role("button", name="Correct").click()
    page.locator("#add-list [role=option]").first.wait_for()
    assert page.locator(".letters").count() == 0
    lin.keys("c", "Shift+O")
    assert page.locator("#add-text").input_value() == "cO"


def test_a_capital_at_the_beginning_is_how_names_are_written(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"])
    page = lin.go(f"{REVIEW}?product={shop.products[1].pk}")
    lin.keys("c", "Shift+C", "Shift+O")
    assert page.locator("#add-text").input_value() == "CO"
    assert page.locator("#add-0 .l").inner_text() == "Cotton"


@pytest.mark.long
def test_a_finger_across_a_chip(shop: Shop, reader: Any) -> None:
    lin = reader(shop.people["lin"], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = lin.go(REVIEW)
    label = page.locator(f"label[for=t{shop.tags['grey'].pk}]")
    label.scroll_into_view_if_needed()
    box = label.bounding_box()
    touch = lin.context.new_cdp_session(page)
    x, y = box["x"] + 20, box["y"] + box["height"] / 2
    for name, by in (("touchStart", 0), *(("touchMove", 14 * n) for n in range(1, 8)), ("touchEnd", None)):
        touch.send(
            "Input.dispatchTouchEvent", {"type": name, "touchPoints": [] if by is None else [{"x": x + by, "y": y}]}
        )
    until(page, "id => document.getElementById(id).checked", f"t{shop.tags['grey'].pk}")
    assert not page.locator(f"#t{shop.tags['black'].pk}").is_checked(), "a colour is one value"


@pytest.mark.long
def test_without_script_every_verb_is_a_form(shop: Shop, reader: Any) -> None:
    Product.objects.filter(pk__in=[p.pk for p in shop.products[:2]]).update(family="coat")
    lin = reader(shop.people["lin"], java_script_enabled=False)
    page = lin.go(REVIEW)
    page.locator("textarea[name=comment]").fill("look here @ada")
    page.get_by_role("button", name="Comment").click()
    assert "look here @ada" in page.locator(".talk").inner_text()
    page.get_by_role("button", name="Apply to 1 other variant").click()
    page.get_by_role("button", name="Save and apply").click()
    assert "Saved, and applied to 1 variant." in page.locator("#messages").inner_text()
    page.get_by_role("button", name="Undo").click()
    assert shop.standing(shop.products[1]) == {}
    page.locator("select[name=why_tag]").select_option(label="Material: Stainless steel")
    page.locator("select[name=why_reason]").select_option(label="not visible")
    page.get_by_role("button", name="Save and next").click()
    assert Decision.objects.filter(product=shop.products[0], tag__slug="steel").latest("seq").reason == "not_visible"
