"""What each request of the review screen asks of the database: pinned, the same in a catalogue of 4 and of 400, and for
a gesture over many products the same whatever their number (but for the driver's limit on parameters)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotations.models import Band, Product, QueueItem, Suggestion
from tests.annotations.conftest import World, build_world
from tests.annotations.test_views_review import JSON, as_, form, url

PINNED = {
    "next": 15,
    "card": 14,
    "save": 31,
    "undo": 27,
    "redo": 27,
    "grid_save": 28,
    "family_save": 37,
    "renew": 5,
    "skip": 5,
}


def filled(size: int) -> World:
    world = build_world(4)
    more = [
        Product(catalogue=world.catalogue, external_id=f"Q-{n}", title=f"Scarf {n}", category="Fashion/Coats", language="en")
        for n in range(size - 4)
    ]  # fmt: skip
    Product.objects.bulk_create(more)
    rows = list(Product.objects.filter(external_id__startswith="Q-").order_by("pk"))
    QueueItem.objects.bulk_create(
        [QueueItem(product=p, catalogue=world.catalogue, status="queued", priority=-9.0) for p in rows]
    )
    world.products += rows
    Product.objects.filter(pk__in=[p.pk for p in world.products[:12]]).update(family="coat")
    Suggestion.objects.bulk_create(
        Suggestion(product=p, tag=world.tags["wool"], score=0.9, band=Band.STRONG, spans=[]) for p in world.products
    )
    return world


def grid_body(world: World, some: list[Product]) -> dict[str, Any]:
    tiles: dict[str, Any] = {f"say-{p.pk}": "reject" if n % 12 == 5 else "accept" for n, p in enumerate(some)}
    tiles |= {f"version-{p.pk}": world.version(p) for p in some}
    return {"facet": "material", "tag": "wool", "card": str(uuid.uuid4()), "tile": [p.pk for p in some], **tiles}


def family_body(world: World, some: list[Product]) -> dict[str, Any]:
    variants = [f"{p.pk}:{world.version(p)}" for p in some[1:]]
    return form(world, some[0], ("wool",), ("wool",), variant=variants)


def cost(page: Client, name: str, body: dict[str, Any], ask: Callable[..., Any] | None = None) -> int:
    with CaptureQueriesContext(connection) as seen:
        answer = (ask or page.post)(url(name), body, headers=JSON)
    assert answer.status_code == 200, answer.content
    return len(seen)


def costs(world: World) -> dict[str, int]:
    page, some = as_(world), world.products
    page.get(url("review_next"), {"count": 5})  # what is kept of the taxonomy is read
    first = form(world, some[0], ("wool",), ("wool",))
    found = {
        "next": cost(page, "review_next", {"count": 5}, page.get),
        "card": cost(page, "review_card", {"product": some[0].pk}, page.get),
        "renew": cost(page, "review_renew", {"product": [p.pk for p in some[:4]]}),
        "skip": cost(page, "review_skip", {"product": some[1].pk}),
        "save": cost(page, "review_save", first),
        "undo": cost(page, "review_undo", {}),
        "redo": cost(page, "review_redo", {}),
        "grid_save": cost(page, "grid_save", grid_body(world, some[1:4])),
    }
    page.post(url("review_undo"), headers=JSON)
    return found | {"family_save": cost(page, "review_family_save", family_body(world, some[:4]))}


@pytest.mark.parametrize("size", [8, 400])
def test_requests_cost_what_is_pinned_whatever_the_catalogue(db: None, size: int) -> None:
    found = costs(filled(size))
    print(found)
    assert {name: n for name, n in found.items() if n > PINNED[name]} == {}


@pytest.mark.parametrize(("gesture", "few", "many"), [("grid_save", 3, 48), ("review_family_save", 3, 12)])
def test_gestures_and_their_undo_cost_the_same_whatever_their_size(db: None, gesture: str, few: int, many: int) -> None:
    world = filled(120)
    page = as_(world)
    body = grid_body if gesture == "grid_save" else family_body
    saves, undos = [], []
    for some in (world.products[:few], world.products[:few], world.products[:many]):  # the first fills what is kept
        saves.append(cost(page, gesture, body(world, some)))
        undos.append(cost(page, "review_undo", {}))
    print(gesture, saves, undos)
    assert saves[1] <= saves[2] <= saves[1] + 4
    assert undos[1] <= undos[2] <= undos[1] + 4


def test_control_a_request_that_asks_product_by_product_is_caught(db: None) -> None:
    world = filled(60)
    with CaptureQueriesContext(connection) as seen:
        for product in world.products[:48]:  # what the undo of a batch did for each product that lost a tag
            product.standing_tags.filter(tag=world.tags["wool"]).delete()
    assert len(seen) > 4 + PINNED["undo"]
