"""Reasons, comments, families, flags, chosen words, keys and the fix list: the doors and what follows."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotations.actions.comments import add_comment
from annotations.actions.undo import undo
from annotations.models import AuditEvent, Decision, Mention, Product, QueueItem, Suggestion, TagRequest
from annotations.queries.cards import card_of
from tests.annotations.conftest import World, build_world
from tests.annotations.test_together import state
from tests.annotations.test_views_review import JSON, as_, form, url


@pytest.fixture
def family(db: None) -> World:
    """Thirteen variants of one coat, in two categories; colour tells them apart."""
    world = build_world(13)
    Product.objects.update(family="coat", supplier="Northfold", attributes={"Colour": ["Red"]})
    return world


def post(world: World, name: str, body: dict[str, Any], who: str = "reviewer") -> Any:
    return as_(world, who).post(url(name), body, headers=JSON)


# -- reasons ------------------------------------------------------------------------------------------------------


def test_a_reason_goes_where_it_belongs(family: World) -> None:
    world, first = family, family.products[0]
    red, wool = world.tags["red"].pk, world.tags["wool"].pk
    body = form(world, first, (), ("red", "wool"), why=[f"{red}:source_wrong", f"{wool}:nonsense", "x:wrong_value"])
    assert post(world, "review_save", body).status_code == 200
    assert dict(Decision.objects.filter(verdict="reject").values_list("tag__slug", "reason")) == {
        "red": "source_wrong", "wool": "",
    }  # fmt: skip
    page = as_(world, "viewer").get(url("fix_list"))
    assert page.status_code == 200
    html = page.content.decode()
    assert "Northfold" in html
    assert "P-0" in html
    table = b"".join(as_(world, "viewer").get(url("fix_list"), {"format": "csv"}).streaming_content).decode()
    assert table.splitlines()[1].startswith("Northfold,P-0,Black wool coat 0,Colour,Red,Red,reviewer,")
    undo(catalogue=world.catalogue, by=world.by())
    assert "Nothing to mend" in as_(world, "viewer").get(url("fix_list")).content.decode()


def test_without_script_the_reason_is_asked_for_in_the_form(world: World) -> None:
    body = form(world, world.products[0], (), ("red",), why_tag=world.tags["red"].pk, why_reason="not_visible")
    as_(world).post(url("review_save"), body)
    assert Decision.objects.get(tag__slug="red").reason == "not_visible"


# -- words as evidence --------------------------------------------------------------------------------------------


def test_selected_words_are_the_evidence_from_then_on(world: World) -> None:
    first, black = world.products[0], world.tags["black"]
    Suggestion.objects.create(
        product=first, tag=black, score=0.9, band="strong", spans=[{"field": "title", "start": 0, "end": 5}]
    )
    body = form(world, first, ("black",), ("black",), words=[f"{black.pk}:description:0:4"])
    assert post(world, "review_save", body).status_code == 200
    chip = card_of(first).facets[0].chips[0]
    assert chip.spans == ({"field": "description", "start": 0, "end": 4},)
    undo(catalogue=world.catalogue, by=world.by())
    assert card_of(first).facets[0].chips[0].spans == ({"field": "title", "start": 0, "end": 5},), "as before"
    bad = form(world, first, ("black",), ("black",), words=[f"{black.pk}:description:0:400"])
    assert post(world, "review_save", bad).status_code == 422


# -- families -----------------------------------------------------------------------------------------------------


def test_a_copy_reaches_twelve_variants_and_one_undo_takes_it_back(family: World) -> None:
    world = family
    first, second, *_rest = world.products
    world.decide(second, leather="accept", cotton="reject", complete="material")
    before = state(world)
    html = as_(world).post(
        url("review_family"), form(world, first, ("black", "wool"), ("black", "wool")), headers={"X-Fragment": "1"}
    )
    shown = html.content.decode()
    assert shown.count('name="variant"') == 12
    assert shown.count(" checked") == 11, "the one decided on is offered, not ticked"
    assert "Left out, since it differs between variants: Colour" in " ".join(shown.split())
    variants = [f"{p.pk}:{world.version(p)}" for p in world.products[1:]]
    body = form(world, first, ("black", "wool"), ("black", "wool"), variant=variants)
    once, twice = (post(world, "review_family_save", body).json() for _ in range(2))
    assert once == twice
    assert once["message"] == "Saved, and applied to 12 variants."
    assert world.standing(first) == {"black": "approved", "wool": "approved"}
    assert world.standing(second) == {"wool": "approved", "cotton": "rejected"}, "leather gave way, colour is its own"
    assert all(world.standing(p) == {"wool": "approved"} for p in world.products[2:])
    undone = undo(catalogue=world.catalogue, by=world.by())
    assert undone is not None
    assert undone.products[0] == first, "the product itself comes back on screen"
    assert state(world) == before


def test_a_variant_with_some_facets_decided_is_ticked_and_keeps_them(family: World) -> None:
    """As the grid leaves them: it decides one facet of many products, and the article is copied afterwards."""
    world = family
    first, second, third, *_rest = world.products
    world.facets["colour"].variant_axis = False
    world.facets["colour"].save()
    world.decide(second, red="accept", complete="colour")
    world.decide(third, red="accept", leather="accept", complete="colour material")
    body = form(world, first, ("black", "wool"), ("black", "wool"))
    html = as_(world).post(url("review_family"), body, headers={"X-Fragment": "1"}).content.decode()
    assert html.count(" checked") == 11, "all but the one of which everything was looked at"
    assert "1 facet decided already, which stays" in html and "2 facets decided already<" in html
    variants = [f"{p.pk}:{world.version(p)}" for p in world.products[1:]]
    post(world, "review_family_save", {**body, "variant": variants})
    assert world.standing(second) == {"red": "approved", "wool": "approved"}, "the colour stays"
    assert world.standing(third) == {"black": "approved", "wool": "approved"}, "ticked by hand: replaced"
    assert all(world.standing(p) == {"black": "approved", "wool": "approved"} for p in world.products[3:])
    undo(catalogue=world.catalogue, by=world.by())
    assert world.standing(second) == {"red": "approved"}


def test_a_variant_that_changed_is_held_back_and_a_changed_card_is_a_conflict(family: World) -> None:
    world = family
    first, second, third, *_rest = world.products
    body = form(world, first, ("wool",), ("wool",), variant=[f"{second.pk}:0", f"{third.pk}:0"])
    world.decide(third, cotton="accept", role="second")
    answer = post(world, "review_family_save", body).json()
    assert [h["product"] for h in answer["held"]] == [third.pk]
    assert world.standing(third) == {"cotton": "approved"}
    stale = {**body, "card": str(uuid.uuid4()), "variant": [f"{world.products[4].pk}:0"]}
    assert post(world, "review_family_save", stale).status_code == 409
    assert world.standing(world.products[4]) == {}, "nothing of it is stored"
    Product.objects.filter(pk=second.pk).update(family="hat")
    other = form(world, first, ("wool",), ("wool",), variant=[f"{second.pk}:1"])
    assert post(world, "review_family_save", other).status_code == 422


# -- talking ------------------------------------------------------------------------------------------------------


def test_whoever_is_named_finds_it_on_their_first_page(world: World) -> None:
    first = world.products[0]
    body = {"product": first.pk, "comment": "Is this wool, @lead? @nobody knows. cc @reviewer."}
    for _ in range(2):
        assert post(world, "review_comment", body).status_code == 200
    mention = Mention.objects.get()
    assert mention.user == world.people["lead"], "once, and not whoever wrote it"
    assert "Is this wool, @lead?" in as_(world).get(url("review"), {"product": first.pk}).content.decode()
    lead = as_(world, "lead")
    assert "Is this wool, @lead?" in lead.get(reverse("home")).content.decode()
    assert as_(world, "second").post(reverse("mention", args=[mention.pk])).status_code == 404
    assert lead.post(reverse("mention", args=[mention.pk]))["Location"] == reverse("home"), "the other holds it still"
    QueueItem.objects.update(lease_owner=None, lease_until=None)
    assert lead.post(reverse("mention", args=[mention.pk]))["Location"].endswith(f"/review/?product={first.pk}")
    assert "Is this wool, @lead?" not in lead.get(reverse("home")).content.decode()
    assert post(world, "review_comment", {"product": first.pk, "comment": "  "}).status_code == 422


def test_somebody_of_another_catalogue_is_not_told(world: World, django_user_model: Any) -> None:
    django_user_model.objects.create_user("eve")
    add_comment(product=world.products[0], text="@eve look", user=world.people["lead"])
    assert not Mention.objects.exists()


def test_a_lead_takes_a_flag_down(world: World) -> None:
    first = world.products[0]
    post(world, "review_flag", {"product": first.pk, "reason": "wrong picture"})
    assert post(world, "review_unflag", {"product": first.pk}).status_code == 403
    assert post(world, "review_unflag", {"product": first.pk}, "lead").status_code == 200
    assert QueueItem.objects.get(product=first).flagged == ""
    assert AuditEvent.objects.get(word="product_unflagged").data == {"reason": "wrong picture"}


def test_a_missing_value_becomes_a_request(world: World) -> None:
    body = {"facet": world.facets["colour"].pk, "product": world.products[0].pk, "text": "Petrol"}
    post(world, "review_request", body)
    assert TagRequest.objects.get().text == "Petrol"


# -- keys ---------------------------------------------------------------------------------------------------------


def keys_form(client: Client, **changed: str) -> dict[str, str]:
    import re

    html = client.get(reverse("keys")).content.decode()
    found = re.findall(r"<td><kbd>(.+?)</kbd></td><td><input[^>]*name=\"(key-\d+)\" value=\"(.*?)\"", html)
    return {name: changed.get(house, value) for house, name, value in found} | {"enabled": "on"}


def test_keys_are_ones_own_and_shown_on_the_buttons(world: World) -> None:
    client = as_(world)
    assert client.post(reverse("keys"), keys_form(client, a="q", x="Q")).status_code == 302
    html = client.get(url("review")).content.decode()
    assert 'data-key="q" data-does="accept"' in html
    assert "<kbd>Shift+Q</kbd>" in html
    assert 'data-key="a" data-does="accept"' in as_(world, "second").get(url("review")).content.decode()
    assert client.post(reverse("keys"), {"reset": "1", "enabled": "on"}).status_code == 302
    assert 'data-key="a" data-does="accept"' in client.get(url("review")).content.decode()


@pytest.mark.parametrize("bad", [{"a": "x"}, {"a": "5"}, {"a": "qq"}, {"a": "→→"}])
def test_keys_that_cannot_be_are_refused(world: World, bad: dict[str, str]) -> None:
    client = as_(world)
    answer = client.post(reverse("keys"), keys_form(client, **bad))
    assert answer.status_code == 422
    world.people["reviewer"].refresh_from_db()
    assert world.people["reviewer"].keys == {}


def test_single_keys_can_be_switched_off(world: World) -> None:
    client = as_(world)
    sent = keys_form(client)
    del sent["enabled"]
    client.post(reverse("keys"), sent)
    html = client.get(url("review")).content.decode()
    assert '"shortcuts": false' in html
    assert "<kbd>a</kbd>" not in html
