"""Blocked words are suggested nowhere and listed where they come in; personal data reaches no model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotations import bridge
from annotations.actions import safety, suggestions
from annotations.actions.errors import Refused
from annotations.actions.import_tags import import_tags
from annotations.actions.imports import import_products
from annotations.actions.new_values import take_values
from annotations.actions.proposals import look
from annotations.bridge.rows import Examples, schema_of
from annotations.models import Facet, ImportBatch, ImportProblem, Job, Product, Suggestion, Tag, WordRule
from annotations.queries import examples, proposals
from annotations.queries import safety as questions
from annotations.tasks.run import run_now

from .conftest import World

pytestmark = pytest.mark.django_db(transaction=True)


def block(world: World, *words: str, kind: str = "block") -> int:
    return safety.add_words(catalogue=world.catalogue, user=world.people["lead"], kind=kind, words=words)


def test_a_tag_with_a_blocked_word_is_suggested_by_nobody(world: World) -> None:
    wool, black = world.tags["wool"], world.tags["black"]
    for tag in (wool, black):
        Suggestion.objects.create(product=world.products[0], tag=tag, score=0.9, band="strong")
    assert block(world, "WOOL", "羊毛", "wool") == 2
    assert set(questions.blocked_tags(world.catalogue)) == {wool.pk}
    assert [s.tag_id for s in Suggestion.objects.all()] == [black.pk], "what was suggested goes at once"
    assert ("material", "wool") not in suggestions.tag_ids(world.catalogue)
    assert ("colour", "black") in suggestions.tag_ids(world.catalogue)


def test_synonyms_and_other_languages_count_and_an_allowed_phrase_spares(world: World) -> None:
    Tag.objects.filter(pk=world.tags["leather"].pk).update(synonyms={"en": ["genuine hide"]})
    block(world, "hide", "棉")
    assert set(questions.blocked_tags(world.catalogue)) == {world.tags["leather"].pk, world.tags["cotton"].pk}
    block(world, "genuine hide", kind="allow")
    assert set(questions.blocked_tags(world.catalogue)) == {world.tags["cotton"].pk}
    (rule,) = WordRule.objects.filter(key="棉")
    assert safety.remove_words(catalogue=world.catalogue, user=world.people["lead"], pks=[rule.pk]) == 1
    assert questions.blocked_tags(world.catalogue) == {}
    assert Job.objects.filter(kind="score").exists(), "what is allowed again is suggested again"


def test_models_suggest_it_no_more(world: World, tmp_path: Path, settings: Any) -> None:
    from annotations.actions.learning import request_refit

    settings.MODELS_ROOT, settings.PACKAGED_ENCODER = tmp_path, False
    for product in world.products[:2]:
        world.decide(product, black="accept", wool="accept", complete="colour material")
    assert run_now(request_refit(catalogue=world.catalogue)).state == "done"
    row = {"id": "x", "title": "Black wool coat", "category": "Fashion/Coats"}
    world.catalogue.refresh_from_db()

    def said() -> set[str]:
        (answer,) = bridge.suggest(world.catalogue, [row])
        stored = Suggestion.objects.values_list("tag__slug", flat=True)
        return {t["tag"] for tags in answer["suggestions"].values() for t in tags} | set(stored)

    assert {"black", "wool"} <= said()
    block(world, "wool")
    assert "black" in said() and "wool" not in said()
    run_now(request_refit(catalogue=world.catalogue))
    world.catalogue.refresh_from_db()
    assert "wool" not in said()


def imported(world: World, tmp_path: Path, text: str, **more: Any) -> ImportBatch:
    path = tmp_path / "feed.csv"
    path.write_text(text, encoding="utf-8")
    return import_products(catalogue=world.catalogue, path=path, user=world.people["lead"], **more)


FEED = "id,title,Material\nN-1,Miracle tea cures colds,Wool\nN-2,Plain tea,Cotton\nN-3,抗癌保健茶,Hide of cures\n"


def test_what_comes_in_with_a_file_is_listed(world: World, tmp_path: Path) -> None:
    block(world, "cures", "抗癌", "wool")
    batch = imported(world, tmp_path, FEED, attributes_as="suggestions")
    listed = {(p.line, p.column, p.params["detail"]) for p in ImportProblem.objects.filter(code="blocked-word")}
    assert listed == {(2, "title", "cures"), (2, "Material", "wool"), (4, "title", "抗癌"), (4, "Material", "cures")}
    assert batch.created == 3, "the rows are taken all the same"
    said = set(Suggestion.objects.values_list("product__external_id", "tag__slug"))
    assert said == {("N-2", "cotton")}
    assert len(questions.imported(world.catalogue)) == 4


def test_the_control_without_lists_nothing_is_listed(world: World, tmp_path: Path) -> None:
    imported(world, tmp_path, FEED, attributes_as="suggestions")
    assert not ImportProblem.objects.filter(code="blocked-word").exists()
    assert ("N-1", "wool") in set(Suggestion.objects.values_list("product__external_id", "tag__slug"))


def test_no_tag_is_made_of_it_and_none_proposed(world: World) -> None:
    brand = Facet.objects.create(
        catalogue=world.catalogue, slug="brand", labels={"en": "Brand"}, kind="open", position=9
    )
    block(world, "cures")
    made = take_values(
        catalogue=world.catalogue, values=[(brand, "Acme", None), (brand, "Acme Cures", None)], user=None
    )
    assert [tag.label for tag in made] == ["Acme"]
    Product.objects.filter(catalogue=world.catalogue).update(attributes={"Material": ["Cures All", "Linen"]})
    look(catalogue=world.catalogue)
    found = {p.text for p in proposals.proposals(world.catalogue) if p.kind == proposals.VALUE}
    assert "Cures All" not in found


def test_a_tag_list_with_one_says_so(world: World, tmp_path: Path) -> None:
    block(world, "cures")
    path = tmp_path / "tags.csv"
    path.write_text("facet,tag\nMaterial,Cures all\nMaterial,Linen\n", encoding="utf-8")
    report = import_tags(catalogue=world.catalogue, path=path, user=world.people["lead"])
    assert [(p.code, p.line) for p in report.problem_list] == [("blocked-tag", 2)]
    assert Tag.objects.filter(slug="cures-all").exists() and questions.blocked_tags(world.catalogue)


def test_starter_lists(world: World) -> None:
    lead = world.people["lead"]
    n = safety.take_starter(catalogue=world.catalogue, user=lead, group="health")
    assert n > 80 and safety.take_starter(catalogue=world.catalogue, user=lead, group="health") == 0
    assert safety.remove_words(catalogue=world.catalogue, user=lead, group="health") == n
    for bad in (
        {"kind": "x", "words": ["a"]},
        {"kind": "block", "words": [" "]},
        {"kind": "block", "words": ["x" * 101]},
    ):
        with pytest.raises(Refused):
            safety.add_words(catalogue=world.catalogue, user=lead, **bad)


def test_personal_data_reaches_no_example(world: World) -> None:
    """Whatever a model reads, in training or in serving, goes through here."""
    product = world.products[0]
    product.title, product.description = "Coat, call +49 30 1234567", "mia@example.com, 13812345678"
    product.attributes = {"Colour": ["black; (415) 555-2671"]}
    product.save()
    world.decide(product, black="accept")
    (facts,) = examples.decided_facts(world.catalogue)
    example = Examples(schema_of(world.catalogue)).of(facts)
    text = json.dumps(example.to_json(), ensure_ascii=False)
    for secret in ("1234567", "mia@", "13812345678", "555-2671"):
        assert secret not in text
    assert len(example.texts["title"]) == len(product.title), "evidence keeps its place"
    assert Product.objects.get(pk=product.pk).description == product.description, "the product itself stays"


def test_the_directory_of_a_training_holds_none(world: World, tmp_path: Path) -> None:
    for n, product in enumerate(world.products):
        Product.objects.filter(pk=product.pk).update(description=f"write to person{n}@example.com")
    world.decide(world.products[0], black="accept", complete="colour")
    bridge.write_job_directory(world.catalogue, tmp_path / "job", bridge.checked_plan({"preset": "quick"}))
    written = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "job").iterdir())
    assert "Black wool coat" in written and "@example.com" not in written


def test_a_look_through_the_products(world: World) -> None:
    Product.objects.filter(pk=world.products[0].pk).update(description="cures all, mia@example.com")
    block(world, "cures", "wool")
    job = run_now(safety.request_scan(catalogue=world.catalogue, user=world.people["lead"]))
    assert dict(job.result["words"]) == {"cures": 1, "wool": 4} and job.result["personal"] == [["email", 1]]
    assert "mia@" not in json.dumps(job.result)


def test_the_page(world: World) -> None:
    lead = Client()
    lead.force_login(world.people["lead"])
    where = reverse("words", args=["shop"])
    assert (
        lead.post(reverse("words_add", args=["shop"]), {"kind": "block", "words": "wool\n<b>x</b>\n"}).status_code
        == 302
    )
    assert lead.post(reverse("words_starter", args=["shop"]), {"group": "protected"}).status_code == 302
    assert lead.post(reverse("words_starter", args=["shop"]), {"group": "nonsense"}).status_code == 422
    lead.post(reverse("words_scan", args=["shop"]))
    run_now(Job.objects.get(kind="word_scan"))
    page = lead.get(where).content.decode()
    assert "&lt;b&gt;x&lt;/b&gt;" in page and "4 products, looked through" in page and "Wool" in page
    rule = WordRule.objects.get(key="wool")
    lead.post(reverse("words_remove", args=["shop"]), {"word": rule.pk})
    lead.post(reverse("words_remove", args=["shop"]), {"group": "protected"})
    assert list(WordRule.objects.values_list("key", flat=True)) == ["<b>x</b>"]
