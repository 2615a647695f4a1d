"""Relations that the decisions speak for: found, accepted as rules, declined for good, kept to by the model."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotations import bridge
from annotations.actions import relations
from annotations.actions.decide import Card, Choice, Circumstances, save_cards
from annotations.actions.errors import NotFound
from annotations.bridge.rows import schema_of
from annotations.models import Job, Product, QueueItem, Tag, TaxonomyRevision
from annotations.queries.relations import relation_proposals
from annotations.tasks.run import run_now

from .conftest import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def decided(world: World) -> World:
    """Wool and leather are never together, leather is in Shoes alone; black and cotton often come together."""
    cards = []
    for n in range(160):
        shoes = n % 4 == 0
        product = Product.objects.create(
            catalogue=world.catalogue,
            external_id=f"D-{n}",
            title=f"Thing {n}",
            category="Shoes/Boots" if shoes else "Fashion/Coats",
        )
        QueueItem.objects.create(product=product, catalogue=world.catalogue, status=QueueItem.Status.QUEUED)
        tags = ["leather"] if shoes else ["wool"] if n % 2 else ["cotton", "black"]
        if shoes and n % 3 == 0:
            tags.append("cotton")
        cards.append(Card(product, tuple(Choice(world.tags[t], "accept") for t in tags), tuple(world.facets.values())))
    save_cards(catalogue=world.catalogue, cards=cards, by=Circumstances(world.people["reviewer"], "reviewer"))
    return world


def looked(world: World) -> set[tuple[str, str, str]]:
    assert run_now(relations.request_look(catalogue=world.catalogue, user=world.people["lead"])).state == "done"
    return {(p.kind, p.first.slug, p.second.slug if p.second else "") for p in relation_proposals(world.catalogue)}


def key(kind: str, first: Tag, second: Tag | None = None) -> str:
    return f"{kind}:{first.pk}:{second.pk if second else ''}"


def test_found_accepted_and_not_proposed_again(decided: World) -> None:
    found = looked(decided)
    assert {("excludes", "wool", "leather"), ("category", "leather", "")} <= found
    wool, leather = decided.tags["wool"], decided.tags["leather"]
    lead = decided.people["lead"]
    before = TaxonomyRevision.objects.filter(catalogue=decided.catalogue).count()
    relations.accept_relation(catalogue=decided.catalogue, key=key("excludes", wool, leather), user=lead)
    relations.accept_relation(catalogue=decided.catalogue, key=key("category", leather), user=lead)
    assert TaxonomyRevision.objects.filter(catalogue=decided.catalogue).count() == before + 2
    assert list(wool.not_with.all()) == [leather]
    leather.refresh_from_db()
    assert leather.categories == ["Shoes"]
    left = {(p.kind, p.first.slug) for p in relation_proposals(decided.catalogue)}
    assert ("excludes", "wool") not in left and ("category", "leather") not in left
    schema = schema_of(decided.catalogue)
    spec = schema.tag_specs[schema.column("material", "leather") or 0]
    assert (spec.categories, spec.not_with) == (("Shoes",), (("material", "wool"),)), "the model keeps to it"
    with pytest.raises(NotFound):
        relations.accept_relation(catalogue=decided.catalogue, key=key("excludes", wool, leather), user=lead)


def test_declined_it_does_not_come_back(decided: World) -> None:
    looked(decided)
    wool, leather = decided.tags["wool"], decided.tags["leather"]
    relations.decline_relation(
        catalogue=decided.catalogue, key=key("excludes", wool, leather), user=decided.people["lead"]
    )
    assert ("excludes", "wool", "leather") not in looked(decided)
    assert not wool.not_with.exists()


def test_without_decisions_nothing_is_learned(world: World) -> None:
    assert bridge.learned_relations(world.catalogue) == [] and looked(world) == set()


def test_the_page(decided: World) -> None:
    lead = Client()
    lead.force_login(decided.people["lead"])
    where = reverse("taxonomy_relations", args=["shop"])
    assert "Nobody has looked yet" in lead.get(where).content.decode()
    assert lead.post(reverse("taxonomy_relations_look", args=["shop"])).status_code == 302
    run_now(Job.objects.get(kind="relations"))
    page = lead.get(where).content.decode()
    assert "never together" in page and "in these categories alone" in page
    decide = reverse("taxonomy_relation", args=["shop"])
    wanted = key("category", decided.tags["leather"])
    assert lead.post(decide, {"verdict": "accept", "key": wanted}).status_code == 302
    assert lead.post(decide, {"verdict": "accept", "key": wanted}).status_code == 404
    assert lead.post(decide, {"verdict": "?", "key": wanted}).status_code == 422
