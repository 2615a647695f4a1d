"""Questions about proposed families: what waits, what was decided."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import F

from annotations.models import Boilerplate, Catalogue, FamilyProposal, Job, Product

SHOWN = 24
"""Members of a proposal that a page shows; the rest are counted."""
DECIDED = 12


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal with the products it is about, the first one first; ``names`` are those of their attributes that
    differ, ``more`` how many products are not shown."""

    proposal: FamilyProposal
    products: tuple[Product, ...]
    names: tuple[str, ...]
    more: int

    @property
    def percent(self) -> int:
        return round(100 * self.proposal.similarity)


def next_proposals(catalogue: Catalogue, *, skip: Collection[int] = (), count: int = 1) -> list[Proposed]:
    """Those to decide on now, the surest first. Two queries."""
    waiting = FamilyProposal.objects.filter(catalogue=catalogue, state=FamilyProposal.State.OPEN).exclude(pk__in=skip)
    found = list(waiting.order_by(F("similarity").desc(), "id")[:count])
    products = Product.objects.in_bulk([pk for one in found for pk in one.members[:SHOWN]])
    return [_proposed(one, products) for one in found]


def _proposed(proposal: FamilyProposal, products: dict[int, Product]) -> Proposed:
    shown = tuple(products[pk] for pk in proposal.members[:SHOWN] if pk in products)
    names = dict.fromkeys(name for product in shown for name in product.attributes)
    differing = [n for n in names if len({tuple(p.attributes.get(n, ())) for p in shown}) > 1]
    return Proposed(proposal, shown, tuple(differing[:6]), max(0, len(proposal.members) - SHOWN))


def open_count(catalogue: Catalogue) -> int:
    return FamilyProposal.objects.filter(catalogue=catalogue, state=FamilyProposal.State.OPEN).count()


def decided(catalogue: Catalogue) -> list[FamilyProposal]:
    """The latest first."""
    found = FamilyProposal.objects.filter(catalogue=catalogue).exclude(state=FamilyProposal.State.OPEN)
    return list(found.select_related("decided_by").order_by("-decided_at")[:DECIDED])


def proposal_of(catalogue: Catalogue, pk: int) -> FamilyProposal | None:
    return FamilyProposal.objects.filter(catalogue=catalogue, pk=pk).select_related("catalogue").first()


def shared_of(catalogue: Catalogue, pk: int) -> Boilerplate | None:
    return Boilerplate.objects.filter(catalogue=catalogue, pk=pk).select_related("catalogue").first()


def shared_texts(catalogue: Catalogue, state: str) -> list[Boilerplate]:
    """Those most shared first."""
    return list(Boilerplate.objects.filter(catalogue=catalogue, state=state).order_by("-products", "pk")[:100])


def last_job(catalogue: Catalogue, *kinds: str) -> Job | None:
    return Job.objects.filter(catalogue=catalogue, kind__in=kinds).order_by("-created_at").first()
