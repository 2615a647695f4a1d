"""Taking back, and taking back the taking back. Both are decisions that point at what they undo."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from annotations.actions.decide import Circumstances, Saved, store
from annotations.models import BulkRun, Catalogue, Decision, Input, Product, QueueItem, User, Verdict, Voice
from annotations.queries.standing import facts_of

DEPTH = 50  # batches that can be taken back, one after the other


@dataclass(frozen=True, slots=True)
class Undone:
    """``batch`` is what was taken back (or brought back), ``products`` what it was about, ``seq`` the last decision."""

    seq: int
    batch: uuid.UUID
    products: tuple[Product, ...]
    decisions: int


def undo(*, catalogue: Catalogue, by: Circumstances) -> Undone | None:
    """Take back the reviewer's last batch that still counts. None when there is nothing to take back."""
    return _reverse(catalogue, by, redo=False)


def redo(*, catalogue: Catalogue, by: Circumstances) -> Undone | None:
    """Bring back what was undone last, as long as nothing new was decided since."""
    return _reverse(catalogue, by, redo=True)


def _reverse(catalogue: Catalogue, by: Circumstances, *, redo: bool) -> Undone | None:
    with transaction.atomic():
        batches = _history(catalogue, by.reviewer)
        target = _next_redo(batches) if redo else _next_undo(batches)
        if target is None:
            return None
        decisions = list(
            # what something else took back since (a changed row reopens a facet) is not taken back twice
            catalogue.decisions.filter(batch=target.id, undone_by=None)  # type: ignore[attr-defined]
            .exclude(voice=Voice.AGREED)  # follows from the votes, both ways
            .select_related("product")
            .order_by("seq")
        )
        saved = take_back(catalogue, decisions, by, uuid.uuid4())
        products = {d.product_id: d.product for d in decisions}
        return Undone(saved.seq, target.id, tuple(products.values()), len(decisions))


def take_back(catalogue: Catalogue, decisions: Sequence[Decision], by: Circumstances, batch: uuid.UUID) -> Saved:
    """Inside a transaction: an undo for each of these decisions, none of which was undone before, as one batch."""
    products = {d.product_id for d in decisions}
    QueueItem.objects.filter(product__in=products).update(version=F("version") + 1)
    items = {i.product_id: i for i in QueueItem.objects.filter(product__in=products).select_related("product")}
    before = facts_of(list(products))
    now = timezone.now()
    rows = [
        Decision(
            id=uuid.uuid5(batch, f"undo:{d.id}"),
            catalogue=catalogue,
            product_id=d.product_id,
            facet_id=d.facet_id,
            tag_id=d.tag_id,
            verdict=Verdict.UNDO,
            undoes=d,
            voice=d.voice,
            wanted=d.wanted,
            reviewer=by.reviewer,
            role=by.role,
            input=by.input,
            blind=d.blind,
            shown_at=by.shown_at,
            decided_at=now,
            batch=batch,
            taxonomy_revision=catalogue.taxonomy_revision,
            product_version=items[d.product_id].version,
        )
        for d in decisions
    ]
    return store(catalogue, rows, before, items)


@dataclass(slots=True)
class _Batch:
    """``reverses``: 0 for a first-hand batch, 1 for an undo, 2 for a redo, and so on."""

    id: uuid.UUID
    reverses: int
    counts: bool


def _history(catalogue: Catalogue, reviewer: User) -> list[_Batch]:
    """The reviewer's latest batches, newest first; at most three times DEPTH, since each may have been undone.

    One decision speaks for its batch: what was saved together is undone together.
    """
    newest: dict[uuid.UUID, uuid.UUID] = {}
    mine = (
        catalogue.decisions.filter(reviewer=reviewer)  # type: ignore[attr-defined]
        # what a panel agrees on is in the name of whoever voted last, but is not theirs to take back
        .exclude(voice=Voice.AGREED)
        .exclude(batch__in=_of_bulk_runs(catalogue))
        # what a merge or a split decided is taken back with it, and never a part of it alone
        .exclude(input=Input.TAXONOMY)
    )
    for batch, decision in mine.order_by("-seq").values_list("batch", "id").iterator(chunk_size=500):
        if batch not in newest and len(newest) == 3 * DEPTH:
            break
        newest.setdefault(batch, decision)
    speakers = {d.id: d for d in mine.filter(id__in=newest.values()).select_related("undoes")}
    undone_by = _undone_by(list(speakers))
    return [_Batch(batch, _depth(speakers[d]), _counts(d, undone_by)) for batch, d in newest.items()]


def _of_bulk_runs(catalogue: Catalogue) -> list[uuid.UUID]:
    """A bulk action has an undo of its own, on its page: one key must not take back 20,000 products, nor bring them
    back. Both batches of the latest runs."""
    runs = BulkRun.objects.filter(catalogue=catalogue, kind__in=BulkRun.DECIDES).order_by("-id")
    made = list(runs.values_list("decisions", flat=True)[: 3 * DEPTH])
    return [*made, *(undo_batch(decisions) for decisions in made)]


def undo_batch(decisions: uuid.UUID) -> uuid.UUID:
    """The batch that takes back a bulk action's decisions."""
    return uuid.uuid5(decisions, "undo")


def _undone_by(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Decision to the one that undoes it, followed until nothing more is found (an undo may be undone by others)."""
    found: dict[uuid.UUID, uuid.UUID] = {}
    pending = list(ids)
    while pending:
        pairs = list(Decision.objects.filter(undoes__in=pending).values_list("undoes", "id"))
        pending = [by for of, by in pairs if of is not None and of not in found]
        found.update((of, by) for of, by in pairs if of is not None)
    return found


def _counts(decision: uuid.UUID, undone_by: dict[uuid.UUID, uuid.UUID]) -> bool:
    by = undone_by.get(decision)
    return by is None or not _counts(by, undone_by)


def _depth(decision: Decision) -> int:
    depth = 0
    current: Decision | None = decision
    while current is not None and current.undoes_id is not None:
        depth += 1
        current = current.undoes
    return depth


def _next_undo(batches: Sequence[_Batch]) -> _Batch | None:
    """The newest batch that counts and either was decided first-hand or brought something back."""
    return next((b for b in batches[: 2 * DEPTH] if b.counts and b.reverses % 2 == 0), None)


def _next_redo(batches: Sequence[_Batch]) -> _Batch | None:
    """The newest undo that counts, unless something was decided first-hand after it."""
    for batch in batches:
        if batch.counts and batch.reverses % 2 == 1:
            return batch
        if batch.counts and batch.reverses == 0:
            return None
    return None
