"""How far a catalogue is: what waits, what one did today."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count
from django.utils import timezone

from annotations.models import Catalogue, Decision, Product, QueueItem, User


def left(catalogue: Catalogue) -> int:
    """How many products still want a decision."""
    counts = by_status([catalogue.pk])
    return sum(counts.get((catalogue.pk, status), 0) for status in QueueItem.WAITING)


def by_status(catalogues: Sequence[int]) -> dict[tuple[int, str], int]:
    """Live products by catalogue and queue status. Two queries.

    All are counted along the queue's own index, and the archived ones, of which there are few, are taken off: joining
    each of 200,000 products to see whether it is archived took a second.
    """
    items = QueueItem.objects.order_by().values_list("catalogue", "status").annotate(n=Count("pk"))
    counts = {(catalogue, status): n for catalogue, status, n in items.filter(catalogue__in=catalogues)}
    archived = Product.objects.filter(catalogue__in=catalogues, archived_at__isnull=False).order_by()
    for catalogue, status, n in archived.values_list("catalogue", "queue_item__status").annotate(n=Count("pk")):
        if (catalogue, status) in counts:
            counts[catalogue, status] -= n
    return counts


def midnight() -> datetime:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def done_today(catalogue: Catalogue, user: User) -> int:
    """How many products the user decided on since midnight."""
    mine = Decision.objects.filter(catalogue=catalogue, reviewer=user, decided_at__gte=midnight())
    return mine.exclude(verdict="undo").order_by().values("product").distinct().count()
