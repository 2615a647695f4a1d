"""Leases: best first, one holder, given back, and never shared by people who ask at once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotations.actions import queue
from annotations.actions.errors import Conflict
from annotations.models import AuditEvent, Catalogue, Product, QueueItem, User
from annotations.models.review import QueueItemQuerySet

from .conftest import World, build_world


def names(items: list[QueueItem]) -> list[str]:
    return [item.product.external_id for item in items]


def test_best_first_and_nobody_shares(world: World) -> None:
    people = world.people
    assert names(queue.lease_next(catalogue=world.catalogue, user=people["reviewer"], count=2)) == ["P-0", "P-1"]
    assert names(queue.lease_next(catalogue=world.catalogue, user=people["second"], count=3)) == ["P-2", "P-3"]
    assert queue.lease_next(catalogue=world.catalogue, user=people["lead"]) == []


def test_asking_again_gives_what_one_holds(world: World) -> None:
    me = world.people["reviewer"]
    first = queue.lease_next(catalogue=world.catalogue, user=me)
    assert names(queue.lease_next(catalogue=world.catalogue, user=me)) == names(first)
    assert names(queue.lease_next(catalogue=world.catalogue, user=me, exclude=[first[0].product_id])) == ["P-1"]


def test_an_expired_lease_is_no_lease_and_discards_nothing(world: World) -> None:
    me, other = world.people["reviewer"], world.people["second"]
    item = queue.lease_next(catalogue=world.catalogue, user=me)[0]
    QueueItem.objects.filter(pk=item.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert queue.lease_next(catalogue=world.catalogue, user=other)[0].pk == item.pk
    world.decide(item.product, black="accept")  # still at the version I saw: my work counts
    assert world.standing(item.product) == {"black": "approved"}


def test_narrowing_by_facet_category_and_flag(world: World) -> None:
    me = world.people["reviewer"]
    world.decide(world.products[0], black="accept", complete="colour")
    Product.objects.filter(pk=world.products[2].pk).update(category="Home/Lamps")
    ask = lambda **more: names(queue.lease_next(catalogue=world.catalogue, user=me, count=9, **more))  # noqa: E731
    assert ask(facet="colour") == ["P-1", "P-2", "P-3"]
    assert ask(category="Home") == ["P-2"]
    assert ask(category="Hom") == []
    queue.flag(item=world.products[3].queue_item, user=me, reason="two products in one picture")
    assert ask(queue="flagged") == ["P-3"]
    assert ask() == ["P-0", "P-1", "P-2"], "it waits for a lead, in its own queue"
    assert ask(search="coat 1") == ["P-1"]
    assert ask(search="p-2") == ["P-2"]
    Product.objects.filter(pk=world.products[1].pk).update(title="ÉCHARPE en soie", description="coat 2")
    assert ask(search="écharpe") == ["P-1"], "as the product list finds it: in every case of its letters"
    assert ask(search="coat 2") == ["P-2"], "and in the title alone"
    queue.release(user=me, product_ids=[p.pk for p in world.products])
    with CaptureQueriesContext(connection) as seen:
        ask(search="coat")
    assert sum("LIKE" in q["sql"].upper() for q in seen) == 1, "the index of words is read once, not for each status"
    assert AuditEvent.objects.get().data == {"reason": "two products in one picture"}
    with pytest.raises(KeyError):
        ask(queue="no such queue")


def test_release_gives_back_only_ones_own(world: World) -> None:
    me, other = world.people["reviewer"], world.people["second"]
    item = queue.lease_next(catalogue=world.catalogue, user=me)[0]
    assert queue.release(user=other, product_ids=[item.product_id]) == 0
    with pytest.raises(Conflict):
        queue.lease(item=QueueItem.objects.get(pk=item.pk), user=other)
    assert queue.release(user=me, product_ids=[item.product_id]) == 1
    assert queue.lease(item=QueueItem.objects.get(pk=item.pk), user=other).lease_owner == other


def claim_all(catalogue: Catalogue, users: list[User], take) -> list[int]:
    """Every user asks until nothing is left, all at once. What was handed out, in any order."""
    handed: list[int] = []
    errors: list[Exception] = []
    start = threading.Barrier(len(users))

    def work(user: User) -> None:
        try:
            start.wait()
            mine: list[int] = []
            while items := take(catalogue=catalogue, user=user, exclude=mine):
                mine += [i.product_id for i in items]
            handed.extend(mine)
        except Exception as error:  # seen by the assertion below
            errors.append(error)
        finally:
            connections.close_all()

    crew = [threading.Thread(target=work, args=(u,)) for u in users]
    [t.start() for t in crew]
    [t.join() for t in crew]
    assert not errors, errors
    return handed


def without_guard(*, catalogue: Catalogue, user: User, exclude: list[int]) -> list[QueueItem]:
    """The control: look, then take, with nothing that notices somebody in between."""
    free = QueueItem.objects.filter(catalogue=catalogue).free_for(user).exclude(product_id__in=exclude)
    item = free.order_by("-priority", "id").first()
    if item is None:
        return []
    QueueItem.objects.filter(pk=item.pk).update(lease_owner=user, lease_until=timezone.now() + timedelta(minutes=10))
    return [item]


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_people_who_ask_at_once_never_share() -> None:
    world = build_world(60)
    users = [User.objects.create_user(username=f"u{n}") for n in range(8)]
    handed = claim_all(world.catalogue, users, queue.lease_next)
    assert len(handed) == len(set(handed)) == 60


@pytest.mark.django_db(transaction=True)
def test_control_without_the_guard_people_do_share() -> None:
    world = build_world(60)
    users = [User.objects.create_user(username=f"u{n}") for n in range(8)]
    handed = claim_all(world.catalogue, users, without_guard)
    assert len(handed) > len(set(handed))


def test_the_number_of_queries_stays_when_the_queue_grows(world: World) -> None:
    with CaptureQueriesContext(connection) as few:
        queue.lease_next(catalogue=world.catalogue, user=world.people["reviewer"])
    more = [
        Product(catalogue=world.catalogue, external_id=f"Q-{n}", title="Scarf", category="Fashion") for n in range(300)
    ]
    Product.objects.bulk_create(more)
    rows = Product.objects.filter(external_id__startswith="Q-")
    QueueItem.objects.bulk_create(
        [QueueItem(product=p, catalogue=world.catalogue, status="queued", priority=1) for p in rows]
    )
    with CaptureQueriesContext(connection) as many:
        queue.lease_next(catalogue=world.catalogue, user=world.people["second"])
    assert len(many) == len(few)


def test_a_queue_that_is_scored_while_somebody_looks_is_not_empty(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New products become queued ones as a scoring ends: between our look at the queued and our look at the new."""
    QueueItem.objects.update(status=QueueItem.Status.NEW)
    narrowed = queue._narrowed
    looks: list[object] = []

    def look(items: QueueItemQuerySet, *rest: str) -> QueueItemQuerySet:
        if len(looks) == 1:
            QueueItem.objects.filter(status=QueueItem.Status.NEW).update(status=QueueItem.Status.QUEUED)
        looks.append(items)
        return narrowed(items, *rest)

    monkeypatch.setattr(queue, "_narrowed", look)
    assert names(queue.lease_next(catalogue=world.catalogue, user=world.people["reviewer"])) == ["P-0"]


def test_what_i_decided_last_comes_back_latest_first(world: World) -> None:
    me = world.people["reviewer"]
    for n in (1, 0, 3):
        world.decide(world.products[n], black="accept", complete="colour material")
    world.decide(world.products[2], role="second", black="accept", complete="colour material")
    assert names(queue.lease_next(catalogue=world.catalogue, user=me, queue="mine", count=9)) == ["P-3", "P-0", "P-1"]
    first = [world.products[3].pk]
    assert names(queue.lease_next(catalogue=world.catalogue, user=me, queue="mine", exclude=first)) == ["P-0"]


def test_a_decided_product_that_is_flagged_is_looked_at_again(world: World) -> None:
    first, me = world.products[0], world.people["reviewer"]
    world.decide(first, black="accept", complete="colour material")
    queue.flag(item=world.item(first), user=me, reason="is it black?")
    assert names(queue.lease_next(catalogue=world.catalogue, user=me, queue="flagged")) == ["P-0"]
    world.decide(first, red="accept", complete="colour material", role="lead")
    assert world.item(first).status == "done"
    assert queue.lease_next(catalogue=world.catalogue, user=me, queue="flagged") == []
