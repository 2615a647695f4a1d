"""Many products at once: asked for with a preview, done by a job in short transactions, undone as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs, learning, row_changes
from annotations.actions.bulk_plans import ON_ITEMS, Plan, checked_params, plan
from annotations.actions.decide import ROWS_PER_TRANSACTION, Card, Circumstances, append
from annotations.actions.errors import Conflict, Refused
from annotations.actions.rows import set_rows
from annotations.actions.undo import take_back, undo_batch
from annotations.models import (
    BulkRun,
    Catalogue,
    Decision,
    Event,
    Input,
    Job,
    Membership,
    Product,
    QueueItem,
    RowChange,
    User,
)
from annotations.queries.bulk import LOOKED_AT, Foreseen, chosen
from annotations.queries.products import Filters, NoSuchName

PRODUCTS_AT_ONCE = 250
HELD_TOLD = 200
"""How many of the products that stayed out are listed; the rest are counted."""
SELECTED_MOST = 1000
EXAMPLES = 20

Fence = Callable[[], object]
Progress = Callable[[int, int], object]


def request_bulk(
    *,
    catalogue: Catalogue,
    user: User,
    kind: str,
    params: Mapping[str, str],
    filters: Filters | None = None,
    selection: Sequence[int] = (),
    confirmed: int | None = None,
) -> BulkRun:
    """Enqueue the action for a selection, or for everything that fits the filters.

    confirmed: for filters, the number of products as the person typed it. It must be what there is now, so that
               nobody changes more than they have read. Raises Refused or Conflict otherwise.
    """
    kept = checked_params(catalogue, kind, params)
    selection = sorted(set(selection))
    if len(selection) > SELECTED_MOST:
        raise Refused(_("choose at most %(n)s, or all results") % {"n": SELECTED_MOST}, "too_many", limit=SELECTED_MOST)
    try:
        found = chosen(catalogue, filters, selection)
    except NoSuchName as error:
        raise Refused(str(error), "filter") from None
    total = found.count()
    if not total:
        raise Refused(_("choose some products first"), "nothing")
    if not selection and confirmed != total:
        raise Conflict(_("Type the number of products to go on: %(n)s.") % {"n": total}, "number", total=total)
    with transaction.atomic():
        run = BulkRun.objects.create(
            catalogue=catalogue, user=user, kind=kind, params=kept, total=total, selection=selection,
            filters=filters.as_dict() if filters and not selection else {},
        )  # fmt: skip
        run.job = jobs.enqueue(kind="bulk", queue="io", catalogue=catalogue, user=user, params={"run": run.pk})
        run.save(update_fields=["job"])
        audit.record(
            word=Event.BULK_ACTION, catalogue=catalogue, user=user, target=kind,
            data={"run": run.pk, "products": total, **kept},
        )  # fmt: skip
    return run


def foresee(
    *, catalogue: Catalogue, kind: str, params: Mapping[str, str], filters: Filters | None, selection: Sequence[int]
) -> Foreseen:
    """What the action would do, worked out by the very plan that the job follows. Writes nothing. Raises Refused."""
    kept = checked_params(catalogue, kind, params)
    try:
        found = chosen(catalogue, filters, selection)
    except NoSuchName as error:
        raise Refused(str(error), "filter") from None
    total, looked, changed = found.count(), 0, 0
    held: list[tuple[Product, str]] = []
    examples: list[Product] = []
    position = held_count = 0
    while looked < LOOKED_AT and (products := list(found.filter(pk__gt=position).order_by("pk")[:PRODUCTS_AT_ONCE])):
        position = products[-1].pk
        for product in products:
            product.catalogue = catalogue
        made = plan(catalogue, kind, kept, products)
        looked, changed, held_count = looked + len(products), changed + made.changes, held_count + len(made.held)
        held += [(p, made.held[p.pk]) for p in products if p.pk in made.held][: EXAMPLES - len(held)]
        touched = {*(card.product.pk for card in made.cards), *made.values}
        examples += [p for p in products if p.pk in touched][: EXAMPLES - len(examples)]
    return Foreseen(total, looked, changed, tuple(held), held_count, tuple(examples))


def request_undo(*, run: BulkRun, user: User) -> BulkRun:
    """Enqueue the taking back of all that the action did. Raises Conflict while it runs, or when that was asked before."""
    if run.job is not None and run.job.live:
        raise Conflict(_("It still runs: stop it first."), "running")
    with transaction.atomic():
        job = jobs.enqueue(kind="bulk_undo", queue="io", catalogue=run.catalogue, user=user, params={"run": run.pk})
        if not BulkRun.objects.filter(pk=run.pk, undo_job=None).update(undo_job=job):
            transaction.set_rollback(True)
            raise Conflict(_("It is being taken back already."), "undone")
        run.undo_job = job
        audit.record(
            word=Event.BULK_UNDONE, catalogue=run.catalogue, user=user, target=run.kind, data={"run": run.pk}
        )  # fmt: skip
    return run


def carry_out(*, run: BulkRun, fence: Fence, progress: Progress) -> BulkRun:
    """Do it, going on after ``run.position``: what was done before a crash is not done again.

    Each transaction holds at most ``ROWS_PER_TRANSACTION`` decisions or ``PRODUCTS_AT_ONCE`` rows, and what the run
    counts of it. What ``progress`` raises (a cancelled job) ends it between two transactions.
    """
    by = _circumstances(run.catalogue, run.user)
    every = chosen(run.catalogue, Filters.of(run.filters), run.selection)
    while products := list(every.filter(pk__gt=run.position).order_by("pk")[:PRODUCTS_AT_ONCE]):
        progress(run.seen, run.total)
        for product in products:
            product.catalogue = run.catalogue
        made = plan(run.catalogue, run.kind, run.params, products)
        for part, cards in _parts(products, made):
            with transaction.atomic():
                fence()
                _count(run, part, made, changed=len(cards) or sum(p.pk in made.values for p in part))
                if cards:
                    append(run.catalogue, cards, by, run.decisions, bump=True)
                elif made.values:
                    _set(run, part, made)
    progress(run.seen, run.total)
    if run.changed and run.kind not in BulkRun.DECIDES:
        learning.request_refit(catalogue=run.catalogue)
    return run


def _circumstances(catalogue: Catalogue, user: User) -> Circumstances:
    membership = Membership.objects.filter(catalogue=catalogue, user=user).first()
    if membership is None:
        raise Refused(_("“%(name)s” is no member of this catalogue.") % {"name": user.get_username()}, "no-member")
    return Circumstances(user, membership.role, Input.BULK)


def _parts(products: Sequence[Product], made: Plan) -> Iterator[tuple[list[Product], list[Card]]]:
    """The products in order, cut so that no part stores more than ``ROWS_PER_TRANSACTION`` decisions."""
    cards = {card.product.pk: card for card in made.cards}
    part: list[Product] = []
    mine: list[Card] = []
    rows = 0
    for product in products:
        card = cards.get(product.pk)
        size = len(card.choices) + len(card.complete) if card else 0
        if part and rows + size > ROWS_PER_TRANSACTION:
            yield part, mine
            part, mine, rows = [], [], 0
        part.append(product)
        if card:
            mine.append(card)
        rows += size
    yield part, mine


def _count(run: BulkRun, part: Sequence[Product], made: Plan, *, changed: int) -> None:
    """Written first: the rows' locks are held for as long as they must be, the counter's for less."""
    held = [p for p in part if p.pk in made.held]
    run.held = [
        *run.held,
        *({"product": p.pk, "name": p.title[:120] or p.external_id, "why": made.held[p.pk]} for p in held),
    ][:HELD_TOLD]
    run.position, run.seen = part[-1].pk, run.seen + len(part)
    run.changed, run.held_count = run.changed + changed, run.held_count + len(held)
    run.save(update_fields=["held", "position", "seen", "changed", "held_count"])


def _set(run: BulkRun, part: Sequence[Product], made: Plan) -> None:
    wanted = {p.pk: made.values[p.pk] for p in part if p.pk in made.values}
    if run.kind in ON_ITEMS:
        _set_items(run, wanted)
    else:
        set_rows(catalogue=run.catalogue, wanted=wanted, run=run, user=run.user)


def _set_items(run: BulkRun, wanted: Mapping[int, Mapping[str, Any]]) -> None:
    items = list(QueueItem.objects.filter(product__in=wanted).select_related("product"))
    RowChange.objects.bulk_create(
        RowChange(
            product_id=item.product_id, run=run, user=run.user, revision=item.product.revision,
            fields={name: [getattr(item, name), value] for name, value in wanted[item.product_id].items()},
        )
        for item in items
    )  # fmt: skip
    for item in items:
        _give(item, wanted[item.product_id])
    QueueItem.objects.bulk_update(items, ["flagged", "boost", "priority"])


def _give(item: QueueItem, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name == "boost":
            item.priority += value - item.boost
        setattr(item, name, value)


# -- taking it back ----------------------------------------------------------------------------------------------
def carry_back(*, run: BulkRun, user: User, fence: Fence, progress: Progress) -> BulkRun:
    """Undo what the action did. A row that changed again since is left as it is, and counted in ``kept``."""
    if run.kind in BulkRun.DECIDES:
        _undo_decisions(run, user, fence, progress)
    else:
        _undo_changes(run, user, fence, progress)
        if run.undone:
            learning.request_refit(catalogue=run.catalogue)
    return run


def _undo_decisions(run: BulkRun, user: User, fence: Fence, progress: Progress) -> None:
    by, batch = _circumstances(run.catalogue, user), undo_batch(run.decisions)
    left = Decision.objects.filter(batch=run.decisions, undone_by=None).select_related("product")
    while decisions := list(left.order_by("product", "seq")[:ROWS_PER_TRANSACTION]):
        progress(run.undone, run.changed)
        # a product whose decisions are cut in two is left to the next round, unless it is all there is
        last = decisions[-1].product_id
        whole = [d for d in decisions if d.product_id != last] if len(decisions) == ROWS_PER_TRANSACTION else decisions
        with transaction.atomic():
            fence()
            run.undone += len({d.product_id for d in (whole or decisions)})
            run.save(update_fields=["undone"])
            take_back(run.catalogue, whole or decisions, by, batch)
    progress(run.undone, run.changed)


def _undo_changes(run: BulkRun, user: User, fence: Fence, progress: Progress) -> None:
    left = RowChange.objects.filter(run=run, undone=False).order_by("product")
    while changes := list(left[:PRODUCTS_AT_ONCE]):
        progress(run.undone + run.kept, run.changed)
        with transaction.atomic():
            fence()
            done = _put_back(run, changes, user)
            run.undone, run.kept = run.undone + done, run.kept + len(changes) - done
            run.save(update_fields=["undone", "kept"])
            RowChange.objects.filter(pk__in=[c.pk for c in changes]).update(undone=True)
    progress(run.undone + run.kept, run.changed)


def _put_back(run: BulkRun, changes: Sequence[RowChange], user: User) -> int:
    """Returns how many were as the action left them."""
    ids = [change.product_id for change in changes]
    if run.kind in ON_ITEMS:
        items = QueueItem.objects.in_bulk(ids, field_name="product_id")
        fit = [c for c in changes if all(getattr(items[c.product_id], n) == now for n, (_was, now) in c.fields.items())]
        for change in fit:
            _give(items[change.product_id], {name: was for name, (was, _now) in change.fields.items()})
        QueueItem.objects.bulk_update([items[c.product_id] for c in fit], ["flagged", "boost", "priority"])
        return len(fit)
    rows = row_changes.rows_of(ids)
    wanted: dict[int, dict[str, Any]] = {}
    for change in changes:
        fields = dict(change.fields)
        archived = fields.pop("archived", None)
        row = rows[change.product_id]
        if any(getattr(row, name) != now for name, (_was, now) in fields.items()):
            continue
        if archived and (row.archived_at is not None) != archived[1]:
            continue
        wanted[row.pk] = {name: was for name, (was, _now) in fields.items()}
        if archived:
            wanted[row.pk]["archived_at"] = timezone.now() if archived[0] else None
    set_rows(catalogue=run.catalogue, wanted=wanted, user=user)
    return len(wanted)


def job_of(run: BulkRun) -> Job | None:
    """The job that is worked on now, or was last: the undo's once there is one."""
    return run.undo_job or run.job
