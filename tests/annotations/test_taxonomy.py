"""Facets and tags: every change is numbered, told, and leads to a refit; names keep leading where they should."""

from __future__ import annotations

import pytest

from annotations.actions import naming, tag_requests, taxonomy
from annotations.actions.errors import Refused
from annotations.actions.tag_words import index_catalogue
from annotations.models import AuditEvent, Event, Facet, Job, QueueItem, Tag, TagRequest, TaxonomyRevision
from annotations.queries.taxonomy import Names, new_values, search_tags, tree
from tests.annotations.conftest import World


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("Color-Blocked", "color-blocked"),
        ("Größe", "grosse"),
        ("Crème brûlée", "creme-brulee"),
        ("黑色", "黑色"),
        ("健康 监测", "健康-监测"),
        ("Cotton & wool", "cotton-and-wool"),
        ("Lycra&reg;", "lycra"),
        ("eco_collection", "eco_collection"),
        ("100%", "100"),
        ("???", "tag"),
    ],
)
def test_slugs_are_readable(label: str, slug: str) -> None:
    assert naming.slug_of(label, set()) == slug
    assert naming.slug_of(label, {slug}) == f"{slug}-2"


def test_a_new_tag_is_numbered_told_and_leads_to_a_refit(world: World) -> None:
    lead = world.people["lead"]
    tag = taxonomy.add_tag(facet=world.facets["material"], labels={"en": "Merino wool", "zh-hans": "美利奴"}, user=lead)
    assert (tag.slug, tag.position) == ("merino-wool", 3)
    revision = TaxonomyRevision.objects.get()
    assert (revision.number, revision.word, revision.user) == (1, "tag added", lead)
    world.catalogue.refresh_from_db()
    assert world.catalogue.taxonomy_revision == 1
    event = AuditEvent.objects.get(word=Event.TAXONOMY_CHANGED)
    assert (event.user, event.target) == (lead, "merino-wool")
    assert Job.objects.filter(kind="refit").count() == 1


def test_a_name_that_is_taken_is_refused_in_any_spelling_and_language(world: World) -> None:
    for label in ("Wool", "WOOL", "羊毛"):
        with pytest.raises(Refused) as refusal:
            taxonomy.add_tag(facet=world.facets["material"], labels={"en": label}, user=None)
        assert refusal.value.code == "exists"
    assert not TaxonomyRevision.objects.exists()  # nothing half done
    taxonomy.add_tag(facet=world.facets["colour"], labels={"en": "Wool"}, user=None)  # another facet may


def test_an_old_name_still_leads_to_a_renamed_tag(world: World) -> None:
    taxonomy.rename_tag(tag=world.tags["black"], label="Jet", user=None)
    tag = Tag.objects.get(slug="black")
    assert (tag.labels["en"], tag.synonyms) == ("Jet", {"en": ["Black"]})
    names = Names.of(world.catalogue)
    facet = names.facet("colour")
    assert facet is not None
    assert {names.tag(facet, name) for name in ("black", "Black", "jet", "黑色")} == {tag}


def test_a_facet_cannot_take_one_value_where_products_stand_with_two(world: World) -> None:
    world.decide(world.products[0], cotton="accept", wool="accept")
    with pytest.raises(Refused) as refusal:
        taxonomy.edit_facet(facet=world.facets["material"], user=None, kind=Facet.Kind.SINGLE)
    assert refusal.value.details == {"products": 1}


def test_a_new_facet_reopens_the_products_it_applies_to(world: World) -> None:
    done, other = world.products[:2]
    other.category = "Home/Lamps"
    other.save()
    for product in (done, other):
        world.decide(product, complete="colour material")
    assert QueueItem.objects.filter(status="done").count() == 2
    taxonomy.add_facet(catalogue=world.catalogue, labels={"en": "Fit"}, user=None, categories=["Fashion"])
    assert QueueItem.objects.get(product=done).status == "queued"
    assert QueueItem.objects.get(product=other).status == "done"


