"""Which cleaning a catalogue wants, and the texts that many of its products share."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs, learning
from annotations.actions.errors import Conflict, Refused
from annotations.actions.rows import set_rows
from annotations.formats.checks import lines_of, without_shared
from annotations.formats.cleaning import NAMES, SHARED
from annotations.models import Boilerplate, Catalogue, Event, Job, Original, Product, User
from annotations.queries.cleaning import accepted_lines

PRODUCTS_LEAST = 20
"""A line is proposed when so many products of a supplier have it, and a twentieth of them."""
SHARE_LEAST = 0.05
CHARS_LEAST = 24  # a Chinese character counts as two
PROPOSED_MOST = 200
READ_AT_ONCE = 1000
CHANGED_AT_ONCE = 250
_SLOTS = 2**22

State = Boilerplate.State
Progress = Callable[[int, int, str], object]


def switch_steps(*, catalogue: Catalogue, user: User | None, off: Collection[str]) -> Catalogue:
    """Switch off exactly these steps; they count from the next import on. Raises Refused for an unknown name."""
    if unknown := sorted(set(off) - set(NAMES)):
        raise Refused(
            _("there is no cleaning step “%(name)s”") % {"name": unknown[0]}, "unknown_step", known=list(NAMES)
        )
    wanted = [name for name in NAMES if name in off]
    with transaction.atomic():
        fresh = Catalogue.objects.select_for_update().get(pk=catalogue.pk)
        if fresh.cleaning_off != wanted:
            changed = {"cleaning_off": [fresh.cleaning_off, wanted]}
            fresh.cleaning_off = wanted
            fresh.save(update_fields=["cleaning_off"])
            audit.record(
                word=Event.CATALOGUE_CHANGED, catalogue=fresh, user=user, target=fresh.slug, data={"changed": changed}
            )
    catalogue.cleaning_off = wanted
    return fresh


def find_shared(*, catalogue: Catalogue, fence: Callable[[], object], progress: Progress) -> int:
    """Propose lines that many products of one supplier have. Returns how many wait for a decision.

    Two readings: the first counts in a table of fixed size (a count may be too high, never too low), the second looks
    exactly at what passed. Memory does not grow with the catalogue.
    """
    slots = np.zeros(_SLOTS, dtype=np.uint32)
    sizes: dict[str, int] = {}
    total = 2 * Product.objects.filter(catalogue=catalogue, archived_at=None).count()
    done = 0
    for done, (supplier, lines) in enumerate(_read(catalogue), start=1):
        sizes[supplier] = sizes.get(supplier, 0) + 1
        for line in lines:
            slots[_slot(supplier, line)] += 1
        if done % 500 == 0:
            progress(done, total, _("Counting shared texts"))
    exact: dict[tuple[str, str], int] = {}
    for more, (supplier, lines) in enumerate(_read(catalogue), start=1):
        least = max(PRODUCTS_LEAST, SHARE_LEAST * sizes.get(supplier, 0))
        for line in lines:
            if slots[_slot(supplier, line)] >= least and (len(exact) < 50 * PROPOSED_MOST or (supplier, line) in exact):
                exact[supplier, line] = exact.get((supplier, line), 0) + 1
        if more % 500 == 0:
            progress(done + more, total, _("Counting shared texts"))
    many = [(n, s, t) for (s, t), n in exact.items() if n >= max(PRODUCTS_LEAST, SHARE_LEAST * sizes.get(s, 0))]
    many.sort(key=lambda found: -found[0])
    with transaction.atomic():
        fence()
        Boilerplate.objects.filter(catalogue=catalogue, state=State.PROPOSED).delete()
        Boilerplate.objects.bulk_create(
            [
                Boilerplate(
                    catalogue=catalogue, supplier=supplier, text=text, products=n, digest=_digest(supplier, text)
                )
                for n, supplier, text in many[:PROPOSED_MOST]
            ],
            ignore_conflicts=True,
        )  # fmt: skip
    return Boilerplate.objects.filter(catalogue=catalogue, state=State.PROPOSED).count()


def _read(catalogue: Catalogue) -> Iterator[tuple[str, set[str]]]:
    """Supplier and the lines worth counting, of every live product."""
    live = Product.objects.filter(catalogue=catalogue, archived_at=None).order_by("pk")
    last = 0
    while rows := list(live.filter(pk__gt=last).values_list("pk", "supplier", "description")[:READ_AT_ONCE]):
        last = rows[-1][0]
        for _pk, supplier, description in rows:
            yield supplier, {line for line in lines_of(description) if _weight(line) >= CHARS_LEAST}


def _weight(line: str) -> int:
    return len(line) if line.isascii() else sum(2 if c > "\u2e7f" else 1 for c in line)


def _slot(supplier: str, line: str) -> int:
    return zlib.crc32(f"{supplier}\0{line}".encode("utf-8", "surrogatepass")) % _SLOTS


def _digest(supplier: str, text: str) -> str:
    return hashlib.sha256(f"{supplier}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()


def decide_shared(*, shared: Boilerplate, user: User, accept: bool) -> Boilerplate:
    """Accepted, the line goes out of what is there (by a job) and out of what comes in; declined, it stays for good.

    Raises Conflict when it was decided before.
    """
    state = State.ACCEPTED if accept else State.DECLINED
    with transaction.atomic():
        asked = Boilerplate.objects.filter(pk=shared.pk, state=State.PROPOSED)
        if not asked.update(state=state, decided_by=user, decided_at=timezone.now()):
            raise Conflict(_("Somebody has decided on it already."), "decided")
        shared.state = state
        audit.record(
            word=Event.BOILERPLATE_DECIDED, catalogue=shared.catalogue, user=user, target=shared.text[:100],
            data={"supplier": shared.supplier, "state": state, "products": shared.products},
        )  # fmt: skip
        if accept:
            request_clearing(catalogue=shared.catalogue, user=user)
    return shared


def request_clearing(*, catalogue: Catalogue, user: User | None) -> Job:
    return jobs.enqueue(
        kind="shared_texts", queue="io", catalogue=catalogue, user=user, coalesce_key=f"shared_texts:{catalogue.pk}"
    )  # fmt: skip


def clear_shared(*, catalogue: Catalogue, user: User | None, fence: Callable[[], object], progress: Progress) -> int:
    """Take every accepted line out of the descriptions of its supplier's products; the cell as it came is kept.

    Returns the products changed. Run again it changes nothing.
    """
    if SHARED in catalogue.cleaning_off:
        return 0
    changed = 0
    for supplier, lines in accepted_lines(catalogue).items():
        mine = Product.objects.filter(catalogue=catalogue, supplier=supplier, archived_at=None).order_by("pk")
        total, last, seen = mine.count(), 0, 0
        while rows := list(mine.filter(pk__gt=last).values_list("pk", "description")[:CHANGED_AT_ONCE]):
            last, seen = rows[-1][0], seen + len(rows)
            progress(seen, total, _("Taking shared texts out"))
            cleared = {pk: (text, without_shared(text, lines)) for pk, text in rows}
            wanted = {pk: {"description": after} for pk, (before, after) in cleared.items() if before != after}
            if wanted:
                with transaction.atomic():
                    fence()
                    _keep_originals({pk: cleared[pk][0] for pk in wanted})
                    set_rows(catalogue=catalogue, wanted=wanted, user=user)
                changed += len(wanted)
    if changed:
        learning.request_refit(catalogue=catalogue)
    return changed


def _keep_originals(descriptions: dict[int, str]) -> None:
    """What cleaning kept of the cell before stays: it is nearer to what came."""
    known = Original.objects.in_bulk(list(descriptions))
    rows = []
    for pk, text in descriptions.items():
        cells: dict[str, Any] = dict(known[pk].cells) if pk in known else {}
        was = cells.get("description", {"was": text, "steps": []})
        cells["description"] = {**was, "steps": [*(s for s in was["steps"] if s != SHARED), SHARED]}
        rows.append(Original(product_id=pk, cells=cells))
    Original.objects.bulk_create(rows, update_conflicts=True, unique_fields=["product"], update_fields=["cells"])
