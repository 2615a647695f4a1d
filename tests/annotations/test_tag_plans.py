"""Facets and tags from what products say."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotations.actions.attribute_tags import ENOUGH_PRODUCTS, tags_from_attributes
from annotations.actions.imports import import_products
from annotations.actions.tag_plans import FacetPlan, TagPlan, TagsImported, apply_plans
from annotations.models import Catalogue, Facet, Product, Tag, TaxonomyRevision
from annotations.queries.taxonomy import Names


@pytest.fixture
def catalogue(db: None) -> Catalogue:
    return Catalogue.objects.create(slug="day", name="Day", languages=["en", "zh-hans"])


def fill(catalogue: Catalogue, rows: list[tuple[str, dict[str, list[str]]]]) -> None:
    Product.objects.bulk_create(
        Product(catalogue=catalogue, external_id=str(n), family=family, attributes=attributes)
        for n, (family, attributes) in enumerate(rows)
    )


def test_labels_slugs_order_and_spellings(catalogue: Catalogue) -> None:
    fill(
        catalogue,
        [
            ("", {"main_material": ["Wool"], "颜色": ["黑色"]}),
            ("", {"main_material": ["wool", "Cotton"]}),
            ("", {"Main material": ["Wool", "T-shirt", "t shirt"]}),
        ],
    )
    report = tags_from_attributes(catalogue=catalogue, user=None)
    assert (report.facets, report.tags, report.problems) == (2, 4, 0)
    material, colour = Facet.objects.filter(catalogue=catalogue)
    assert (material.slug, material.labels) == ("main_material", {"en": "Main material"})
    assert (colour.slug, colour.labels) == ("颜色", {"zh-hans": "颜色"})
    assert [(t.slug, t.labels, t.synonyms) for t in material.tags.all()] == [
        ("wool", {"en": "Wool"}, {}),
        ("cotton", {"en": "Cotton"}, {}),
        ("t-shirt", {"en": "T-shirt"}, {"en": ["t shirt"]}),
    ]
    assert colour.tags.get().labels == {"zh-hans": "黑色"}


def test_doing_it_again_changes_nothing_and_new_values_go_to_the_end(catalogue: Catalogue) -> None:
    fill(catalogue, [("", {"material": ["Wool"]}), ("", {"material": ["Cotton"]})])
    tags_from_attributes(catalogue=catalogue, user=None)
    before = list(Tag.objects.values())
    again = tags_from_attributes(catalogue=catalogue, user=None)
    assert (again.new_facets, again.new_tags, again.changed) == (0, 0, 0)
    assert list(Tag.objects.values()) == before
    Product.objects.create(catalogue=catalogue, external_id="new", attributes={"Material": ["Silk", "COTTON"]})
    more = tags_from_attributes(catalogue=catalogue, user=None)
    assert (more.new_facets, more.new_tags) == (0, 1)
    assert list(Tag.objects.values_list("slug", "position")) == [("cotton", 0), ("wool", 1), ("silk", 2)]


def test_single_choice_needs_enough_products_and_no_exception(catalogue: Catalogue) -> None:
    few = [("", {"few": ["a"]})] * (ENOUGH_PRODUCTS - 1)
    fill(catalogue, [("", {"one": ["a"], "two": ["a", "b"] if n == 7 else ["a"]}) for n in range(ENOUGH_PRODUCTS)])
    Product.objects.bulk_create(
        Product(catalogue=catalogue, external_id=f"few{n}", attributes=a) for n, (_f, a) in enumerate(few)
    )
    tags_from_attributes(catalogue=catalogue, user=None)
    assert dict(Facet.objects.values_list("slug", "kind")) == {"one": "single", "two": "multi", "few": "multi"}


def test_a_variant_axis_is_what_differs_inside_families(catalogue: Catalogue) -> None:
    rows = []
    for family in range(10):
        for colour in ("red", "blue"):
            slip = ["felt"] if family == 0 and colour == "red" else ["wool"]
            rows.append((f"F{family}", {"colour": [colour], "material": slip}))
    rows.append(("alone", {"colour": ["red"], "material": ["silk"]}))
    fill(catalogue, rows)
    tags_from_attributes(catalogue=catalogue, user=None)
    assert dict(Facet.objects.values_list("slug", "variant_axis")) == {"colour": True, "material": False}


def test_values_that_are_no_tags_are_problems(catalogue: Catalogue) -> None:
    fill(catalogue, [("", {"note": ["x" * 101, "short"], "serial": [f"S{n}"]}) for n in range(1000)])
    report = tags_from_attributes(catalogue=catalogue, user=None)
    assert {p.code for p in report.problem_list} == {"long-value", "nearly-unique"}
    assert report.problems == 2
    assert list(Tag.objects.values_list("slug", flat=True)) == ["short"]


def test_parents_are_found_by_name_and_never_form_a_ring(catalogue: Catalogue) -> None:
    plan = FacetPlan(
        "type",
        {"en": "Type"},
        [
            TagPlan("coat", {"en": "Coat"}, parent="Outerwear"),
            TagPlan("outerwear", {"en": "Outerwear"}),
            TagPlan("a", {"en": "A"}, parent="B"),
            TagPlan("b", {"en": "B"}, parent="A"),
            TagPlan("c", {"en": "C"}, parent="nowhere"),
        ],
    )
    report = TagsImported()
    apply_plans(catalogue=catalogue, plans=[plan], user=None, word="tags imported", report=report)
    parents = dict(Tag.objects.values_list("slug", "parent__slug"))
    assert parents == {"coat": "outerwear", "outerwear": None, "a": "b", "b": None, "c": None}
    assert [p.value for p in report.problem_list] == ["A", "nowhere"]
    assert TaxonomyRevision.objects.get().data == {"facets": 1, "tags": 5}


@pytest.mark.shared
def test_every_attribute_of_a_real_catalogue_finds_its_tag(catalogue: Catalogue, shared: Path) -> None:
    import_products(catalogue=catalogue, path=shared / "magento_luma_en" / "products.jsonl.gz")
    report = tags_from_attributes(catalogue=catalogue, user=None)
    assert (report.facets, report.tags, report.problems) == (16, 159, 0)
    names = Names.of(catalogue)
    for attributes in Product.objects.values_list("attributes", flat=True):
        for facet_name, values in attributes.items():
            facet = names.facet(facet_name)
            assert facet is not None
            assert all(names.tag(facet, value) for value in values)
    assert Facet.objects.get(slug="color").variant_axis
