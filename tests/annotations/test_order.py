"""What a refit leaves to the background, and what it does not: the head first, the rest after, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotations import bridge
from annotations.actions import learning
from annotations.bridge import order as of_bridge
from annotations.models import Job, Product, QueueItem, Suggestion
from annotations.tasks.run import run_now
from tests.annotations.conftest import World

COATS, HEAD, LISTED = 40, 5, 16


@pytest.fixture
def large(world: World, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A catalogue that is large for limits that are small."""
    settings.MODELS_ROOT = tmp_path
    monkeypatch.setattr(of_bridge, "FRONT", HEAD)
    monkeypatch.setattr(of_bridge, "SHORTLIST", LISTED)
    for n in range(COATS):
        title = f"{('Black', 'Red', 'White')[n % 3]} {('cotton', 'wool')[n % 2]} coat no {n}"
        product = Product.objects.create(
            catalogue=world.catalogue, external_id=f"C-{n}", title=title, language="en", family=f"C{n}"
        )
        QueueItem.objects.create(product=product, catalogue=world.catalogue)
        world.products.append(product)
    world.decide(world.products[0], black="accept", complete="colour")
    return world


def refit(world: World) -> Job:
    job = run_now(learning.request_refit(catalogue=world.catalogue))
    assert job.state == "done", job.error
    return job


def with_suggestions(world: World) -> set[int]:
    return set(Suggestion.objects.filter(product__catalogue=world.catalogue).values_list("product", flat=True))


def test_the_head_first_then_the_rest_and_only_what_moved_again(large: World) -> None:
    refit(large)
    items = QueueItem.objects.filter(catalogue=large.catalogue)
    head = items.filter(priority__gt=1.5).values_list("product", flat=True)
    assert len(head) == HEAD and set(head) == with_suggestions(large)
    rest = Job.objects.get(kind="score", state="queued")
    assert run_now(rest).state == "done"
    waiting = set(items.waiting().values_list("product", flat=True))
    assert with_suggestions(large) == waiting
    assert not items.waiting().filter(status="new").exists()
    named = set(Suggestion.objects.values_list("model_version__number", flat=True))
    assert named == {1}

    refit(large)  # nothing was decided since: nothing moves, and nobody is asked to store it again
    assert not Job.objects.filter(kind="score", state="queued").exists()
    assert set(Suggestion.objects.values_list("model_version__number", flat=True)) == {1}


def test_the_blind_slice_is_drawn_from_the_whole_catalogue(large: World) -> None:
    large.catalogue.blind_share = 0.3
    large.catalogue.save()
    refit(large)
    order = bridge.latest(large.catalogue)
    assert order is not None and len(order.why) == LISTED
    here = of_bridge.held(large.catalogue)
    assert here.pool is not None
    drawn = here.pool.draws[here.pool.rows(order.keys)] < 0.3
    listed = sorted(order.why)
    assert sum(bool(drawn[i]) for i in listed) == min(int(LISTED * 0.3), int(drawn.sum()))


def test_a_changed_product_and_one_that_went_are_noticed(large: World) -> None:
    refit(large)
    run_now(Job.objects.get(kind="score", state="queued"))
    changed, gone = large.products[10], large.products[11]
    Product.objects.filter(pk=changed.pk).update(title="White leather belt", revision=2)
    gone.delete()
    refit(large)
    while job := Job.objects.live().first():
        run_now(job)
    found = {s.tag.slug for s in changed.suggestions.select_related("tag") if s.band != "unsure"}
    assert found == {"white", "leather"}
