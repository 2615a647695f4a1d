"""The head of the queue is put in order, the rest stays where it is, and what a person said goes before the model."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from annotations.actions.queue_order import FRONT_LINE, Place, place
from annotations.models import QueueItem
from tests.annotations.conftest import World


def order(world: World) -> list[int]:
    items = QueueItem.objects.filter(catalogue=world.catalogue).order_by("-priority", "id")
    return [int(item.product.external_id[2:]) for item in items.select_related("product")]


def head(world: World, *numbers: int, blind: int | None = None) -> list[Place]:
    line = FRONT_LINE + 1
    return [
        Place(world.products[n].pk, line - at / 10, {"reason": "uncertain"}, n == blind) for at, n in enumerate(numbers)
    ]


def test_only_the_head_and_who_stood_there_before_are_written(world: World) -> None:
    assert place(catalogue=world.catalogue, head=head(world, 3, 1), rest={}) == 2
    assert order(world) == [3, 1, 0, 2]
    rest = {world.products[3].pk: -0.5}
    assert place(catalogue=world.catalogue, head=head(world, 1, 2), rest=rest) == 3
    assert order(world) == [1, 2, 0, 3]
    assert place(catalogue=world.catalogue, head=head(world, 1, 2), rest=rest) == 0
    assert QueueItem.objects.get(product=world.products[1]).why == {"reason": "uncertain"}


def test_a_boost_is_kept_on_top_of_the_models_order(world: World) -> None:
    item = QueueItem.objects.get(product=world.products[2])
    QueueItem.objects.filter(pk=item.pk).update(boost=100, priority=100 + item.priority)
    place(catalogue=world.catalogue, head=head(world, 3), rest={})
    assert order(world)[:2] == [2, 3]
    place(catalogue=world.catalogue, head=head(world, 2, 1), rest={})
    place(catalogue=world.catalogue, head=head(world, 1), rest={world.products[2].pk: 0.25})
    item.refresh_from_db()
    assert (item.boost, item.priority) == (100, 100.25)


def test_done_products_stay_and_one_on_a_screen_does_not_turn_blind(world: World) -> None:
    done, held, free = (QueueItem.objects.get(product=world.products[n]) for n in (0, 1, 2))
    QueueItem.objects.filter(pk=done.pk).update(status=QueueItem.Status.DONE)
    QueueItem.objects.filter(pk=held.pk).update(lease_until=timezone.now() + timedelta(minutes=5))
    for number in (0, 1, 2):
        place(catalogue=world.catalogue, head=head(world, number, blind=number), rest={})
    for item in (done, held, free):
        item.refresh_from_db()
    assert (done.priority, done.blind, held.blind, free.blind) == (0, False, False, True)
