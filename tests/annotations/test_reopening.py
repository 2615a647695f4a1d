"""A row that changes: what it was is kept, and only the tags that rested on what went are asked for again."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.actions.decide import Card, Choice, save_card
from annotations.actions.errors import Conflict
from annotations.actions.imports import upsert_products
from annotations.actions.reopening import because
from annotations.actions.suggestions import ProductSuggestions, store
from annotations.actions.undo import undo
from annotations.models import FacetCompletion, Original, Product, QueueItem, RowChange, SetAside, Suggestion
from annotations.queries.standing import differences
from tests.annotations.conftest import World

ROW: dict[str, Any] = {
    "id": "P-0", "title": "Black wool coat", "description": "Warm and soft.", "category": "Fashion/Coats",
    "family": "F0", "language": "en", "attributes": {"Material": ["Wool"]},
}  # fmt: skip


def push(world: World, **changes: Any) -> str:
    return upsert_products(catalogue=world.catalogue, rows=[{**ROW, **changes}], user=world.people["lead"])[0].status


@pytest.fixture
def coat(world: World) -> Product:
    """A product that is done: black, and wool, both looked at as a whole."""
    push(world)
    product = Product.objects.get(external_id="P-0")
    world.decide(product, black="accept", complete="colour")
    world.decide(product, wool="accept", complete="material")
    assert QueueItem.objects.get(product=product).status == "done"
    return product


def open_facets(product: Product) -> set[str]:
    done = set(FacetCompletion.objects.filter(product=product).values_list("facet__slug", flat=True))
    return {"colour", "material"} - done


def test_only_the_tag_whose_words_vanished_comes_back(world: World, coat: Product) -> None:
    before = world.version(coat)
    assert push(world, title="Long wool coat") == "updated"
    item = QueueItem.objects.get(product=coat)
    assert (item.status, open_facets(coat)) == ("queued", {"colour"})
    assert item.why["reopened"] == [{"facet": "colour", "tag": "black", "because": "words"}]
    assert world.standing(coat) == {"black": "approved", "wool": "approved"}, "nothing leaves the shop by itself"
    change = RowChange.objects.filter(product=coat).latest("id")
    assert change.fields == {"title": ["Black wool coat", "Long wool coat"]} and change.reopened == item.why["reopened"]
    assert change.user == world.people["lead"] and change.revision == 3
    assert differences(world.catalogue) == []
    # the card that still shows the old text cannot be saved over it
    with pytest.raises(Conflict):
        save_card(card=Card(coat, (Choice(world.tags["red"], "accept"),)), version=before, by=world.by())
    # a new scoring leaves the reason standing; looking again settles it
    store(suggestions=[ProductSuggestions(coat.pk, (), 1.0, {"reason": "random"})], model=None)
    assert QueueItem.objects.get(product=coat).why.keys() == {"reason", "reopened"}
    world.decide(coat, black="reject", complete="colour")
    assert QueueItem.objects.get(product=coat).status == "done"


def test_other_words_reopen_nothing(world: World, coat: Product) -> None:
    assert push(world, title="Coat in black wool, new season", description="Still warm.") == "updated"
    assert QueueItem.objects.get(product=coat).status == "done" and open_facets(coat) == set()
    assert RowChange.objects.filter(product=coat).latest("id").reopened == []


def test_a_changed_source_attribute_reopens_its_tag_alone(world: World, coat: Product) -> None:
    push(world, attributes={"Material": ["Cotton"]}, title="Black wool-look coat")
    assert open_facets(coat) == {"material"}
    assert RowChange.objects.filter(product=coat).latest("id").reopened == [
        {"facet": "material", "tag": "wool", "because": "attribute"}
    ]


def test_an_attribute_that_still_says_it_is_evidence_enough(world: World, coat: Product) -> None:
    push(world, title="Black coat", description="")
    assert open_facets(coat) == set()


def test_the_spans_of_a_suggestion_are_its_evidence(world: World, coat: Product) -> None:
    tag = world.tags["leather"]
    coat.title, after = "Nappa jacket", Product(catalogue=world.catalogue, title="Jacket")
    coat.description = ""
    spans = [{"field": "title", "start": 0, "end": 5}]
    assert because(tag, spans, coat, after) == "words"
    assert because(tag, [{"field": "title", "start": 1, "end": 3}], coat, after) == "", "they do not fit the text"
    assert because(tag, spans, coat, Product(title="Jacket of nappa", description="")) == ""
    Suggestion.objects.create(product=coat, tag=tag, score=0.9, band="strong", spans=spans)


def test_an_earlier_save_can_still_be_undone(world: World, coat: Product) -> None:
    push(world, title="Long coat", attributes={})
    assert open_facets(coat) == {"colour", "material"}
    while undo(catalogue=world.catalogue, by=world.by()):
        pass
    assert differences(world.catalogue) == []


def test_cells_that_cleaning_changed_are_kept_until_a_clean_row_comes(world: World) -> None:
    push(world, id="N-1", title="<b>Zip</b> hoodie", attributes={"Style": ["  plain "]})
    product = Product.objects.get(external_id="N-1")
    assert product.title == "Zip hoodie"
    assert Original.objects.get(product=product).cells["title"] == {"was": "<b>Zip</b> hoodie", "steps": ["html"]}
    push(world, id="N-1", title="Zip hoodie", attributes={})
    assert not Original.objects.filter(product=product).exists()


def test_junk_is_set_aside_and_a_person_has_the_last_word(world: World) -> None:
    assert push(world, id="J-1", title="test 1", description="") == "created"
    product = Product.objects.get(external_id="J-1")
    assert (product.set_aside, product.archived_at is None) == (SetAside.PLACEHOLDER, False)
    assert push(world, id="J-1", title="test 1", description="") == "unchanged"
    product.set_aside, product.archived_at = SetAside.KEPT, None
    product.save()
    assert push(world, id="J-1", title="test 1", description="") == "unchanged"
    assert push(world, id="J-1", title="test 2", description="") == "updated"
    product.refresh_from_db()
    assert (product.set_aside, product.archived_at) == (SetAside.KEPT, None)
    # one that becomes a product comes back by itself; one that a person archived does not
    push(world, id="J-2", title="test 2", description="")
    assert push(world, id="J-2", title="Real coat") == "updated"
    assert Product.objects.get(external_id="J-2").archived_at is None
    Product.objects.filter(external_id="P-1").update(set_aside=SetAside.BY_HAND, archived_at="2026-01-01T00:00:00Z")
    push(world, id="P-1", title="New words")
    assert Product.objects.get(external_id="P-1").archived_at is not None


def test_a_check_that_is_switched_off_lets_rows_in(world: World) -> None:
    push(world, id="J-1", title="test 1", description="")
    world.catalogue.cleaning_off = ["placeholder"]
    world.catalogue.save()
    assert push(world, id="J-1", title="test 1", description="") == "updated"
    product = Product.objects.get(external_id="J-1")
    assert (product.set_aside, product.archived_at) == ("", None)
