"""Fields of products' rows set by hand, for one or many at once, with what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from annotations.actions import row_changes
from annotations.formats.known import text_hash
from annotations.models import BulkRun, Catalogue, Facet, FacetCompletion, Product, QueueItem, User

SET = ("description", "category", "family", "archived_at", "set_aside")
"""What may be set; everything else comes from the row's source alone."""


def set_rows(
    *, catalogue: Catalogue, wanted: Mapping[int, Mapping[str, Any]], user: User | None, run: BulkRun | None = None
) -> None:
    """Inside a transaction: give products (by primary key) new values of some fields of ``SET``.

    The change is noted with what was before, the text that a model reads is named anew, and a product that was done
    waits again where a facet of its new category has not been looked at. At most 500 products at a time.
    """
    before = row_changes.rows_of(list(wanted))
    after = row_changes.rows_of(list(wanted))
    now = timezone.now()
    for pk, product in after.items():
        for name, value in wanted[pk].items():
            setattr(product, name, value)
        product.revision, product.updated_at = product.revision + 1, now
        product.text_hash = text_hash(
            category=product.category, title=product.title, description=product.description
        )  # fmt: skip
    Product.objects.bulk_update(after.values(), [*SET, "revision", "updated_at", "text_hash"])
    row_changes.note(catalogue=catalogue, before=before, after=after, run=run, user=user)
    _ask_what_applies_now(catalogue, [p for pk, p in after.items() if p.category != before[pk].category])


def _ask_what_applies_now(catalogue: Catalogue, products: Sequence[Product]) -> None:
    """A product that was done waits again when a facet of its new category has not been looked at."""
    if not products:
        return
    facets = list(Facet.objects.live().filter(catalogue=catalogue))
    complete = set(FacetCompletion.objects.filter(product__in=products).values_list("product", "facet"))
    lacking = [p.pk for p in products if any(f.applies(p.category) and (p.pk, f.pk) not in complete for f in facets)]
    done = QueueItem.objects.filter(product__in=lacking, status=QueueItem.Status.DONE)
    done.update(status=QueueItem.Status.QUEUED, done_at=None)
