"""Rows to products: what is new goes in, what changed is changed, what is the same costs one look."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from annotations.actions import row_changes
from annotations.formats.checks import supplier_of
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
    "revision",
    "archived_at",
    "updated_at",
)
LIMITS = {"family": 200, "category": 500, "language": 16}
"""Characters that the columns of these fields hold."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str)


@dataclass(slots=True)
class Incoming:
    """A row on its way in. ``pictures`` None leaves the product's pictures as they are.

    ``status`` (created, updated, unchanged) and ``product`` (primary key; 0 for a new one of a dry run) come out.
    """

    row: Row
    pictures: list[str] | None = None
    status: str = ""
    product: int = 0


def row_hash(row: Row) -> str:
    """The same for rows that say the same, whatever order their attributes come in."""
    body = [row.title, row.description, row.category, row.language, row.family, row.attributes, row.extra]
    more = [row.absent, row.spans, row.images]
    return hashlib.sha256(_ENCODER.encode([body, more]).encode("utf-8", "surrogatepass")).hexdigest()


def text_hash(*, category: str, title: str, description: str) -> str:
    """Names what a model reads of a product, so that an embedding is made once for it."""
    return hashlib.sha256("\0".join((category, title, description)).encode("utf-8", "surrogatepass")).hexdigest()


def upsert(
    *, catalogue: Catalogue, incoming: Sequence[Incoming], batch: ImportBatch | None = None, user: User | None = None
) -> None:
    """Inside a transaction: create and update products by external id, with a queue item for each new one.

    What a changed row was before is noted, and the tags whose evidence went with it are asked for again. Rows that a
    check takes for junk are stored too, set aside.

    Ids must not repeat. Fills ``status`` and ``product`` of what came in. Raises IntegrityError when somebody else
    creates the same product at this moment: run the transaction again.
    """
    new, changed = classify(catalogue=catalogue, incoming=incoming, lock=True)
    Product.objects.bulk_create([product for _one, product in new])
    QueueItem.objects.bulk_create([QueueItem(product=product, catalogue=catalogue) for _one, product in new])
    for one, product in new:
        one.product = product.pk
    before = row_changes.rows_of([one.product for one, _product in changed])
    Product.objects.bulk_create(
        [product for _one, product in changed],
        update_conflicts=True,
        unique_fields=["catalogue", "external_id"],
        update_fields=STORED,
    )
    row_changes.keep_originals([*new, *changed])
    after = {one.product: product for one, product in changed}
    row_changes.note(catalogue=catalogue, before=before, after=after, batch=batch, user=user)


Pairs = list[tuple[Incoming, Product]]


def classify(*, catalogue: Catalogue, incoming: Sequence[Incoming], lock: bool = False) -> tuple[Pairs, Pairs]:
    """(new, changed) products as they should be, not stored yet. Fills ``status``. One query."""
    known = Product.objects.filter(catalogue=catalogue, external_id__in=[one.row.id for one in incoming])
    if lock:
        known = known.select_for_update().order_by("id")
    fields = ("external_id", "pk", "row_hash", "pictures", "revision", "archived_at", "set_aside")
    there = {found[0]: found[1:] for found in known.values_list(*fields)}
    new: Pairs = []
    changed: Pairs = []
    for one in incoming:
        hashed = row_hash(one.row)
        if one.row.id not in there:
            one.status = "created"
            new.append((one, _product(catalogue, one, hashed, one.pictures or [], 1, one.row.junk, None)))
            continue
        one.product, old_hash, pictures, revision, archived_at, was_aside = there[one.row.id]
        wanted = pictures if one.pictures is None else one.pictures
        # what a person said about the row stays said
        aside = was_aside if was_aside in (*SET_ASIDE_BY_PERSON, SetAside.KEPT) else one.row.junk
        in_place = (archived_at is not None) == (aside not in ("", SetAside.KEPT)) and aside == was_aside
        if old_hash == hashed and wanted == pictures and in_place:
            one.status = "unchanged"
        else:
            one.status = "updated"
            changed.append((one, _product(catalogue, one, hashed, wanted, revision + 1, aside, archived_at)))
    return new, changed


def _product(
    catalogue: Catalogue,
    one: Incoming,
    hashed: str,
    pictures: list[str],
    revision: int,
    aside: str,
    archived_at: datetime | None,
) -> Product:
    row = one.row
    out = aside not in ("", SetAside.KEPT)
    return Product(
        catalogue=catalogue,
        external_id=row.id,
        family=row.family[: LIMITS["family"]],
        title=row.title,
        description=row.description,
        category=row.category[: LIMITS["category"]],
        language=row.language[: LIMITS["language"]],
        supplier=supplier_of(row.attributes, row.extra),
        set_aside=aside,
        archived_at=(archived_at or timezone.now()) if out else None,
        attributes=row.attributes,
        extra=row.extra,
        pictures=pictures,
        row_hash=hashed,
        text_hash=text_hash(category=row.category, title=row.title, description=row.description),
        revision=revision,
    )
