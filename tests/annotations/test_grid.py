"""The grid's questions and its doors: what may be shown, at what cost, and what is refused."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotations.models import Band, Decision, FacetCompletion, Product, QueueItem, Suggestion
from annotations.queries import grid
from annotations.queries.offers import forget
from tests.annotations.conftest import World, build_world
from tests.annotations.test_views_review import JSON, as_, url


def suggest(world: World, tag: str = "wool", score: float = 0.9, band: str = Band.STRONG) -> None:
    spans = [{"field": "title", "start": 6, "end": 10}]
    Suggestion.objects.bulk_create(
        Suggestion(product=p, tag=world.tags[tag], score=score - n / 1000, band=band, spans=spans)
        for n, p in enumerate(world.products)
    )


def shown(world: World, tag: str | None = "wool", count: int = 48) -> list[str]:
    facet, one = world.facets["material"], world.tags[tag] if tag else None
    items = grid.candidates(world.catalogue, facet, one, world.people["reviewer"], count)
    return [tile.product.external_id for tile in grid.tiles(items, facet, one)]


def test_only_what_is_open_confident_and_free_is_shown(db: None) -> None:
    world = build_world(9)
    suggest(world)
    decided, complete, blind, archived, unsure, leased, elsewhere, *rest = world.products
    world.decide(decided, wool="reject")
    world.decide(complete, cotton="accept", complete="material")
    QueueItem.objects.filter(product=blind).update(blind=True)
    Product.objects.filter(pk=archived.pk).update(archived_at=timezone.now())
    Suggestion.objects.filter(product=unsure).update(band=Band.UNSURE)
    later = timezone.now() + timedelta(minutes=5)
    QueueItem.objects.filter(product=leased).update(lease_owner=world.people["second"], lease_until=later)
    world.facets["material"].categories = ["Fashion"]
    world.facets["material"].save()
    Product.objects.filter(pk=elsewhere.pk).update(category="Home")
    assert shown(world) == [p.external_id for p in rest]
    assert sorted(shown(world, None)) == [p.external_id for p in rest]


def test_a_tile_shows_the_words_that_speak_for_its_tag(world: World) -> None:
    suggest(world)
    last = world.products[-1]
    last.title, last.description = "Coat", "x" * 60 + " of pure wool and more " + "y" * 60
    last.save()
    Suggestion.objects.filter(product=last).update(spans=[{"field": "description", "start": 69, "end": 73}])
    facet, tag = world.facets["material"], world.tags["wool"]
    first, *_rest, end = grid.tiles(
        grid.candidates(world.catalogue, facet, tag, world.people["reviewer"], 9), facet, tag
    )
    assert [p.text for p in first.title if p.tags] == ["wool"]
    assert first.phrase == ()
    assert [p.text for p in end.phrase if p.tags] == ["wool"]
    assert "".join(p.text for p in end.phrase).startswith("… ")


def body(world: World, say: dict[int, str], **more: Any) -> dict[str, Any]:
    tiles = {f"say-{p.pk}": say.get(n, "accept") for n, p in enumerate(world.products)}
    versions = {f"version-{p.pk}": world.version(p) for p in world.products}
    named = {"facet": "material", "tag": "wool", "card": str(uuid.uuid4()), "tile": [p.pk for p in world.products]}
    return {**named, **tiles, **versions, **more}


def test_what_is_said_is_saved_once_and_a_value_that_takes_one_is_complete(world: World) -> None:
    suggest(world)
    page = as_(world)
    sent = body(world, {1: "reject", 2: "out"})
    once, twice = (page.post(url("grid_save"), sent, headers=JSON).json() for _ in range(2))
    assert once == twice
    assert once["message"] == "2 accepted, 1 rejected"
    assert [world.standing(p).get("wool") for p in world.products] == ["approved", "rejected", None, "approved"]
    assert Decision.objects.count() == 3
    assert not FacetCompletion.objects.exists(), "one of several materials says nothing about the others"
    colour = {**body(world, {}), "facet": "colour", "tag": "black"}
    page.post(url("grid_save"), colour, headers=JSON)
    assert FacetCompletion.objects.filter(facet=world.facets["colour"]).count() == 4


@pytest.mark.parametrize("bad", [{"facet": "x"}, {"tag": "x"}, {"tile": []}, {"card": "x"}, {"say-{pk}": "perhaps"}])
def test_nonsense_is_refused(world: World, bad: dict[str, Any]) -> None:
    bad = {k.format(pk=world.products[0].pk): v for k, v in bad.items()}
    answer = as_(world).post(url("grid_save"), {**body(world, {}), **bad}, headers=JSON)
    assert answer.status_code in (404, 422)
    assert answer.json()["message"]
    assert not Decision.objects.exists()


def test_the_grid_costs_the_same_however_many_products_there_are(db: None) -> None:
    counts = {}
    for slug, size in (("few", 3), ("many", 60)):
        world = build_world(size, slug=slug)
        suggest(world)
        page = as_(world)
        for name, query in (("grid", {}), ("grid_tiles", {"count": 24})):
            with CaptureQueriesContext(connection) as seen:
                page.get(url(name).replace("/shop/", f"/{slug}/"), {"facet": "material", "tag": "wool", **query})
            counts[slug, name] = len(seen)
    assert counts["few", "grid"] == counts["many", "grid"] <= 18
    assert counts["few", "grid_tiles"] == counts["many", "grid_tiles"] <= 14


def test_all_results_are_a_job_with_the_number_typed(world: World) -> None:
    from annotations.actions.bulk_actions import foresee
    from annotations.queries.products import Filters

    suggest(world)
    suggest(world, "leather", 0.8)
    world.decide(world.products[0], wool="reject")
    html = as_(world, "lead").get(url("grid"), {"facet": "material", "tag": "wool"}).content.decode()
    assert 'name="suggested" value="material:wool"' in html
    assert "All of them" not in as_(world).get(url("grid"), {"facet": "material", "tag": "wool"}).content.decode()
    sent = {
        "kind": "accept",
        "every": "1",
        "suggested": "material:wool",
        "only": "material:wool",
        "band": "likely",
        "facet": "material",
        "step": "preview",
    }
    QueueItem.objects.update(lease_owner=None, lease_until=None)
    page = as_(world, "lead").post(url("bulk"), sent).content.decode()
    assert "Type 3 to go on" in page
    foreseen = foresee(
        catalogue=world.catalogue,
        kind="accept",
        params={**sent},
        filters=Filters(suggested="material:wool"),
        selection=[],
    )
    assert foreseen.changed == 3
    answer = as_(world, "lead").post(url("bulk"), {**sent, "step": "go", "number": "2"})
    assert answer.status_code in (409, 422)
    assert as_(world, "lead").post(url("bulk"), {**sent, "step": "go", "number": "3"}).status_code == 302


def test_a_screen_spares_the_cards_that_it_answers_whole(db: None) -> None:
    world = build_world(8)
    material = world.facets["material"]
    world.facets["colour"].variant_axis = False
    world.facets["colour"].save()
    suggest(world, "wool", 0.9)
    assert grid.spares(world.catalogue) == {}, "material takes several values, and nothing is claimed of colour"
    material.kind = "single"
    material.save()
    forget()
    assert grid.spares(world.catalogue) == {}, "the card has to be opened for its colour"
    for product in world.products[:4]:
        world.decide(product, black="accept", complete="colour")
    QueueItem.objects.filter(product=world.products[3]).update(blind=True)
    found = grid.spares(world.catalogue)
    assert found == {world.tags["wool"].pk: pytest.approx(0.9 + 0.899 + 0.898)}
    for product in world.products[4:]:
        Suggestion.objects.create(product=product, tag=world.tags["red"], score=0.8, band=Band.LIKELY)
        Suggestion.objects.create(product=product, tag=world.tags["white"], score=0.7, band=Band.LIKELY)
    found = grid.spares(world.catalogue)
    assert found[world.tags["red"].pk] == pytest.approx(4 * 0.8 / 2), "half of each card, and white will not be right"
    assert world.tags["white"].pk not in found
    page = as_(world).get(url("grid")).content.decode()
    assert page.count("spares") == 2 and "spares 4 cards" in page, "wool alone is worth its three keys: 2.7 + 1.8"
    world.decide(world.products[0], wool="reject")
    assert grid.spares(world.catalogue)[world.tags["wool"].pk] < found[world.tags["wool"].pk]
    material.variant_axis = True
    material.save()
    forget()
    assert grid.spares(world.catalogue) == {}, "what tells variants apart is asked of each"
