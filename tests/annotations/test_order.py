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
from ml.active import policy
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


def test_a_product_of_which_little_is_decided_is_no_covered_ground(large: World) -> None:
    """A screen of the grid answers one facet of many products: they are still asked about by what they would teach."""
    _one_facet, one_tag, whole, *_rest = large.products
    large.decide(one_tag, wool="accept")
    large.decide(whole, black="accept", wool="accept", complete="colour material")
    for product in large.products[20:30]:
        large.decide(product, black="accept", complete="colour")
    refit(large)
    here = of_bridge.held(large.catalogue)
    assert here.pool is not None and here.order is not None
    assert of_bridge._seen(here.pool) == [whole.pk]
    touched = {p.pk for p in large.products[20:30]}
    said = [why for i, why in here.order.why.items() if int(here.order.keys[i]) in touched]
    assert said and all(why["doubt"] > 0 for why in said if why["reason"] != "blind")
    view = of_bridge._view(here.pool, here.order.predictor, here.order.keys)
    assert len(view.decided) == 1 and view.applies is not None
    part = policy._left(view)
    assert {float(part[i]) for i, key in enumerate(here.order.keys) if int(key) in touched} == {0.5}
