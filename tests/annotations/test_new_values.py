"""Values that become tags where they come up: quantities, and what an open facet is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from annotations.actions import reshape, tag_requests, taxonomy
from annotations.actions.attribute_tags import tags_from_attributes
from annotations.actions.errors import Refused
from annotations.actions.imports import import_products
from annotations.actions.new_values import take_values
from annotations.models import Facet, Product, Suggestion, Tag, TagRequest, TaxonomyRevision
from annotations.queries.standing import differences
from annotations.queries.taxonomy import Names, search_tags
from tests.annotations.conftest import World


@pytest.fixture
def weight(world: World) -> Facet:
    return taxonomy.add_facet(
        catalogue=world.catalogue, labels={"en": "Weight"}, user=None, kind=Facet.Kind.NUMERIC, unit="kg"
    )


@pytest.fixture
def brand(world: World) -> Facet:
    return taxonomy.add_facet(catalogue=world.catalogue, labels={"en": "Brand"}, user=None, kind=Facet.Kind.OPEN)


def ask(world: World, facet: Facet, text: str) -> Tag | None:
    reviewer = world.people["reviewer"]
    return tag_requests.request_tag(facet=facet, text=text, user=reviewer, product=world.products[0]).tag


def test_every_writing_of_a_quantity_is_one_tag(world: World, weight: Facet) -> None:
    first = ask(world, weight, "1500 g")
    assert first and (first.label, first.number, first.slug) == ("1.5 kg", 1.5, "1p5-kg")
    assert {ask(world, weight, text) for text in ("1.5 kg", "1,5 kg", "1.5千克", "1.5")} == {first}
    small = ask(world, weight, "15 kg")
    below, above = ask(world, weight, "-5"), ask(world, weight, "5")
    assert len({first, small, below, above}) == 4
    assert TagRequest.objects.filter(answer="granted").exclude(resolved_at=None).count() == 4
    revision = TaxonomyRevision.objects.get(word="new value", data__tag="1p5-kg")
    reshape.undo_revision(revision=revision, by=world.by("lead"))
    first.refresh_from_db()
    assert first.retired_at is not None


@pytest.mark.parametrize(
    ("text", "code", "named"), [("3 furlongs", "unit", "furlongs"), ("heavy", "not_a_number", "heavy")]
)
def test_what_cannot_be_counted_is_refused_by_name(
    world: World, weight: Facet, text: str, code: str, named: str
) -> None:
    with pytest.raises(Refused) as no:
        ask(world, weight, text)
    assert no.value.code == code
    assert named in str(no.value.message) and "kg" in str(no.value.message)
    assert not weight.tags.exists() and not TagRequest.objects.exists()


def test_an_open_facet_takes_a_value_once_and_a_retired_one_is_asked_for(world: World, brand: Facet) -> None:
    acme = ask(world, brand, "Acme")
    assert acme and acme.facet == brand
    assert ask(world, brand, "ACME") == acme
    taxonomy.edit_tag(tag=acme, user=None, synonyms={"en": ["Acme Inc"]})
    assert ask(world, brand, "acme-inc") == acme
    assert [t.pk for t in search_tags(world.catalogue, "acm")] == [acme.pk]
    taxonomy.retire_tag(tag=acme, user=None)
    assert ask(world, brand, "Acme") is None
    assert TagRequest.objects.get(resolved_at=None).text == "Acme"


def test_what_somebody_else_made_meanwhile_is_known_too(world: World, weight: Facet) -> None:
    names = Names.of(world.catalogue)
    tag = ask(world, weight, "2 kg")
    assert take_values(catalogue=world.catalogue, values=[(weight, "2000 g", None)], user=None, names=names) == []
    assert names.tag(weight, "2000 g") == tag


def test_a_changed_unit_or_name_changes_the_number(world: World, weight: Facet) -> None:
    tag = ask(world, weight, "1.5 kg")
    assert tag
    taxonomy.edit_facet(facet=weight, user=None, unit="g")
    assert ask(world, weight, "1500") == tag
    tag.refresh_from_db()
    assert tag.number == 1500
    tag.facet = weight
    taxonomy.rename_tag(tag=tag, label="2 kg", user=None)
    assert Tag.objects.get(pk=tag.pk).number == 2000
    assert taxonomy.add_tag(facet=weight, labels={"en": "3 kg"}, user=None).number == 3000
    with pytest.raises(Refused):
        taxonomy.add_tag(facet=weight, labels={"en": "3000 g"}, user=None)


@pytest.mark.parametrize("attributes_as", ["approved", "suggestions"])
def test_rows_bring_their_values(world: World, weight: Facet, brand: Facet, tmp_path: Path, attributes_as: str) -> None:
    rows = [
        {"id": "A", "title": "a", "attributes": {"weight": ["1500 g"], "brand": ["Acme"], "material": ["felt"]}},
        {"id": "B", "title": "b", "attributes": {"weight": ["1,5 kg"], "brand": ["ACME", "Bolt"]}},
        {"id": "C", "title": "c", "attributes": {"weight": ["5 miles"]}},
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    lead = world.people["lead"]
    dry = import_products(catalogue=world.catalogue, path=file, attributes_as=attributes_as, user=lead, dry_run=True)
    assert not weight.tags.exists() and not brand.tags.exists()
    said = {(3, "weight", "unknown-unit"), (1, "material", "unknown-tag")}
    assert set(dry.problems.values_list("line", "column", "code")) == said  # type: ignore[attr-defined]
    for _again in range(2):
        batch = import_products(catalogue=world.catalogue, path=file, attributes_as=attributes_as, user=lead)
        assert {t.label for t in (*weight.tags.all(), *brand.tags.all())} == {"1.5 kg", "Acme", "Bolt"}
    assert set(batch.problems.values_list("line", "column", "code")) == said  # type: ignore[attr-defined]
    assert "miles" in batch.problems.get(code="unknown-unit").message  # type: ignore[attr-defined]
    assert TaxonomyRevision.objects.filter(word="new value").count() == 2, "one for each facet"
    b = Product.objects.get(external_id="B")
    if attributes_as == "approved":
        assert world.standing(b) == {"1p5-kg": "approved", "acme": "approved", "bolt": "approved"}
        assert differences(world.catalogue) == []
    else:
        assert set(Suggestion.objects.filter(product=b).values_list("tag__slug", flat=True)) == {
            "1p5-kg",
            "acme",
            "bolt",
        }


def test_what_products_say_of_a_facet_of_numbers(world: World, weight: Facet, brand: Facet) -> None:
    for product, said in zip(world.products, ["1500 g", "1.5 kg", "2 kg", "one stone"], strict=True):
        product.attributes = {"Weight": [said], "Brand": ["Acme"]}
        product.save()
    report = tags_from_attributes(catalogue=world.catalogue, user=None)
    assert dict(weight.tags.values_list("slug", "number")) == {"1p5-kg": 1.5, "2-kg": 2.0}
    assert [p.code for p in report.problem_list] == ["not-a-number"]
    weight.refresh_from_db()
    brand.refresh_from_db()
    assert (weight.kind, brand.kind) == ("numeric", "open")
    again = tags_from_attributes(catalogue=world.catalogue, user=None)
    assert (again.new_tags, again.changed) == (0, 0)
    assert Names.of(world.catalogue).tag(weight, "2000 g") == weight.tags.get(number=2)


def test_the_card_gets_the_tag_and_the_owner_hears_of_it(world: World, brand: Facet) -> None:
    reviewer, lead = Client(), Client()
    reviewer.force_login(world.people["reviewer"])
    lead.force_login(world.people["lead"])
    body = {"facet": brand.pk, "product": world.products[0].pk, "text": "Acme"}
    for _again in range(2):  # a queue in the browser may send it twice
        answer = reviewer.post(reverse("review_request", args=["shop"]), body, headers={"Accept": "application/json"})
        assert answer.json()["tag"]["id"] == brand.tags.get().pk
    page = lead.get(reverse("taxonomy", args=["shop"])).content.decode()
    assert "New by themselves" in page
    assert reverse("tag", args=["shop", brand.tags.get().pk]) in page
    assert TagRequest.objects.count() == 1
