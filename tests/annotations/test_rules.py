"""Rules of the taxonomy: held when somebody decides, listed where they came later than the decision."""

from __future__ import annotations

import pytest

from annotations.actions.decide import Card, Choice, Circumstances, save_cards
from annotations.actions.errors import Refused
from annotations.models import Decision, Facet, ProductTag, Tag
from annotations.queries import rules
from annotations.queries.standing import differences
from tests.annotations.conftest import World


@pytest.fixture
def ruled(world: World) -> World:
    """Leather stands alone among materials, red never with wool, cashmere implies wool, mohair is for scarves only."""
    material, tags = world.facets["material"], world.tags
    Facet.objects.filter(pk=material.pk).update(implied_parents=True)
    material.refresh_from_db()
    tags["cashmere"] = Tag.objects.create(
        facet=material, slug="cashmere", labels={"en": "Cashmere"}, parent=tags["wool"], position=3
    )
    tags["mohair"] = Tag.objects.create(
        facet=material, slug="mohair", labels={"en": "Mohair"}, categories=["Fashion/Scarves"], position=4
    )
    Tag.objects.filter(pk=tags["leather"].pk).update(exclusive=True)
    tags["red"].not_with.add(tags["wool"])
    world.tags = {slug: Tag.objects.select_related("facet").get(pk=tag.pk) for slug, tag in tags.items()}
    return world


@pytest.mark.parametrize(
    ("stands", "new", "rule"),
    [
        ({"cotton": "accept"}, {"leather": "accept"}, "alone"),
        ({"leather": "accept"}, {"cotton": "add"}, "alone"),
        ({}, {"leather": "accept", "cotton": "accept"}, "alone"),
        ({"wool": "accept"}, {"red": "accept"}, "not_with"),
        ({}, {"red": "accept", "wool": "add"}, "not_with"),
        ({}, {"mohair": "accept"}, "category"),
        ({}, {"cashmere": "accept", "wool": "reject"}, "parent"),
    ],
)
def test_what_is_not_allowed_is_refused_and_nothing_stored(ruled: World, stands, new, rule) -> None:  # type: ignore[no-untyped-def]
    product = ruled.products[0]
    if stands:
        ruled.decide(product, **stands)
    before = Decision.objects.count()
    with pytest.raises(Refused) as refusal:
        ruled.decide(product, **new)
    assert (refusal.value.code, refusal.value.details["rule"]) == ("rule", rule)
    assert Decision.objects.count() == before


def test_what_gives_way_in_the_same_card_is_allowed(ruled: World) -> None:
    product = ruled.products[0]
    ruled.decide(product, wool="accept")
    ruled.decide(product, wool="remove", red="accept")
    ruled.decide(product, black="accept", wool="accept")  # one value: red is displaced
    assert ruled.standing(product) == {"black": "approved", "wool": "approved"}
    product.category = "Fashion/Scarves/Long"
    product.save()
    ruled.decide(product, mohair="accept")
    assert ruled.standing(product)["mohair"] == "approved"


def test_a_child_brings_the_tags_above_it(ruled: World) -> None:
    product = ruled.products[0]
    ruled.decide(product, cashmere="accept")
    assert ruled.standing(product) == {"cashmere": "approved", "wool": "approved"}
    assert differences(ruled.catalogue) == []


def test_a_batch_with_one_bad_card_stores_nothing(ruled: World) -> None:
    by = Circumstances(ruled.people["lead"], "lead")
    good = Card(ruled.products[0], (Choice(ruled.tags["cotton"], "accept"),))
    bad = Card(ruled.products[1], (Choice(ruled.tags["mohair"], "accept"),))
    with pytest.raises(Refused):
        save_cards(catalogue=ruled.catalogue, cards=[good, bad], by=by)
    assert not Decision.objects.exists()


def test_a_decision_about_a_merged_tag_is_about_where_it_went(ruled: World) -> None:
    cotton, wool = ruled.tags["cotton"], ruled.tags["wool"]
    Tag.objects.filter(pk=cotton.pk).update(merged_into=wool)
    ruled.tags["cotton"] = Tag.objects.select_related("facet").get(pk=cotton.pk)
    ruled.decide(ruled.products[0], cotton="accept", wool="reject")  # from a page older than the merge
    assert ruled.standing(ruled.products[0]) == {"wool": "approved"}


def test_products_that_stand_against_a_rule_are_listed_with_the_reason(world: World) -> None:
    first, second, third, fourth = world.products
    world.decide(first, leather="accept", cotton="accept")
    world.decide(second, red="accept", wool="accept")
    world.decide(third, cotton="accept", complete="colour")
    world.decide(fourth, wool="accept")
    assert set(rules.counts(world.catalogue).values()) == {0}
    # the rules come later than the decisions
    Tag.objects.filter(slug="leather").update(exclusive=True)
    world.tags["red"].not_with.add(world.tags["wool"])
    Tag.objects.filter(slug="cotton").update(parent=world.tags["leather"], categories=["Home"])
    Facet.objects.filter(slug="material").update(implied_parents=True)
    Facet.objects.filter(slug="colour").update(required=True)
    assert rules.counts(world.catalogue) == {
        "several": 0, "alone": 1, "not_with": 1, "parent": 1, "category": 2, "required": 1,
    }  # fmt: skip
    found = list(rules.against(world.catalogue))
    assert found == [first, second, third]
    told = {a.product: [(b.code, b.tag and b.tag.slug, b.other and b.other.slug) for b in a.breaks]
            for a in rules.explained(world.catalogue, found)}  # fmt: skip
    assert told[second] == [("not_with", "red", "wool")]
    assert ("required", None, None) in told[third] and ("parent", "cotton", "leather") in told[third]
    assert all(b.message for a in rules.explained(world.catalogue, found) for b in a.breaks)
    assert list(rules.against(world.catalogue, "required")) == [third]


def test_a_facet_of_one_value_with_two_is_told(world: World) -> None:
    world.decide(world.products[0], cotton="accept", wool="accept")
    Facet.objects.filter(slug="material").update(kind=Facet.Kind.NUMERIC)
    assert rules.counts(world.catalogue)["several"] == 1


def test_breaks_rules_keeps_out_of_bulk_what_would_break_one(ruled: World, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    first, second, third, fourth = ruled.products
    ids = {slug: tag.pk for slug, tag in ruled.tags.items()}
    ruled.decide(first, wool="accept")
    ruled.decide(second, red="accept")
    ruled.decide(third, wool="reject")
    with django_assert_num_queries(5):
        kept_out = rules.breaks_rules(
            ruled.catalogue,
            {first.pk: [ids["red"]], second.pk: [ids["black"], ids["wool"]], third.pk: [ids["cashmere"]],
             fourth.pk: [ids["mohair"], ids["cotton"]]},
        )  # fmt: skip
    assert {pk: [b.code for b in breaks] for pk, breaks in kept_out.items()} == {
        first.pk: ["not_with"], third.pk: ["parent"], fourth.pk: ["category"],
    }  # fmt: skip
    assert ProductTag.objects.filter(product=fourth).count() == 0
