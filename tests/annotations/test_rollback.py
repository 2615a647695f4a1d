"""Rollback: what was suggested before the promotion stands again, byte for byte, however far the rescoring had come."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotations.actions import former, learning, suggestions, training
from annotations.actions.decide import Card, Choice, save_card
from annotations.models import (
    AuditEvent,
    Catalogue,
    Event,
    FormerSuggestions,
    Job,
    ModelVersion,
    Product,
    QueueItem,
    Suggestion,
    TrainingRun,
)
from annotations.tasks.run import run_now
from tests.ml.bundles import full_bundle
from tests.ml.catalogue import products, schema

from .conftest import World, build_world

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = {"black": "night coal", "red": "fire cherry", "white": "snow chalk"}


@pytest.fixture
def world(settings: Any, tmp_path: Path) -> World:
    """Sixty products whose titles tell the colour, half of them decided, a head fitted and its suggestions stored."""
    settings.MODELS_ROOT, settings.PACKAGED_ENCODER = tmp_path / "models", False
    world = build_world(products=0)
    drawn = random.Random(0)
    for number in range(60):
        colour = drawn.choice(list(WORDS))
        words = f"{drawn.choice(WORDS[colour].split())} {drawn.choice(['shirt', 'coat', 'scarf', 'boot'])} {number}"
        product = Product.objects.create(catalogue=world.catalogue, external_id=f"n{number}", title=words)
        QueueItem.objects.create(product=product, catalogue=world.catalogue)
        world.products.append(product)
        if number % 2:
            decide(world, product, colour)
    run_now(learning.request_refit(catalogue=world.catalogue))
    run_now(learning.request_score(catalogue=world.catalogue, everything=True))
    finish_all()
    return world


def decide(world: World, product: Product, colour: str) -> None:
    card = Card(product, (Choice(world.tags[colour], "accept"),), (world.facets["colour"],))
    save_card(card=card, version=world.version(product), by=world.by())


def candidate(world: World, settings: Any, number: int = 900) -> ModelVersion:
    bundle = full_bundle(settings.MODELS_ROOT / f"full-{number}", schema(), products())
    return ModelVersion.objects.create(
        catalogue=world.catalogue, number=number, tier="full", path=f"full-{number}", sha256=bundle.hash
    )


def stored(catalogue: Catalogue) -> list[tuple[Any, ...]]:
    rows = Suggestion.objects.filter(product__catalogue=catalogue).order_by("product", "tag")
    return list(rows.values_list("product", "tag", "score", "band", "source", "spans", "model_version"))


def finish_all() -> None:
    while (job := Job.objects.filter(state=Job.State.QUEUED).order_by("created_at").first()) is not None:
        assert run_now(job).state in ("done", "cancelled"), job.error


def promote(world: World, model: ModelVersion) -> None:
    training.promote(catalogue=world.catalogue, model=model, user=world.people["admin"])


@pytest.mark.long
def test_what_was_suggested_before_stands_again_byte_for_byte(world: World, settings: Any) -> None:
    before, head = stored(world.catalogue), Catalogue.objects.get().serving
    assert len(before) > 60 and head is not None
    model = candidate(world, settings)
    promote(world, model)
    finish_all()
    rescored = stored(world.catalogue)
    assert rescored != before and Catalogue.objects.get().serving.encoder == model  # type: ignore[union-attr]
    for product in world.products[:20:2]:
        decide(world, product, "black")  # people go on meanwhile
    finish_all()

    training.rollback(catalogue=world.catalogue, user=world.people["admin"])
    now = Catalogue.objects.get()
    assert (now.encoder, now.serving) == (None, head), "the former head suggests at once"
    assert Job.objects.live().values_list("kind", flat=True).get() == "restore", "nothing scores over it"
    page = Client()
    page.force_login(world.people["admin"])
    assert "Suggestions follow" in page.get(reverse("training", args=["shop"])).content.decode()
    job = run_now(Job.objects.live().get())
    assert (job.state, job.result) == ("done", {"restored": 60, "changed": 0})
    assert stored(world.catalogue) == before
    assert not FormerSuggestions.objects.exists()
    assert AuditEvent.objects.filter(word=Event.MODEL_ROLLED_BACK, target=model.name).count() == 1


def test_the_control_scoring_again_with_the_former_head_does_not_give_them_back(world: World, settings: Any) -> None:
    before = stored(world.catalogue)
    head = Catalogue.objects.get().serving
    promote(world, candidate(world, settings))
    finish_all()
    FormerSuggestions.objects.all().delete()  # as if nothing had been kept
    training.rollback(catalogue=world.catalogue, user=None)
    finish_all()
    assert Catalogue.objects.get().serving == head and stored(world.catalogue) != before


def test_half_way_through_the_rescoring(world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotations.bridge.order.FRONT", 10)
    before = stored(world.catalogue)
    promote(world, candidate(world, settings))
    run_now(Job.objects.live().get(kind="refit"))  # the head of the queue alone
    touched = FormerSuggestions.objects.count()
    assert 0 < touched < 60
    training.rollback(catalogue=world.catalogue, user=None)
    assert not Job.objects.live().filter(kind="score").exists(), "the rest is not scored by the model that went"
    finish_all()
    assert stored(world.catalogue) == before


def test_what_the_promoted_model_still_writes_after_the_rollback_changes_nothing(world: World, settings: Any) -> None:
    model = candidate(world, settings)
    promote(world, model)
    finish_all()
    newer = Catalogue.objects.get().serving
    training.rollback(catalogue=world.catalogue, user=None)
    finish_all()
    before = stored(world.catalogue)
    late = suggestions.ProductSuggestions(
        world.products[0].pk, [suggestions.SuggestedTag(world.tags["red"].pk, 0.99, "strong", "model")]
    )
    with pytest.raises(suggestions.Superseded):
        suggestions.store(suggestions=[late], model=newer)
    assert stored(world.catalogue) == before
    fields = {"path": "late", "sha256": "", "metrics": {}, "card": {}, "decided_seq": 0}
    adopted = learning.adopt_instant(catalogue=world.catalogue, encoder=model, promoted=model.pk, **fields)
    assert adopted is None and Catalogue.objects.get().serving != newer


def test_changed_products_and_gone_tags_are_left_alone(world: World, settings: Any) -> None:
    before = stored(world.catalogue)
    promote(world, candidate(world, settings))
    finish_all()
    changed = world.products[0]
    Product.objects.filter(pk=changed.pk).update(title="snow boot", revision=2)
    kept = [row for row in stored(world.catalogue) if row[0] == changed.pk]
    world.tags["red"].retired_at = world.tags["red"].created_at = "2026-01-01T00:00Z"
    type(world.tags["red"]).objects.filter(pk=world.tags["red"].pk).update(retired_at="2026-01-01T00:00Z")
    training.rollback(catalogue=world.catalogue, user=None)
    job = run_now(Job.objects.live().get(kind="restore"))
    assert job.result == {"restored": 59, "changed": 1}
    after = stored(world.catalogue)
    assert [row for row in after if row[0] == changed.pk] == kept
    rest = [row for row in before if row[0] != changed.pk and row[1] != world.tags["red"].pk]
    assert [row for row in after if row[0] != changed.pk] == rest


@pytest.mark.long
def test_two_back_and_promoted_again(world: World, settings: Any) -> None:
    first_state = stored(world.catalogue)
    one, two = candidate(world, settings, 900), candidate(world, settings, 901)
    promote(world, one)
    finish_all()
    second_state = stored(world.catalogue)
    promote(world, two)
    finish_all()
    training.rollback(catalogue=world.catalogue, user=None)
    finish_all()
    assert stored(world.catalogue) == second_state
    training.rollback(catalogue=world.catalogue, user=None)
    finish_all()
    assert stored(world.catalogue) == first_state
    promote(world, one)
    assert former.restore_some(world.catalogue, one.pk) is None, "in use again: nothing is taken from it"
    finish_all()
    training.rollback(catalogue=world.catalogue, user=None)
    finish_all()
    assert stored(world.catalogue) == first_state


@pytest.mark.long
def test_a_head_whose_files_are_gone_is_fitted_anew(world: World, settings: Any) -> None:
    head = Catalogue.objects.get().serving
    promote(world, candidate(world, settings))
    finish_all()
    assert head is not None
    (settings.MODELS_ROOT / head.path / "bundle.json").unlink()
    training.rollback(catalogue=world.catalogue, user=None)
    assert set(Job.objects.live().values_list("kind", flat=True)) == {"refit", "score"}
    finish_all()
    assert Catalogue.objects.get().serving.encoder is None  # type: ignore[union-attr]


@pytest.mark.long
def test_the_head_that_a_rollback_needs_is_not_tidied_away(world: World, settings: Any) -> None:
    head = Catalogue.objects.get().serving
    promote(world, candidate(world, settings))
    finish_all()
    assert head is not None and not TrainingRun.objects.exists()
    for number in range(8):
        decide(world, world.products[2 * number], "black")
        run_now(learning.request_refit(catalogue=world.catalogue))
    assert training.has_files(head)
    instant = ModelVersion.objects.filter(tier="instant")
    assert sum(map(training.has_files, instant)) < instant.count(), "others are"
