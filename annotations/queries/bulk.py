"""Questions about bulk actions: which products are meant, what would happen, what did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from annotations.models import BulkRun, Catalogue, Product
from annotations.queries.products import Filters, matching

LOOKED_AT = 2000
"""Products that a preview works through; where there are more, it says what share of those would change."""
RUNS = 50


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What the action would do to the first ``looked`` of ``total`` products. ``held``: (product, why), the first."""

    total: int
    looked: int
    changed: int
    held: tuple[tuple[Product, str], ...]
    held_count: int
    examples: tuple[Product, ...]

    @property
    def whole(self) -> bool:
        return self.looked == self.total


def chosen(catalogue: Catalogue, filters: Filters | None, selection: Sequence[int]) -> QuerySet[Product]:
    """The products of a selection, whether archived or not, else those that fit the filters. Raises NoSuchName."""
    if selection:
        return Product.objects.filter(catalogue=catalogue, pk__in=selection)
    return matching(catalogue, filters or Filters())


def run_of(catalogue: Catalogue, pk: int) -> BulkRun | None:
    found = BulkRun.objects.filter(catalogue=catalogue, pk=pk)
    return found.select_related("catalogue", "user", "job", "undo_job").first()


def runs_by_age(catalogue: Catalogue) -> QuerySet[BulkRun]:
    """All of them; whoever asks orders them."""
    return BulkRun.objects.filter(catalogue=catalogue).select_related("job", "undo_job")


def runs_of(catalogue: Catalogue) -> list[BulkRun]:
    """The latest ones first."""
    found = BulkRun.objects.filter(catalogue=catalogue).select_related("user", "job", "undo_job").defer("held")
    return list(found[:RUNS])
