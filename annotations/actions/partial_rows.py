"""Rows that say a part of their product only: made whole from what is stored, before they are compared and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from annotations.actions import bulk
from annotations.formats.covers import FIELDS, Covers
from annotations.formats.headers import normal
from annotations.formats.patches import same_values
from annotations.formats.rows import Row, Same
from annotations.models import Catalogue, Product
from annotations.queries.patches import patches_now

if TYPE_CHECKING:
    from annotations.actions.upsert import Incoming

PATCHED = ("shopify", "google")
"""Shops that we write patches for: what they say may be our own word coming back."""


def strangers(catalogue: Catalogue, rows: Sequence[Row | Same], covers: Covers | None) -> set[str]:
    """Ids that are not there, where the file can only add to products that are. No query for other files."""
    if covers is None or not covers.adds_only:
        return set()
    ids = {row.id for row in rows}
    return ids - set(
        Product.objects.filter(catalogue=catalogue, external_id__in=ids).values_list("external_id", flat=True)
    )


def complete(*, catalogue: Catalogue, incoming: Sequence[Incoming], covers: Covers, lock: bool = False) -> None:
    """Fill in each row of a product that is there, and say of it whether it is the same (``Incoming.same``).

    A cell that holds what our own patch would say now (the tags a product came with and the approved ones) is no news
    of the source's: the product keeps what its source said. One query; for shops' files up to four.
    """
    there = Product.objects.filter(catalogue=catalogue, external_id__in=bulk.among(one.row.id for one in incoming))
    if lock:
        there = bulk.locked(there)
    stored = {p.external_id: p for p in there.only("external_id", *FIELDS, "attributes", "extra", "set_aside")}
    known = {p.pk: p.attributes for p in stored.values()}
    ours = patches_now(catalogue, covers.shape, known) if known and covers.shape in PATCHED else {}
    for one in incoming:
        one.said = one.said or one.row  # a transaction that is run again begins with what the file said
        product = stored.get(one.row.id)
        if product is None:
            continue
        now = {name: getattr(product, name) for name in (*FIELDS, "attributes", "extra")}
        told = ours.get(product.pk, {})
        echoes = {
            name: values for name, values in told.items() if same_values(one.said.attributes.get(name, ()), values)
        }
        whole = covers.merge(_without_ours(one.said, product, told, covers.shape), now, echoes)
        one.same = all(getattr(whole, name) == now[name] for name in now)
        # the checks saw a part of the product and can't say that the whole is junk
        one.row = replace(whole, junk=product.set_aside)


def _without_ours(row: Row, product: Product, told: Mapping[str, Sequence[str]], shape: str) -> Row:
    """The row without those of a shop's mixed tags that only we put there; what stands beside them is the shop's."""
    if shape != "shopify":
        return row
    attributes = dict(row.attributes)
    for name, values in told.items():
        if normal(name) == "tags" and name in attributes:
            ours = {v.casefold() for v in values} - {v.casefold() for v in product.attributes.get(name, ())}
            attributes[name] = [v for v in attributes[name] if v.casefold() not in ours]
    return replace(row, attributes=attributes)
