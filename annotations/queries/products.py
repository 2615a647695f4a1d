"""Questions about products: a catalogue's, narrowed by what may be asked for and nothing else."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from annotations.models import Catalogue, Product


def products_of(
    catalogue: Catalogue, *, status: str = "", category: str = "", family: str = "", archived: bool = False
) -> QuerySet[Product]:
    """Live ones (or the archived), in no order yet. ``category`` is a path: those in it and below it."""
    found = Product.objects.filter(catalogue=catalogue, archived_at__isnull=not archived)
    if status:
        found = found.filter(queue_item__status=status)
    if family:
        found = found.filter(family=family)
    if category:
        found = found.filter(Q(category=category) | Q(category__startswith=category.rstrip("/") + "/"))
    return found


def product_of(catalogue: Catalogue, external_id: str) -> Product | None:
    return Product.objects.filter(catalogue=catalogue, external_id=external_id).first()
