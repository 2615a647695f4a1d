"""What the catalogue proposes for its taxonomy: each kind found, nothing that is known, and what becomes of it."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from annotations.actions.errors import Refused
from annotations.actions.proposals import accept_as_synonym, accept_as_tag, decline_proposal, look
from annotations.actions.taxonomy import retire_tag
from annotations.models import AuditEvent, ChosenEvidence, Decision, DeclinedProposal, Job, Product, QueueItem, Tag
from annotations.queries import frequent_words, proposals
from annotations.tasks.run import run_now
from tests.annotations.conftest import World


def found(world: World, kind: str) -> dict[str, proposals.Proposal]:
    look(catalogue=world.catalogue)
    return {p.text: p for p in proposals.proposals(world.catalogue) if p.kind == kind}


def more(world: World, title: str, n: int, **fields: Any) -> list[Product]:
    made = []
    for _ in range(n):
        made.append(
            Product.objects.create(
                catalogue=world.catalogue, external_id=uuid.uuid4().hex, title=title, category="Fashion", **fields
            )
        )
        QueueItem.objects.create(product=made[-1], catalogue=world.catalogue, status=QueueItem.Status.QUEUED)
    return made


@pytest.fixture
def shop(world: World) -> World:
    """Charcoal is called black by people, mauve by nobody yet, and jet stands in two products alone."""
    charcoal = more(world, "Coat", 5, attributes={"Colour": ["charcoal"]})
    for product in charcoal[:4]:
        world.decide(product, black="add")
    world.decide(charcoal[4], red="add")
    for product in more(world, "Scarf", 4, attributes={"colour": ["RED"]}):
        world.decide(product, red="add")
    more(world, "Hat", 3, attributes={"colour": ["Mauve"], "weather": ["rain"]})
    more(world, "Hat", 2, attributes={"colour": ["jet"]})
    return world


def test_values_and_synonyms_are_found_with_what_speaks_for_them(shop):
    synonyms, values = found(shop, "synonym"), found(shop, "value")
    charcoal = synonyms["charcoal"]
    assert (charcoal.tag, charcoal.count, charcoal.of) == (shop.tags["black"], 4, 5)
    assert all(title == "Coat" for _, title in charcoal.products)
    assert list(synonyms) == ["charcoal"]
    assert {text: (p.facet.slug, p.count) for text, p in values.items()} == {"Mauve": ("colour", 3)}, (
        "a tag, a rare value, another property and a synonym's value are none"
    )


def test_a_tag_that_stands_everywhere_has_no_new_words(world):
    for product in more(world, "Coat", 4, attributes={"colour": ["night"]}) + more(world, "Coat", 6):
        world.decide(product, black="add")
    assert found(world, "synonym") == {}
    assert list(found(world, "value")) == ["night"]


def test_words_that_reviewers_point_at_become_synonyms(world):
    for n, product in enumerate(world.products[:3]):
        Product.objects.filter(pk=product.pk).update(title="Onyx coat, warm")
        world.decide(product, black="add")
        decision = Decision.objects.get(product=product, verdict="add")
        ChosenEvidence.objects.create(
            decision=decision, spans=[{"field": "title", "start": 0, "end": 4 if n < 2 else 9}]
        )
    synonyms = found(world, "synonym")
    assert {text: (p.tag.slug, p.count) for text, p in synonyms.items()} == {"Onyx": ("black", 2)}
    world.decide(world.products[0], black="remove")
    assert found(world, "synonym") == {}, "what was taken back speaks for nothing"


def test_frequent_words_are_clustered_and_known_ones_left_out(world):
    more(world, "Waterproof jacket, black", 6)
    more(world, "Waterproof jackets with red hood", 6)
    more(world, "防水冲锋衣 黑色 2024", 7)
    more(world, "Acme lantern", 8, supplier="Acme")
    words = found(world, "words")
    texts = " ".join(words)
    assert "waterproof jacket" in words
    assert ("waterproof", 12) in words["waterproof jacket"].words
    assert "防水冲锋衣" in words
    assert words["waterproof jacket"].count == 12
    assert len([text for text in words if "水" in text or "衣" in text]) == 1, "pieces of one phrase are one cluster"
    assert "lantern" in words
    for known in ("acme", "black", "red", "黑色", "2024", "with"):
        assert known not in texts


def test_grams_of_titles():
    assert list(frequent_words.grams("Set of 2 Café-Cups, blue")) == ["café", "cups", "café cups", "blue"]
    assert list(frequent_words.grams("棉T恤")) == []
    assert set(frequent_words.grams("运动鞋")) == {"运动", "动鞋", "运动鞋"}
    assert frequent_words.stem("accessories") == frequent_words.stem("accessory")


def test_accepted_it_is_a_tag_or_a_synonym_and_declined_it_stays_away(shop):
    lead = shop.people["lead"]
    made = accept_as_tag(facet=shop.facets["colour"], text="mauve", user=lead)
    assert made.labels == {"en": "Mauve"}
    black = accept_as_synonym(tag=shop.tags["black"], text="charcoal", user=lead)
    assert Tag.objects.get(pk=black.pk).synonyms == {"en": ["charcoal"]}
    assert found(shop, "value") == found(shop, "synonym") == {}
    with pytest.raises(Refused):
        accept_as_synonym(tag=shop.tags["red"], text="Charcoal", user=lead)
    retire_tag(tag=made, user=lead)
    assert found(shop, "value") == {}, "a retired name is somebody's decision"


def test_a_declined_synonym_may_still_be_a_tag_and_then_nothing(shop):
    lead, colour = shop.people["lead"], shop.facets["colour"]
    said = {"catalogue": shop.catalogue, "text": "Charcoal", "facet": colour, "user": lead}
    for _ in range(2):
        decline_proposal(kind="synonym", tag=shop.tags["black"], **said)
    assert DeclinedProposal.objects.count() == 1
    assert AuditEvent.objects.filter(data__what="proposal declined").count() == 1
    assert found(shop, "synonym") == {}
    assert set(found(shop, "value")) == {"charcoal", "Mauve"}
    decline_proposal(kind="value", **said)
    assert set(found(shop, "value")) == {"Mauve"}


def test_queries_are_few_and_a_large_catalogue_is_sampled(shop, django_assert_num_queries, monkeypatch):
    more(shop, "Lantern", 16)
    with django_assert_num_queries(15):
        look(catalogue=shop.catalogue)
    with django_assert_num_queries(5):
        proposals.proposals(shop.catalogue)
    monkeypatch.setattr(proposals, "SAMPLE", 24)
    with django_assert_num_queries(13 + 5):  # what it found is there, and replaced
        assert found(shop, "words")["lantern"].count == 8


def test_the_page_by_plain_forms(shop):
    client = Client()
    client.force_login(shop.people["lead"])
    page, send = (reverse(name, args=["shop"]) for name in ("taxonomy_proposals", "taxonomy_proposal"))
    assert "Nobody has looked yet" in client.get(page).content.decode()
    assert client.post(reverse("taxonomy_proposals_look", args=["shop"])).status_code == 302
    job = Job.objects.get(kind="proposals")
    assert f'id="job-{job.pk}"' in client.get(page).content.decode()
    assert run_now(job).state == "done" and job.result["products"] == 18
    html = client.get(page).content.decode()
    assert "charcoal" in html
    assert "Mauve" in html
    assert html.count('class="at"') == 1
    colour, black = shop.facets["colour"].pk, shop.tags["black"].pk
    client.post(send, {"verdict": "accept", "kind": "synonym", "text": "charcoal", "tag": black, "at": 0})
    answer = client.post(send, {"verdict": "decline", "kind": "value", "text": "Mauve", "facet": colour, "at": 3})
    assert answer["Location"] == f"{page}?at=3"
    html = client.get(page).content.decode()
    assert "Mauve" not in html
    declined = DeclinedProposal.objects.get()
    assert (declined.kind, declined.facet_id) == ("value", colour)
    listed, back = reverse("taxonomy_declined", args=["shop"]), ["shop", declined.pk]
    assert "Mauve" in client.get(listed).content.decode()
    assert client.post(reverse("taxonomy_declined_back", args=back)).status_code == 302
    assert client.post(reverse("taxonomy_declined_back", args=back)).status_code == 404  # somebody was quicker
    assert "Mauve" in client.get(page).content.decode()
    assert "Nothing was declined" in client.get(listed).content.decode()
    assert Tag.objects.get(pk=black).synonyms == {"en": ["charcoal"]}
    refused = client.post(send, {"verdict": "accept", "kind": "words", "text": "hat"})
    assert refused.status_code == 422
    client.post(send, {"verdict": "accept", "kind": "words", "text": "rain hat", "facet": colour})
    assert Tag.objects.filter(facet=colour, labels={"en": "Rain hat"}).exists()
    assert client.post(send, {"verdict": "accept", "kind": "synonym", "text": "x", "tag": 0}).status_code == 404


def test_the_command(shop):
    out = io.StringIO()
    call_command("propose_tags", "shop", "--json", stdout=out)
    first = json.loads(out.getvalue())["proposals"][0]
    assert (first["kind"], first["text"], first["facet"], first["tag"], first["count"], first["of"]) == (
        "synonym", "charcoal", "colour", "black", 4, 5
    )  # fmt: skip
    out = io.StringIO()
    call_command("propose_tags", "shop", stdout=out)
    assert "charcoal  colour/black" in out.getvalue()


def test_values_that_a_model_reads_in_texts_are_proposed_like_those_of_attributes(shop, monkeypatch):
    """Teal, which the titles say, and what the titles of black coats say; what is known or rare is left out."""
    from annotations import bridge
    from annotations.models import ModelVersion

    full = ModelVersion.objects.create(catalogue=shop.catalogue, number=9, tier=ModelVersion.Tier.FULL, path="full/9")
    shop.catalogue.encoder = full
    shop.catalogue.save()
    teal = more(shop, "Teal hat", 3)
    jet = list(Product.objects.filter(title="Coat"))

    def read(catalogue, products):
        assert catalogue == shop.catalogue and set(products) == set(Product.objects.values_list("pk", flat=True))
        yield from ((p.pk, "colour", "Teal") for p in teal)
        yield from ((p.pk, "colour", "jet") for p in jet)
        yield from ((p.pk, "colour", "Red") for p in teal)
        yield teal[0].pk, "colour", "x" * 61
        yield teal[0].pk, "no such facet", "Teal"
        yield 10**9, "colour", "gone"

    monkeypatch.setattr(bridge, "open_values", read)
    assert found(shop, "value")["Teal"].count == 3
    assert found(shop, "synonym")["jet"].tag == shop.tags["black"]
    assert "Red" not in found(shop, "value")


def test_what_is_read_is_sure_and_no_tag(world, monkeypatch):
    from annotations.bridge import values
    from ml.examples import Span
    from ml.schema import Schema
    from ml.serving.spans import Value

    product = more(world, "Teal and black hat", 1)[0]

    class Reader:
        schema = Schema(())

        def read(self, examples):
            assert [e.texts["title"] for e in examples] == ["Teal and black hat"]
            span = Span("title", 0, 4)
            said = [("Teal", "", 0.9), ("black", "black", 0.9), ("hat", "", 0.4)]
            return [[Value("colour", text, tag, score, span) for text, tag, score in said]]

    monkeypatch.setattr(values, "span_reader", lambda full, encoders: Reader())
    monkeypatch.setattr(values, "sentence_encoders", lambda catalogue, say: [])
    assert list(values.open_values(world.catalogue, [product.pk])) == [(product.pk, "colour", "Teal")]
    monkeypatch.setattr(values, "span_reader", lambda full, encoders: None)
    assert list(values.open_values(world.catalogue, [product.pk])) == []
