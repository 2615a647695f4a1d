"""What a change of a product's row leaves behind: the cells as they came, what the row was before, and tags reopened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from annotations.actions import bulk, reopening
from annotations.models import BulkRun, Catalogue, ImportBatch, Original, Product, RowChange, User

if TYPE_CHECKING:
    from annotations.actions.upsert import Incoming

COMPARED = (
    "title", "description", "category", "language", "family", "supplier", "attributes", "extra", "pictures", "set_aside",
)  # fmt: skip
SHOWN_CHARS = 4000
"""How much of a long text a change repeats."""


def rows_of(products: Sequence[int]) -> dict[int, Product]:
    """The products as they stand, for ``note`` to compare with. One query, none for nothing."""
    return Product.objects.in_bulk(products) if products else {}


def keep_originals(incoming: Sequence[Incoming]) -> None:
    """Store the cells that cleaning changed, and drop those of an earlier row. No query where there are none."""
    kept = [
        {
            "product_id": one.product,
            "cells": {
                name: {"was": one.row.originals.get(name, ""), "steps": steps}
                for name, steps in one.row.cleaned.items()
            },
        }
        for one in incoming
        if one.row.cleaned
    ]
    clean = [one.product for one in incoming if not one.row.cleaned and one.status == "updated"]
    if clean:
        Original.objects.filter(product__in=clean).delete()
    bulk.insert(Original, kept, unique=("product_id",), update=("cells",))


def note(
    *,
    catalogue: Catalogue,
    before: Mapping[int, Product],
    after: Mapping[int, Product],
    batch: ImportBatch | None = None,
    run: BulkRun | None = None,
    user: User | None = None,
) -> None:
    """Inside the transaction of the change: what each row was and is, and which of its tags are asked for again."""
    told: dict[int, dict[str, list[Any]]] = {}
    for pk, product in after.items():
        if pk in before:
            told[pk] = differences(before[pk], product)
    reopened = reopening.reopen(
        catalogue=catalogue,
        changed=[(before[pk], after[pk]) for pk, fields in told.items() if {"title", "description", "attributes"} & fields.keys()],
    )  # fmt: skip
    RowChange.objects.bulk_create(
        RowChange(
            product_id=pk, batch=batch, run=run, user=user, revision=after[pk].revision, fields=fields,
            reopened=reopened.get(pk, []), reopens=pk in reopened,
        )
        for pk, fields in told.items()
        if fields
    )  # fmt: skip


def differences(before: Product, after: Product) -> dict[str, list[Any]]:
    """Field to [before, after], of those that differ; ``archived`` is told as yes or no."""
    found = {
        name: [_short(getattr(before, name)), _short(getattr(after, name))]
        for name in COMPARED
        if getattr(before, name) != getattr(after, name)
    }
    for name in ("attributes", "extra"):
        if name in found:
            found[name] = _inner(getattr(before, name), getattr(after, name))
    if (before.archived_at is None) != (after.archived_at is None):
        found["archived"] = [before.archived_at is not None, after.archived_at is not None]
    return found


def _inner(before: dict[str, Any], after: dict[str, Any]) -> list[Any]:
    """Only the names whose values differ."""
    names = [n for n in {**before, **after} if before.get(n) != after.get(n)]
    return [{n: before[n] for n in names if n in before}, {n: after[n] for n in names if n in after}]


def _short(value: Any) -> Any:
    return value[: SHOWN_CHARS - 1] + "…" if isinstance(value, str) and len(value) > SHOWN_CHARS else value
