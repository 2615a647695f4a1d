"""The review screen's doors: as plain forms, for scripts, with the wrong method, person, moment."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotations.models import Band, Decision, Product, QueueItem, Suggestion, TagRequest
from tests.annotations.conftest import World

JSON = {"Accept": "application/json"}
ROUTES = ("review", "review_next", "review_card", "review_tags")
POSTS = ("review_save", "review_skip", "review_flag", "review_undo", "review_redo", "review_renew", "review_request")


@pytest.fixture
def suggested(world: World) -> World:
    """The first product: black comes checked, wool is shown unchecked."""
    first = world.products[0]
    for tag, score, band, start in (("black", 0.95, Band.STRONG, 0), ("wool", 0.4, Band.UNSURE, 6)):
        Suggestion.objects.create(
            product=first, tag=world.tags[tag], score=score, band=band,
            spans=[{"field": "title", "start": start, "end": start + (5 if tag == "black" else 4)}],
        )  # fmt: skip
    return world


def as_(world: World, name: str = "reviewer") -> Client:
    client = Client()
    client.force_login(world.people[name])
    return client


def url(name: str) -> str:
    return reverse(name, args=["shop"])


def form(
    world: World, product: Product, on: tuple[str, ...] = (), shown: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    return {
        "product": product.pk,
        "version": world.version(product),
        "card": str(uuid.uuid4()),
        "on": [world.tags[t].pk for t in on],
        "shown": [world.tags[t].pk for t in shown],
        "complete": [f.pk for f in world.facets.values()],
        **more,
    }


def test_the_page_shows_the_first_product_with_its_evidence(suggested: World) -> None:
    html = as_(suggested).get(url("review")).content.decode()
    black, wool = suggested.tags["black"].pk, suggested.tags["wool"].pk
    assert f'<mark class="m1" data-tags="{black}">Black</mark>' in html
    assert f'<mark class="faint" data-tags="{wool}">wool</mark>' in html
    assert f'id="t{black}"' in html
    assert "evidence “wool”" in html
    html = re.sub(r"T\d\d:\d\d:[\d.]+", "", html)  # fractions of a second are no scores
    assert "0.95" in html, "the score is in the tooltip"
    assert html.count("0.95") == 1, "and nowhere else"


def test_what_is_seen_is_saved(suggested: World) -> None:
    first = suggested.products[0]
    answer = as_(suggested).post(url("review_save"), form(suggested, first, ("black",), ("black", "wool")))
    assert answer.status_code == 302
    assert suggested.standing(first) == {"black": "approved", "wool": "rejected"}
    assert QueueItem.objects.get(product=first).status == "done"
    assert set(Decision.objects.values_list("verdict", flat=True)) == {"accept", "reject", "complete"}


def test_an_added_tag_is_an_addition(suggested: World) -> None:
    first = suggested.products[0]
    as_(suggested).post(
        url("review_save"), form(suggested, first, (), ("black", "wool"), add=[suggested.tags["cotton"].pk])
    )
    assert suggested.standing(first) == {"black": "rejected", "wool": "rejected", "cotton": "approved"}
    assert Decision.objects.get(tag__slug="cotton").verdict == "add"


def test_sent_twice_is_decided_once(suggested: World) -> None:
    page, body = as_(suggested), form(suggested, suggested.products[0], ("black",), ("black", "wool"))
    once, twice = (page.post(url("review_save"), body, headers=JSON).json() for _ in range(2))
    assert (once["seq"], once["version"]) == (twice["seq"], twice["version"])
    assert twice["replayed"] is True
    assert Decision.objects.count() == 4


def test_a_card_without_choices_sent_twice_is_saved_once(world: World) -> None:
    page, body = as_(world), form(world, world.products[0])
    for _ in range(2):
        assert page.post(url("review_save"), body, headers=JSON).status_code == 200
    assert Decision.objects.count() == len(world.facets)


def test_the_slower_of_two_sees_both_sides(suggested: World) -> None:
    first = suggested.products[0]
    mine = form(suggested, first, ("black",), ("black", "wool"))
    as_(suggested, "second").post(url("review_save"), form(suggested, first, ("wool",), ("black", "wool")))
    answer = as_(suggested).post(url("review_save"), mine, headers=JSON)
    assert answer.status_code == 409
    said = {d["tag"]: (d["verdict"], d["by"]) for d in answer.json()["decisions"] if d["tag"]}
    assert said == {"black": ("reject", "second"), "wool": ("accept", "second")}
    page = as_(suggested).post(url("review_save"), mine)
    assert page.status_code == 409
    html = page.content.decode()
    assert "Keep mine" in html
    assert "second" in html
    assert suggested.standing(first) == {"black": "rejected", "wool": "approved"}, "nothing was overwritten"
    again = {**mine, "card": str(uuid.uuid4()), "version": answer.json()["version"]}
    assert as_(suggested).post(url("review_save"), again, headers=JSON).status_code == 200
    assert suggested.standing(first) == {"black": "approved", "wool": "rejected"}


def test_undo_brings_the_product_back(suggested: World) -> None:
    first, page = suggested.products[0], as_(suggested)
    page.post(url("review_save"), form(suggested, first, ("black",), ("black",)))
    answer = page.post(url("review_undo"), headers=JSON).json()
    assert answer["products"] == [first.pk]
    assert first.title in answer["message"]
    assert suggested.standing(first) == {}
    assert page.post(url("review_undo"), headers=JSON).json()["products"] == []
    page.post(url("review_redo"))
    assert suggested.standing(first) == {"black": "approved"}
    assert f"product={first.pk}" in page.post(url("review_undo"))["Location"]


def test_products_ahead_are_leased_and_excluded(world: World) -> None:
    a, b = as_(world), as_(world, "second")
    html = a.get(url("review_next"), {"count": 2, "exclude": str(world.products[0].pk)}).content.decode()
    shown = [p.pk for p in world.products if f'data-product="{p.pk}"' in html]
    assert shown == [world.products[1].pk, world.products[2].pk]
    assert "<html" not in html
    other = b.get(url("review_next"), {"count": 5}).content.decode()
    assert not any(f'data-product="{pk}"' in other for pk in shown)
    assert b.get(url("review_card"), {"product": shown[0]}, headers=JSON).status_code == 409


def test_cards_ahead_cost_the_same_queries_however_many(suggested: World, django_assert_max_num_queries: Any) -> None:
    page = as_(suggested)
    with django_assert_max_num_queries(16):
        page.get(url("review_next"), {"count": 1})
    with django_assert_max_num_queries(16 + 3):  # a lease each
        page.get(url("review_next"), {"count": 4})


def test_skip_gives_back_and_asks_for_nothing(world: World) -> None:
    page, first = as_(world), world.products[0]
    page.get(url("review"))
    assert QueueItem.objects.get(product=first).lease_owner == world.people["reviewer"]
    answer = page.post(url("review_skip"), {"product": first.pk})
    assert f"product={world.products[1].pk}" in answer["Location"], "not the same one again"
    assert QueueItem.objects.get(product=first).lease_owner is None
    assert not Decision.objects.exists()


def test_flag_wants_a_reason(world: World) -> None:
    page, first = as_(world), world.products[0]
    assert page.post(url("review_flag"), {"product": first.pk}).status_code == 422
    page.post(url("review_flag"), {"product": first.pk, "reason": "wrong picture"})
    assert QueueItem.objects.get(product=first).flagged == "wrong picture"
    assert "wrong picture" in page.get(url("review"), {"queue": "flagged"}).content.decode()


def test_a_value_that_does_not_exist_is_asked_for(world: World) -> None:
    body = {"facet": world.facets["colour"].pk, "product": world.products[0].pk, "text": "Petrol"}
    before = len(world.tags)
    answer = as_(world).post(url("review_request"), body, headers=JSON)
    assert "Petrol" in answer.json()["message"]
    assert TagRequest.objects.get().text == "Petrol"
    assert sum(f.tags.count() for f in world.facets.values()) == before, "no tag was made"


def test_tags_are_kept_until_the_taxonomy_changes(world: World) -> None:
    page = as_(world)
    answer = page.get(url("review_tags"))
    colour = answer.json()[str(world.facets["colour"].pk)]
    assert [t["number"] for t in colour["tags"]] == [1, 2, 3]
    assert "黑色" in colour["tags"][0]["words"]
    assert page.get(url("review_tags"), headers={"If-None-Match": answer["ETag"]}).status_code == 304


def test_blind_cards_show_no_claim(suggested: World) -> None:
    QueueItem.objects.filter(product=suggested.products[0]).update(blind=True)
    html = as_(suggested).get(url("review"), {"product": suggested.products[0].pk}).content.decode()
    html = re.sub(r"T\d\d:\d\d:[\d.]+", "", html)  # fractions of a second are no scores
    assert "<mark" not in html
    assert "0.95" not in html
    assert " checked" not in html.split('<form class="stage"')[1].split("</form>")[0]
    assert "Shown without suggestions" in html


@pytest.mark.parametrize(
    "bad", [{"card": "x"}, {"on": ["999999"]}, {"product": "999999"}, {"product": "x"}, {"version": "-"}]
)
def test_nonsense_is_refused(world: World, bad: dict[str, Any]) -> None:
    answer = as_(world).post(url("review_save"), {**form(world, world.products[0]), **bad}, headers=JSON)
    assert answer.status_code in (404, 409, 422)
    assert answer.json()["message"]
    assert not Decision.objects.exists()


def test_two_values_of_one_are_refused(world: World) -> None:
    body = form(world, world.products[0], ("black", "red"), ("black", "red"))
    answer = as_(world).post(url("review_save"), body, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["code"] == "single_choice"


@pytest.mark.parametrize("name", ROUTES + POSTS)
def test_doors_are_for_reviewers(world: World, name: str, django_user_model: Any) -> None:
    ask = "get" if name in ROUTES else "post"
    stranger = Client()
    stranger.force_login(django_user_model.objects.create_user("eve"))
    assert getattr(stranger, ask)(url(name)).status_code == 404
    assert getattr(as_(world, "viewer"), ask)(url(name)).status_code == 403
    assert getattr(Client(), ask)(url(name), headers=JSON).status_code == 401
    assert getattr(as_(world), "post" if ask == "get" else "get")(url(name)).status_code == 405


def test_another_catalogue_is_not_there(world: World) -> None:
    assert as_(world).get(reverse("review", args=["nowhere"])).status_code == 404


def test_nothing_left_says_what_to_do(world: World) -> None:
    QueueItem.objects.all().delete()
    Product.objects.all().delete()
    assert "No products yet" in as_(world).get(url("review")).content.decode()


def test_filters_are_in_the_address_and_remembered(world: World) -> None:
    page = as_(world)
    assert page.get(url("review")).status_code == 200
    page.get(url("review"), {"queue": "mine", "search": "coat"})
    assert page.get(url("review"))["Location"] == url("review") + "?queue=mine&search=coat"
    assert as_(world, "second").get(url("review")).status_code == 200, "one's own"
    page.get(url("review"), {"queue": "uncertain"})
    assert page.get(url("review")).status_code == 200
