"""What follows from decisions besides suggestions: a proof of what the order brings, and the guard that it feeds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotations.actions import learning
from annotations.actions.decide import Card, Choice, save_card
from annotations.models import Job, Product, QueueItem, Tag
from annotations.queries import asking
from annotations.tasks.run import run_now

from .conftest import World, build_world

WORDS = {"black": "night coal", "red": "fire cherry", "white": "snow chalk"}


@pytest.fixture
def taught(db: None, settings: Any, tmp_path: Any) -> Iterator[World]:
    """Sixty products whose titles tell the colour, all decided on, every third blind."""
    settings.MODELS_ROOT = tmp_path / "models"
    world = build_world(products=0)
    drawn = random.Random(0)
    for number in range(60):
        colour = drawn.choice(list(WORDS))
        words = f"{drawn.choice(WORDS[colour].split())} {drawn.choice(['shirt', 'coat', 'scarf', 'boot'])} {number}"
        product = Product.objects.create(catalogue=world.catalogue, external_id=f"n{number}", title=words)
        QueueItem.objects.get_or_create(
            product=product, defaults={"catalogue": world.catalogue, "blind": number % 3 == 0}
        )
        card = Card(product, (Choice(world.tags[colour], "accept"),), (world.facets["colour"],))
        save_card(card=card, version=world.version(product), by=world.by())
        world.products.append(product)
    Job.objects.all().delete()
    yield world


def test_a_refit_without_tags_ends_kindly_and_who_asks_for_one_is_told(world: World, settings: Any) -> None:
    Tag.objects.filter(facet__catalogue=world.catalogue).update(retired_at="2026-01-01T00:00Z")
    job = run_now(learning.request_refit(catalogue=world.catalogue))
    assert (job.state, job.error) == ("done", "") and "no tags yet" in job.log
    with pytest.raises(CommandError, match="no tags yet"):
        call_command("train", world.catalogue.slug, tier="instant", wait=True)


def test_what_the_order_brought_is_measured_when_enough_is_new(taught: World) -> None:
    assert asking.decided_counts(taught.catalogue) == (60, 20)
    job = learning.proof_when_due(catalogue=taught.catalogue)
    assert job is not None and learning.proof_when_due(catalogue=taught.catalogue).pk == job.pk  # type: ignore[union-attr]
    job = run_now(job)
    assert job.state == "done", job.error
    found = job.result
    assert (found["slice"], found["decisions"]) == (20, 60)
    assert found["actual"][-1]["decisions"] == 60 and found["actual"][-1]["f1"]["value"] > 0.7
    assert set(found["guard"]) >= {"random", "gain"} and not found["guard"]["random"]
    assert learning.proof_when_due(catalogue=taught.catalogue) is None


def test_without_a_blind_slice_there_is_nothing_to_measure(world: World, settings: Any, tmp_path: Any) -> None:
    settings.MODELS_ROOT = tmp_path
    world.decide(world.products[0], black="accept", complete="colour")
    assert learning.proof_when_due(catalogue=world.catalogue) is None
    job = run_now(learning.request_proof(catalogue=world.catalogue))
    assert job.state == "done" and job.result == {"slice": 0, "decisions": 1}


def test_the_queue_goes_random_while_the_guard_says_so(taught: World) -> None:
    for number in range(20):
        product = Product.objects.create(
            catalogue=taught.catalogue, external_id=f"w{number}", title=f"coal hat {number}"
        )
        QueueItem.objects.get_or_create(product=product, defaults={"catalogue": taught.catalogue})

    def reasons() -> set[str]:
        job = run_now(learning.request_refit(catalogue=taught.catalogue))
        assert job.state == "done", job.error
        waiting = QueueItem.objects.filter(catalogue=taught.catalogue).waiting()
        return {why.get("reason") for why in waiting.values_list("why", flat=True)}

    assert reasons() <= {"uncertain", "coverage", "blind"}
    verdict = {"guard": {"random": True, "gain": -5.0, "worse": 0.9}}
    Job.objects.create(
        kind="proof", queue="ml", catalogue=taught.catalogue, state="done", result=verdict, params={"seen": 60}
    )
    assert asking.falls_back(taught.catalogue) and reasons() <= {"random", "blind"}
