"""Undo brings the state before, exactly: of a decision, a correction, a family of 13 and a grid batch of 48; by its doors.

The state is everything that folds out of decisions, with the decision that each fact rests on, and the cards as their
reader sees them. Half of the products have not been scored ("new"), some are flagged, blind or decided on already.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotations.actions.undo import redo, undo
from annotations.models import (
    Answer,
    Band,
    Catalogue,
    FacetCompletion,
    Product,
    ProductTag,
    QueueItem,
    Suggestion,
    Turn,
)
from annotations.queries import panels
from annotations.queries.cards import cards
from annotations.queries.standing import differences
from tests.annotations.conftest import World, build_world
from tests.annotations.test_views_review import JSON, as_, form, url

KEPT = (
    "product",
    "status",
    "priority",
    "boost",
    "why",
    "blind",
    "cluster",
    "assignee",
    "flagged",
    "done_at",
    "was_new",
)


def whole_state(world: World) -> dict[str, Any]:
    items = list(QueueItem.objects.select_related("product").order_by("product"))
    shown = cards(items, world.catalogue, world.people["reviewer"])
    return {
        "tags": sorted(ProductTag.objects.values_list("product", "tag", "state", "decision")),
        "complete": sorted(FacetCompletion.objects.values_list("product", "facet", "decision")),
        "answers": sorted(Answer.objects.values_list("product", "facet", "reviewer", "decision")),
        "items": list(QueueItem.objects.order_by("product").values_list(*KEPT)),
        "turns": sorted(Turn.objects.filter(counts=True).values_list("product", "batch")),
        "cards": [[(r.complete, r.was, r.chips) for r in card.facets] for card in shown],
    }


@pytest.fixture
def shop(db: None) -> World:
    world = build_world(50)
    Product.objects.filter(pk__in=[p.pk for p in world.products[:13]]).update(family="coat")
    for n, product in enumerate(world.products):
        spans = [{"field": "title", "start": 6, "end": 10}]
        Suggestion.objects.create(product=product, tag=world.tags["wool"], score=0.9, band=Band.STRONG, spans=spans)
        if n % 2:
            QueueItem.objects.filter(product=product).update(status="new")
    first, second, third = world.products[:3]
    QueueItem.objects.filter(product=third).update(flagged="wrong picture", why={"reason": "random"}, cluster=3)
    world.decide(second, leather="accept", white="accept", complete="colour", role="second")
    world.decide(world.products[7], wool="reject", cotton="add", complete="colour material")
    world.decide(first, red="accept")
    return world


def send(world: World, name: str, body: dict[str, Any]) -> None:
    answer = as_(world).post(url(name), body, headers=JSON)
    assert answer.status_code == 200, answer.content


def a_decision(world: World) -> None:
    send(world, "review_save", form(world, world.products[9], ("wool",), ("wool",)))


def a_correction(world: World) -> None:
    """Of what stands: red gives way to black, and the words are chosen anew."""
    body = form(world, world.products[0], ("wool",), ("wool", "red"), add=[world.tags["black"].pk])
    send(world, "review_save", {**body, "words": [f"{world.tags['wool'].pk}:description:0:4"]})


def a_correction_of_what_is_done(world: World) -> None:
    send(world, "review_save", form(world, world.products[7], ("wool",), ("wool", "cotton")))


def a_family(world: World) -> None:
    variants = [f"{p.pk}:{world.version(p)}" for p in world.products[1:13]]
    send(world, "review_family_save", form(world, world.products[0], ("wool",), ("wool",), variant=variants))


def a_grid(world: World) -> None:
    some = world.products[:48]
    say = {f"say-{p.pk}": "reject" if n % 12 == 5 else "accept" for n, p in enumerate(some)}
    versions = {f"version-{p.pk}": world.version(p) for p in some}
    instead = {f"instead-{some[5].pk}": world.tags["leather"].pk}
    named = {"facet": "material", "tag": "wool", "card": str(uuid.uuid4()), "tile": [p.pk for p in some]}
    send(world, "grid_save", {**named, **say, **versions, **instead})


ALONE = [a_decision, a_correction, a_correction_of_what_is_done, a_family, a_grid]
AS_ONE_OF_TWO = [a_decision, a_correction, a_family, a_grid]  # what is settled is not voted on again


@pytest.mark.parametrize(("gesture", "reviewers"), [(g, 1) for g in ALONE] + [(g, 2) for g in AS_ONE_OF_TWO])
def test_undo_brings_the_state_before(shop: World, gesture: Callable[[World], None], reviewers: int) -> None:
    Catalogue.objects.update(reviewers=reviewers)
    shop.catalogue.refresh_from_db()
    for product in shop.products:
        product.catalogue = shop.catalogue
    before = whole_state(shop)
    gesture(shop)
    after = whole_state(shop)
    assert after != before
    assert as_(shop).post(url("review_undo"), headers=JSON).json()["products"]
    assert whole_state(shop) == before
    assert redo(catalogue=shop.catalogue, by=shop.by())
    brought = whole_state(shop)
    assert {k: brought[k] for k in ("tags", "complete")} == {k: after[k] for k in ("tags", "complete")}
    assert undo(catalogue=shop.catalogue, by=shop.by())
    assert whole_state(shop) == before
    assert differences(shop.catalogue) == panels.differences(shop.catalogue) == []


def test_what_was_scored_meanwhile_is_new_no_longer(shop: World) -> None:
    product = shop.products[9]
    a_decision(shop)
    assert (shop.item(product).status, shop.item(product).was_new) == ("done", True)
    QueueItem.objects.filter(product=product).scored()
    undo(catalogue=shop.catalogue, by=shop.by())
    assert shop.item(product).status == "queued"


def test_control_a_status_that_forgets_is_caught(shop: World) -> None:
    before = whole_state(shop)
    a_decision(shop)
    QueueItem.objects.update(was_new=False)  # as it was: every undone product waited as if it had been scored
    undo(catalogue=shop.catalogue, by=shop.by())
    assert whole_state(shop) != before


def test_the_moment_it_was_done_is_kept_by_a_second_look(shop: World) -> None:
    long_ago = timezone.now() - timedelta(days=3)
    QueueItem.objects.filter(product=shop.products[7]).update(done_at=long_ago)
    a_correction_of_what_is_done(shop)
    undo(catalogue=shop.catalogue, by=shop.by())
    assert shop.item(shop.products[7]).done_at == long_ago
