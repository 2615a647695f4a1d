"""Near duplicates become proposed families, the same row twice a proposed duplicate; a person decides on each.

Found by a job that reads every live product once and keeps a signature of each (annotations/near.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations import near
from annotations.actions import audit, jobs
from annotations.actions.errors import Conflict
from annotations.actions.rows import set_rows
from annotations.models import Catalogue, Event, FamilyProposal, Job, Product, SetAside, User

LEAST = 0.6
"""Estimated likeness of whole texts from which products are proposed; measured in benchmarks/families.py."""
TITLE_LEAST = 0.4
"""Exact likeness of titles besides: products that only share a supplier's long text are no family."""
READ_AT_ONCE = 2000
STORED_AT_ONCE = 200

Kind, State = FamilyProposal.Kind, FamilyProposal.State
Progress = Callable[[int, int, str], object]


def request_families(*, catalogue: Catalogue, user: User | None) -> Job:
    """Look for families, duplicates and shared texts; one such job at a time."""
    return jobs.enqueue(
        kind="families", queue="io", catalogue=catalogue, user=user, coalesce_key=f"families:{catalogue.pk}"
    )


def find_families(
    *, catalogue: Catalogue, fence: Callable[[], object], progress: Progress, least: float = LEAST
) -> dict[str, int]:
    """Store proposals that are new; open ones of an earlier look that no longer stand go. What was decided stays.

    Returns how many are open, by kind. Memory: about 300 bytes a product.
    """
    products = Product.objects.filter(catalogue=catalogue, archived_at=None).order_by("pk")
    total = products.count()
    pks = np.zeros(total, dtype=np.int64)
    marks = np.zeros(total, dtype=np.uint64)
    signatures = np.zeros((total, near.PERMUTATIONS), dtype=np.uint32)
    done = 0
    for row in _read(products):
        if done == total:  # came in since we counted
            break
        pks[done], signatures[done] = row[0], near.signature(f"{row[1]}\n{row[2]}")
        marks[done] = int.from_bytes(hashlib.blake2b(row[3].encode(), digest_size=8).digest(), "little")
        done += 1
        if done % 500 == 0:
            progress(done, total, _("Reading the products"))
    pks, marks, signatures = pks[:done], marks[:done], signatures[:done]
    found: set[str] = set()
    counts = {str(Kind.DUPLICATE): 0, str(Kind.FAMILY): 0}
    twice = _duplicates(pks, marks)
    alike = near.groups(signatures, least)
    for made in _batches(_proposals(catalogue, twice, ((pks[g], s) for g, s in alike))):
        progress(done, total, _("Comparing them"))
        with transaction.atomic():
            fence()
            FamilyProposal.objects.bulk_create(made, ignore_conflicts=True)
        found |= {proposal.digest for proposal in made}
    _forget(catalogue, found, fence)
    for kind in counts:
        counts[kind] = FamilyProposal.objects.filter(catalogue=catalogue, kind=kind, state=State.OPEN).count()
    return counts


def _read(products: QuerySet[Product]) -> Iterator[tuple[int, str, str, str]]:
    """(pk, title, description, text hash), read in chunks by key, so that no cursor is held over minutes."""
    last = 0
    while rows := list(
        products.filter(pk__gt=last).values_list("pk", "title", "description", "text_hash")[:READ_AT_ONCE]
    ):
        last = rows[-1][0]
        yield from rows


def _duplicates(pks: Any, marks: Any) -> Iterator[list[int]]:
    """Primary keys of products with the very same text, each group in order."""
    order = np.argsort(marks, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(marks[order])) + 1) if len(order) else []:
        if 1 < len(group) <= near.GROUP_MOST:
            yield sorted(int(pks[place]) for place in group)


def _proposals(
    catalogue: Catalogue, twice: Iterator[list[int]], alike: Iterator[tuple[Any, float]]
) -> Iterator[FamilyProposal]:
    """Duplicates first: what is set aside as one is no member of a family."""
    gone: set[int] = set()
    for group in twice:
        rows = {p.pk: p for p in Product.objects.filter(pk__in=group)}
        same: dict[str, list[int]] = {}
        for pk in group:
            same.setdefault(_all_of(rows[pk]), []).append(pk)
        for members in same.values():
            if len(members) > 1:
                gone.update(members[1:])
                yield _proposal(catalogue, Kind.DUPLICATE, members, 1.0)
    for places, similarity in alike:
        kept = _of_one_article([int(pk) for pk in places if int(pk) not in gone])
        if len(kept) > 1:
            yield _proposal(catalogue, Kind.FAMILY, kept, similarity)


def _all_of(product: Product) -> str:
    return repr((product.title, product.description, product.category, sorted(product.attributes.items()), product.pictures,
                 product.supplier, product.family))  # fmt: skip