def test_a_tag_never_stands_below_itself(world: World) -> None:
    cotton, wool = world.tags["cotton"], world.tags["wool"]
    taxonomy.move_tag(tag=wool, user=None, parent=cotton)
    wool.refresh_from_db()
    with pytest.raises(Refused):
        taxonomy.move_tag(tag=cotton, user=None, parent=wool)
    with pytest.raises(Refused):
        taxonomy.move_tag(tag=wool, user=None, parent=world.tags["red"])
    node = next(n for n in tree(world.catalogue) if n.facet.slug == "material")
    assert [(t.tag.slug, t.depth) for t in node.tags] == [("cotton", 0), ("wool", 1), ("leather", 0)]


def test_a_request_waits_once_and_becomes_a_tag_or_a_synonym(world: World) -> None:
    reviewer, lead = world.people["reviewer"], world.people["lead"]
    material = world.facets["material"]
    request = tag_requests.request_tag(facet=material, text="Linen", user=reviewer, product=world.products[0])
    assert tag_requests.request_tag(facet=material, text="linen", user=lead) == request
    with pytest.raises(Refused):
        tag_requests.request_tag(facet=material, text="羊毛", user=reviewer)
    assert [n.requests for n in tree(world.catalogue)] == [(), (request,)]
    tag = tag_requests.grant_request(request=request, user=lead)
    assert tag.slug == "linen"
    with pytest.raises(Refused) as refusal:
        tag_requests.decline_request(request=request, user=lead)
    assert refusal.value.code == "answered"
    other = tag_requests.request_tag(facet=material, text="Cow hide", user=reviewer)
    tag_requests.take_as_synonym(request=other, tag=world.tags["leather"], user=lead)
    third = tag_requests.request_tag(facet=material, text="Rubbish", user=reviewer)
    tag_requests.decline_request(request=third, user=lead)
    answered = {r.text: (r.answer, r.tag and r.tag.slug) for r in TagRequest.objects.filter(facet=material)}
    assert answered == {
        "Linen": ("granted", "linen"),
        "Cow hide": ("synonym", "leather"),
        "Rubbish": ("declined", None),
    }
    assert not new_values(world.catalogue).exists()  # a person's grant is no news to its owner
    assert Tag.objects.get(slug="leather").synonyms == {"en": ["Cow hide"]}
    assert not TagRequest.objects.filter(resolved_at=None).exists()


def test_a_refused_grant_leaves_the_request_waiting(world: World) -> None:
    request = tag_requests.request_tag(facet=world.facets["material"], text="Linen", user=world.people["reviewer"])
    with pytest.raises(Refused):
        tag_requests.grant_request(request=request, user=world.people["lead"], label="Wool")
    assert TagRequest.objects.filter(resolved_at=None).count() == 1


def test_type_ahead_finds_by_any_name_the_best_first(world: World) -> None:
    index_catalogue(catalogue=world.catalogue)
    taxonomy.add_tag(facet=world.facets["material"], labels={"en": "Wool felt"}, user=None)
    taxonomy.add_tag(facet=world.facets["material"], labels={"en": "Cool wool"}, user=None)
    assert [t.slug for t in search_tags(world.catalogue, "wool")] == ["wool", "wool-felt", "cool-wool"]
    assert [t.slug for t in search_tags(world.catalogue, "皮")] == ["leather"]
    assert [t.slug for t in search_tags(world.catalogue, "o", facet=world.facets["colour"])] == []
    assert search_tags(world.catalogue, " ") == []
    taxonomy.retire_tag(tag=world.tags["wool"], user=None)
    assert [t.slug for t in search_tags(world.catalogue, "wool")] == ["wool-felt", "cool-wool"]


def test_the_tree_takes_four_queries_however_large(world: World, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for n in range(30):
        Tag.objects.create(facet=world.facets["material"], slug=f"m{n}", labels={"en": f"M {n}"}, position=10 + n)
    with django_assert_num_queries(4):
        nodes = tree(world.catalogue)
    assert [len(n.tags) for n in nodes] == [3, 33]
