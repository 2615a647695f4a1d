"""Rows to products: what is new goes in, what changed is changed, what is the same costs one look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from annotations.actions import bulk, partial_rows, row_changes
from annotations.formats.checks import supplier_of
from annotations.formats.covers import Covers
from annotations.formats.known import row_hash, text_hash
from annotations.formats.rows import Row
from annotations.models import SET_ASIDE_BY_PERSON, Catalogue, ImportBatch, Product, QueueItem, SetAside, User

ROWS_PER_TRANSACTION = 500
FIELDS = ("family", "title", "description", "category", "language", "attributes", "extra")
STORED = (
    *FIELDS,
    "supplier",
    "set_aside",
    "pictures",
    "row_hash",
    "text_hash",
    "source_hash",
    "revision",
    "archived_at",
    "updated_at",
)
LIMITS = {"family": 200, "category": 500, "language": 16}
"""Characters that the columns of these fields hold."""


@dataclass(slots=True)
class Incoming:
    """A row on its way in. ``pictures`` None leaves the product's pictures as they are.

    ``covers`` is what the row's file speaks of (None: all of the product); ``said`` keeps the row as the file has it
    when it was made whole, and ``same`` says that the product is so already (``partial_rows``).

    ``status`` (created, updated, unchanged) and ``product`` (primary key; 0 for a new one) come out.
    """

    row: Row
    pictures: list[str] | None = None
    covers: Covers | None = None
    said: Row | None = None
    same: bool = False
    status: str = ""
    product: int = 0


def which_are_there(catalogue: Catalogue) -> Callable[[list[tuple[str, str]]], list[int]]:
    """Answers which of some ``(id, source hash)`` a live product of the catalogue has, by their place."""

    def answer(heads: list[tuple[str, str]]) -> list[int]:
        live = Product.objects.filter(
            catalogue=catalogue, archived_at=None, external_id__in=bulk.among(head[0] for head in heads)
        )
        there = set(live.exclude(source_hash="").values_list("external_id", "source_hash"))
        return [place for place, (name, source_hash) in enumerate(heads) if (name, source_hash) in there]

    return answer


def upsert(
    *,
    catalogue: Catalogue,
    incoming: Sequence[Incoming],
    batch: ImportBatch | None = None,
    user: User | None = None,
    pks: bool = False,
) -> None:
    """Inside a transaction: create and update products by external id, with a queue item for each new one.

    What a changed row was before is noted, and the tags whose evidence went with it are asked for again. Rows that a
    check takes for junk are stored too, set aside.

    Ids must not repeat. Fills ``status`` of what came in, and where ``pks`` are asked for also the ``product`` of each.
    Raises IntegrityError when somebody else creates the same product at this moment: run the transaction again.
    """
    found = classify(catalogue=catalogue, incoming=incoming, lock=True)
    _create(catalogue, found.new, pks=pks)
    before = row_changes.rows_of([one.product for one, _row in found.changed])
    bulk.insert(Product, [row for _one, row in found.changed], unique=("catalogue_id", "external_id"), update=STORED)
    bulk.update_one_column(Product, "source_hash", found.told_anew)
    row_changes.keep_originals([one for one, _row in (*found.new, *found.changed)])
    after = {one.product: Product(pk=one.product, **row) for one, row in found.changed}
    row_changes.note(catalogue=catalogue, before=before, after=after, batch=batch, user=user)


def _create(catalogue: Catalogue, new: Pairs, *, pks: bool) -> None:
    if not new:
        return
    bulk.insert(Product, [row for _one, row in new])
    created = Product.objects.filter(catalogue=catalogue, external_id__in=bulk.among(one.row.id for one, _row in new))
    bulk.insert_selected(QueueItem, created, {"product_id": "id", "catalogue_id": "catalogue_id"})
    asked = [one for one, _row in new if pks or one.row.cleaned]
    if asked:
        ids = dict(created.values_list("external_id", "pk"))
        for one in asked:
            one.product = ids[one.row.id]


Pairs = list[tuple[Incoming, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Found:
    """Products as they should be, by attribute, not stored yet: ``new`` ones and ``changed`` ones; and new source hashes
    (by primary key) of those whose cells were read anew and say the same."""

    new: Pairs
    changed: Pairs
    told_anew: dict[int, str]


def classify(*, catalogue: Catalogue, incoming: Sequence[Incoming], lock: bool = False) -> Found:
    """What is new, what has changed. Fills ``status``. One query; more where rows say a part of their product only."""
    covers = next((one.covers for one in incoming), None)
    if covers:
        partial_rows.complete(catalogue=catalogue, incoming=incoming, covers=covers, lock=lock)
    known = Product.objects.filter(catalogue=catalogue, external_id__in=bulk.among(one.row.id for one in incoming))
    if lock:
        known = bulk.locked(known)
    fields = (
        "external_id",
        "pk",
        "row_hash",
        "source_hash",
        "pictures",
        "revision",
        "archived_at",
        "set_aside",
        "family",
    )
    there = {found[0]: found[1:] for found in known.values_list(*fields)}
    found = Found([], [], {})
    for one in incoming:
        hashed = one.row.row_hash or row_hash(one.row)
        if one.row.id not in there:
            one.status, one.product = "created", 0
            found.new.append((one, _product(catalogue, one, hashed, one.pictures or [], 1, one.row.junk, None)))
            continue
        one.product, old_hash, source_hash, pictures, revision, archived_at, was_aside, family = there[one.row.id]
        wanted = pictures if one.pictures is None else one.pictures
        # what a person said about the row stays said
        aside = was_aside if was_aside in (*SET_ASIDE_BY_PERSON, SetAside.KEPT) else one.row.junk
        in_place = (archived_at is not None) == (aside not in ("", SetAside.KEPT)) and aside == was_aside
        if (old_hash == hashed or one.same) and wanted == pictures and in_place:
            one.status = "unchanged"
            if one.row.source_hash and one.row.source_hash != source_hash:
                found.told_anew[one.product] = one.row.source_hash
        else:
            one.status = "updated"
            changed = _product(catalogue, one, hashed, wanted, revision + 1, aside, archived_at)
            # a family that a person accepted outlives rows that name none
            changed["family"] = changed["family"] or family
            found.changed.append((one, changed))
    return found


def _product(
    catalogue: Catalogue,
    one: Incoming,
    hashed: str,
    pictures: list[str],
    revision: int,
    aside: str,
    archived_at: datetime | None,
) -> dict[str, Any]:
    row = one.row
    out = aside not in ("", SetAside.KEPT)
    return {
        "catalogue_id": catalogue.pk,
        "external_id": row.id,
        "family": row.family[: LIMITS["family"]],
        "title": row.title,
        "description": row.description,
        "category": row.category[: LIMITS["category"]],
        "language": row.language[: LIMITS["language"]],
        "supplier": supplier_of(row.attributes, row.extra) if row.supplier is None else row.supplier,
        "set_aside": aside,
        "archived_at": (archived_at or timezone.now()) if out else None,
        "attributes": row.attributes,
        "extra": row.extra,
        "pictures": pictures,
        "row_hash": hashed,
        "text_hash": row.text_hash or text_hash(category=row.category, title=row.title, description=row.description),
        "source_hash": row.source_hash,
        "revision": revision,
    }