def _of_one_article(members: Sequence[int]) -> list[int]:
    """Those whose titles are alike too and whom the source does not put into different families; at least one of them
    must be without a family, or there is nothing to propose."""
    if len(members) < 2:
        return []
    rows = {p.pk: p for p in Product.objects.filter(pk__in=members).only("pk", "title", "family", "supplier")}
    first = rows[members[0]]
    family = first.family or next((rows[pk].family for pk in members if rows[pk].family), "")
    kept = [
        pk for pk in members
        if rows[pk].family in ("", family)
        and rows[pk].supplier == first.supplier
        and (pk == first.pk or near.jaccard(rows[pk].title, first.title) >= TITLE_LEAST)
    ]  # fmt: skip
    return kept if any(not rows[pk].family for pk in kept) else []


def _proposal(catalogue: Catalogue, kind: str, members: Sequence[int], similarity: float) -> FamilyProposal:
    name = f"{kind}:{','.join(map(str, sorted(members)))}"
    return FamilyProposal(
        catalogue=catalogue, kind=kind, members=list(members), similarity=similarity,
        digest=hashlib.sha256(name.encode()).hexdigest(),
    )  # fmt: skip


def _batches(proposals: Iterator[FamilyProposal]) -> Iterator[list[FamilyProposal]]:
    made: list[FamilyProposal] = []
    for proposal in proposals:
        made.append(proposal)
        if len(made) == STORED_AT_ONCE:
            yield made
            made = []
    if made:
        yield made


def _forget(catalogue: Catalogue, found: set[str], fence: Callable[[], object]) -> None:
    stale = [
        pk for pk, digest in FamilyProposal.objects.filter(catalogue=catalogue, state=State.OPEN).values_list("pk", "digest")
        if digest not in found
    ]  # fmt: skip
    for start in range(0, len(stale), STORED_AT_ONCE):
        with transaction.atomic():
            fence()
            FamilyProposal.objects.filter(pk__in=stale[start : start + STORED_AT_ONCE], state=State.OPEN).delete()


# -- a person decides --------------------------------------------------------------------------------------------
def accept_proposal(*, proposal: FamilyProposal, user: User) -> FamilyProposal:
    """One family for its members, or all but the first set aside. Raises Conflict when it was decided before."""
    with transaction.atomic():
        _decide(proposal, user, State.ACCEPTED)
        rows = Product.objects.filter(catalogue=proposal.catalogue, pk__in=proposal.members, archived_at=None)
        products = {p.pk: p for p in rows}
        there = [pk for pk in proposal.members if pk in products]
        wanted: dict[int, dict[str, Any]] = {}
        if proposal.kind == Kind.DUPLICATE:
            gone = {"set_aside": SetAside.DUPLICATE.value, "archived_at": timezone.now()}
            wanted = dict.fromkeys(there[1:], gone)
        elif there:
            family = next((products[pk].family for pk in there if products[pk].family), "")
            family = family or f"~{products[there[0]].external_id}"[:200]
            wanted = {pk: {"family": family} for pk in there if products[pk].family != family}
        proposal.before = {str(pk): [products[pk].family, products[pk].set_aside] for pk in wanted}
        proposal.save(update_fields=["before"])
        set_rows(catalogue=proposal.catalogue, wanted=wanted, user=user)
    return proposal


def decline_proposal(*, proposal: FamilyProposal, user: User) -> FamilyProposal:
    """The same products are not proposed again. Raises Conflict when it was decided before."""
    with transaction.atomic():
        _decide(proposal, user, State.DECLINED)
    return proposal


def reopen_proposal(*, proposal: FamilyProposal, user: User) -> FamilyProposal:
    """Take a decision back: what was accepted is as it was before, and it is asked again."""
    with transaction.atomic():
        taken = FamilyProposal.objects.filter(pk=proposal.pk).exclude(state=State.OPEN)
        if not taken.update(state=State.OPEN, decided_by=None, decided_at=None, before={}):
            raise Conflict(_("Nobody has decided on it."), "open")
        wanted: dict[int, dict[str, Any]] = {}
        for pk, (family, aside) in proposal.before.items():
            back: dict[str, Any] = {"family": family, "set_aside": aside}
            if proposal.kind == Kind.DUPLICATE:
                back["archived_at"] = None
            wanted[int(pk)] = back
        set_rows(catalogue=proposal.catalogue, wanted=wanted, user=user)
        _tell(proposal, user, "open")
    proposal.refresh_from_db()
    return proposal


def _decide(proposal: FamilyProposal, user: User, state: str) -> None:
    asked = FamilyProposal.objects.filter(pk=proposal.pk, state=State.OPEN)
    if not asked.update(state=state, decided_by=user, decided_at=timezone.now()):
        raise Conflict(_("Somebody has decided on it already."), "decided")
    proposal.state = state
    _tell(proposal, user, state)


def _tell(proposal: FamilyProposal, user: User, state: str) -> None:
    audit.record(
        word=Event.FAMILY_DECIDED, catalogue=proposal.catalogue, user=user, target=str(proposal.pk),
        data={"kind": proposal.kind, "state": state, "products": len(proposal.members)},
    )  # fmt: skip
