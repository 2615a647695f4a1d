"""The head of the queue, put in order without touching the rest.

A refit moves every product a little, and writing 100,000 rows takes longer than a reviewer waits. So priorities have a
line: what stands above it is the head of the queue, in an order that is right now; what lies below follows in an order
that is brought up to date in the background, and is never in the way of the head.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from annotations.models import Catalogue, QueueItem

FRONT_LINE = 1.5  # what a model ranks lies within 1 of 0; the head of the queue is lifted above this line
ROWS_PER_TRANSACTION = 500
_WHY = QueueItem._meta.get_field("why")
# a statement a row, prepared once: bulk_update's CASE of 500 branches takes twenty times as long
_UPDATE = f'UPDATE "{QueueItem._meta.db_table}" SET priority = %s + boost, why = %s WHERE id = %s'  # noqa: S608 - no value in it


@dataclass(frozen=True, slots=True)
class Place:
    """Where a product at the head of the queue belongs, why, and whether it should be shown without suggestions."""

    product: int
    priority: float
    why: Mapping[str, Any] = field(default_factory=dict)
    blind: bool = False


def place(*, catalogue: Catalogue, head: Sequence[Place], rest: Mapping[int, float]) -> int:
    """Put the head of the queue in order; who stood there before goes back to its priority in ``rest``.

    Returns how many rows were written. Done products are left alone; a blind product stays blind, and one on
    somebody's screen does not turn blind.
    """
    wanted = {p.product: p for p in head}
    items = QueueItem.objects.filter(catalogue=catalogue).waiting()
    # what the model gave is what is left without a person's boost
    before = {item.product_id: item for item in items.filter(priority__gt=F("boost") + FRONT_LINE)}
    missing = [product for product in wanted if product not in before]
    before |= {item.product_id: item for item in items.filter(product__in=missing)}
    now = timezone.now()
    moved, hidden = [], []
    for product, item in before.items():
        offer = wanted.get(product)
        priority = offer.priority if offer else min(rest.get(product, 0.0), 1.0)
        why = dict(offer.why) if offer else item.why
        if (round(item.priority - item.boost, 6), item.why) != (priority, why):
            item.priority, item.why = priority, why
            moved.append(item)
        if offer and offer.blind and not item.blind:
            hidden.append(item.pk)
    for chunk in _chunks(moved):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(_UPDATE, [(i.priority, _WHY.get_db_prep_save(i.why, connection), i.pk) for i in chunk])
    if hidden:
        QueueItem.objects.filter(pk__in=hidden, version=0).free_at(now).update(blind=True)
    return len(moved)


def _chunks(items: Iterable[QueueItem]) -> Iterable[list[QueueItem]]:
    source = iter(items)
    while chunk := list(islice(source, ROWS_PER_TRANSACTION)):
        yield chunk
