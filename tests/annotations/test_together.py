"""Many products in one gesture: what is stored, what is held back, and an undo that leaves no trace."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotations.actions.decide import Card, Choice
from annotations.actions.errors import Refused
from annotations.actions.together import Sent, save_together
from annotations.actions.undo import redo, undo
from annotations.models import Decision, FacetCompletion, Product, ProductTag, QueueItem
from annotations.queries.standing import differences
from tests.annotations.conftest import World, build_world


def state(world: World) -> dict[str, Any]:
    """All that stands, and where each product is: everything an undo has to bring back."""
    return {
        "tags": sorted(ProductTag.objects.values_list("product", "tag", "state")),
        "complete": sorted(FacetCompletion.objects.values_list("product", "facet")),
        "items": sorted(QueueItem.objects.values_list("product", "status", "priority", "flagged", "done_at", "blind")),
    }


def sent(world: World, product: Product, **verdicts: str) -> Sent:
    choices = tuple(Choice(world.tags[tag], verdict) for tag, verdict in verdicts.items())
    return Sent(Card(product, choices, (world.facets["colour"],)), world.version(product))


@pytest.mark.parametrize("count", [12, 48])
def test_one_undo_takes_all_of_it_back_and_redo_brings_it_again(db: None, count: int) -> None:
    world = build_world(count)
    world.decide(world.products[0], white="accept", wool="accept", complete="material")  # white is displaced below
    before = state(world)
    batch = [
        sent(world, p, **({"red": "accept"} if n % 20 else {"black": "accept", "red": "reject"}))
        for n, p in enumerate(world.products)
    ]
    done = save_together(catalogue=world.catalogue, sent=batch, by=world.by(), batch=uuid.uuid4())
    assert len(done.products) == count
    assert world.standing(world.products[0]) == {"wool": "approved", "black": "approved", "red": "rejected"}
    after = state(world)
    undone = undo(catalogue=world.catalogue, by=world.by())
    assert undone is not None
    assert [p.pk for p in undone.products] == [p.pk for p in world.products]
    assert state(world) == before
    redo(catalogue=world.catalogue, by=world.by())
    assert {k: v for k, v in state(world).items() if k != "items"} == {k: v for k, v in after.items() if k != "items"}
    assert differences(world.catalogue) == []


def test_what_changed_meanwhile_is_held_back_and_named(world: World) -> None:
    old, leased, archived, fine = world.products
    batch = [sent(world, p, red="accept") for p in world.products]
    world.decide(old, black="accept", role="second")
    soon = timezone.now() + timedelta(minutes=5)
    QueueItem.objects.filter(product=leased).update(lease_owner=world.people["second"], lease_until=soon)
    Product.objects.filter(pk=archived.pk).update(archived_at=timezone.now())
    done = save_together(catalogue=world.catalogue, sent=batch, by=world.by(), batch=uuid.uuid4())
    assert done.products == {fine.pk}
    assert {h.product: h.why for h in done.held} == {old.pk: "changed", leased.pk: "taken", archived.pk: "gone"}
    assert world.standing(old) == {"black": "approved"}, "the other's word stands"


def test_sent_twice_is_stored_once(world: World) -> None:
    batch, key = [sent(world, p, red="accept") for p in world.products], uuid.uuid4()
    once, twice = (save_together(catalogue=world.catalogue, sent=batch, by=world.by(), batch=key) for _ in range(2))
    assert (twice.products, twice.seq, twice.replayed) == (once.products, once.seq, True)
    assert Decision.objects.count() == 2 * len(world.products)
    with pytest.raises(Refused):
        save_together(catalogue=world.catalogue, sent=batch, by=world.by("second"), batch=key)


def test_a_batch_costs_the_same_queries_whatever_its_size(db: None) -> None:
    counts = []
    for slug, size in (("one", 2), ("two", 40)):
        world = build_world(size, slug=slug)
        batch = [sent(world, p, red="accept") for p in world.products]
        with CaptureQueriesContext(
            connection,
        ) as seen:
            save_together(catalogue=world.catalogue, sent=batch, by=world.by(), batch=uuid.uuid4())
        counts.append(len(seen))
    assert counts[1] <= counts[0] + 3 <= 30, "no more than the driver's limit on parameters asks for"


def test_an_ambiguous_tag_wants_somebody_elses_opinion(world: World) -> None:
    from annotations.actions import queue
    from annotations.actions.decide import save_card

    first, before = world.products[0], state(world)
    facets = tuple(world.facets.values())
    doubt = Card(first, (Choice(world.tags["red"], "reject", reason="ambiguous"),), facets)
    save_card(card=doubt, version=0, by=world.by())
    assert world.item(first).status == "second_opinion"
    mine = queue.lease_next(catalogue=world.catalogue, user=world.people["reviewer"], count=9)
    assert first.pk not in [i.product_id for i in mine], "not one's own again"
    queue.release(user=world.people["reviewer"], product_ids=[p.pk for p in world.products])
    other = queue.lease_next(catalogue=world.catalogue, user=world.people["second"], queue="second-opinion")
    assert [i.product_id for i in other] == [first.pk]
    undo(catalogue=world.catalogue, by=world.by())
    QueueItem.objects.filter(product=first).update(lease_owner=None, lease_until=None)
    assert state(world) == before
    redo(catalogue=world.catalogue, by=world.by())
    assert world.item(first).status == "second_opinion"
    settled = Card(first, (Choice(world.tags["red"], "reject"),), facets)
    save_card(card=settled, version=world.version(first), by=world.by("second"))
    assert world.item(first).status == "done"
