"""A product's page: every claim with its source, the cells as they came, each change of the row, the taxonomy's events."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from annotations.actions.imports import upsert_products
from annotations.actions.taxonomy import rename_tag
from annotations.management.commands import cleaning as command
from annotations.models import ModelVersion, Product, Suggestion
from annotations.queries.product_pages import story_of
from annotations.queries.product_story import past_of
from tests.annotations.conftest import World

ROW = {
    "id": "P-0", "title": "<b>Black</b> wool coat", "description": "Warm and soft.", "category": "Fashion/Coats",
    "attributes": {"Colour": ["Black"], "Fit": ["Loose"]},
}  # fmt: skip


@pytest.fixture
def coat(world: World) -> Product:
    def push(**changes: Any) -> None:
        upsert_products(catalogue=world.catalogue, rows=[{**ROW, **changes}], user=world.people["lead"])

    push()
    product = Product.objects.get(external_id="P-0")
    model = ModelVersion.objects.create(catalogue=world.catalogue, number=3, tier="instant", path="none")
    Suggestion.objects.create(product=product, tag=world.tags["wool"], score=0.9, band="strong", model_version=model,
                              spans=[{"field": "title", "start": 6, "end": 10}])  # fmt: skip
    world.decide(product, black="accept", wool="reject", complete="colour")
    push(attributes={"Colour": ["Red"], "Fit": ["Loose"]}, title="<i>Red</i> wool coat")
    rename_tag(tag=world.tags["black"], label="Jet", user=world.people["lead"])
    rename_tag(tag=world.tags["cotton"], label="Cottony", user=world.people["lead"])
    return product


def test_every_claim_names_who_makes_it(world: World, coat: Product) -> None:
    story = story_of(world.catalogue, coat.pk)
    assert story is not None
    past = past_of(world.catalogue, story.product, story.facets)
    claims = {c.tag.slug: c for c in past.claims}
    assert list(claims) == ["black", "red", "wool"]
    assert claims["red"].said == ["Colour: Red"] and claims["red"].suggestion is None and claims["red"].standing is None
    assert claims["black"].said == [] and claims["black"].standing is not None
    wool = claims["wool"]
    assert wool.suggestion is not None and wool.suggestion.model_version is not None
    assert (wool.suggestion.model_version.number, wool.standing and wool.standing.state) == (3, "rejected")


def test_what_was_changed_and_what_reopened_is_kept(world: World, coat: Product) -> None:
    story = story_of(world.catalogue, coat.pk)
    assert story is not None
    past = past_of(world.catalogue, story.product, story.facets)
    latest = past.changes[0]
    assert latest.fields["attributes"] == [{"Colour": ["Black"]}, {"Colour": ["Red"]}]
    assert latest.reopened == [{"facet": "colour", "tag": "black", "because": "attribute"}]
    assert [(c.name, c.was) for c in past.cells] == [("title", "<i>Red</i> wool coat")]
    assert [e.data["tag"] for e in past.events] == ["black"], "not what happened to tags that nobody claims of it"


def test_the_page_shows_it_to_a_viewer(
    world: World, coat: Product, client: Client, django_assert_max_num_queries: Any
) -> None:
    client.force_login(world.people["viewer"])
    with django_assert_max_num_queries(30):
        page = client.get(f"/c/shop/products/{coat.pk}/").content.decode()
    for words in ("Who claims what", "Colour: Red", "Changes of the row", "Revision 3", "the source no longer says black",
                  "&lt;i&gt;Red&lt;/i&gt; wool coat", "Changes of the taxonomy"):  # fmt: skip
        assert words in page, words


def test_the_command_lists_switches_and_tries(world: World) -> None:
    run = command.Command().answer
    options: dict[str, Any] = {"catalogue": "shop", "on": [], "off": [], "text": None, "find": False}
    assert run(**options)["off"] == ["value-entities"]
    assert set(run(**{**options, "off": ["html", "blank"]})["off"]) == {"html", "blank", "value-entities"}
    assert set(run(**{**options, "on": ["html"]})["off"]) == {"blank", "value-entities"}
    assert run(**{**options, "text": "<b>a</b>"})["html"] == "a"
    assert run(**{**options, "find": True})["family"] >= 0
