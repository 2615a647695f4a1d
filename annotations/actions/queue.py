"""Who looks at what next: leases, skips and flags.

A lease is taken by one guarded UPDATE that names the state it wants, so two people never hold the same product;
``select_for_update`` would be ignored on SQLite.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit
from annotations.actions.errors import Conflict
from annotations.models import (
    QUEUE_ORDER,
    Answer,
    AssignmentRule,
    Catalogue,
    Decision,
    Event,
    FacetCompletion,
    Membership,
    ProductTag,
    QueueItem,
    SplitItem,
    User,
    Voice,
)
from annotations.models.review import QueueItemQuerySet
from annotations.queries import assignment
from annotations.queries.clashes import clashing
from annotations.queries.products import search_condition

TRIES = 20  # rounds of looking for a free item before giving up; each round skips what others took meanwhile

Status = QueueItem.Status
QUEUES: dict[str, tuple[str, ...]] = {
    # the statuses of each queue, in the order in which they are served
    "uncertain": (Status.QUEUED, Status.NEW, Status.SECOND_OPINION),
    "second-opinion": (Status.SECOND_OPINION,),
    "conflicts": (Status.CONFLICT,),
    "flagged": (Status.QUEUED, Status.NEW, Status.SECOND_OPINION, Status.CONFLICT),
    "blind": (Status.QUEUED, Status.NEW),
    "text-picture": (Status.QUEUED, Status.NEW, Status.SECOND_OPINION),  # those that clash, the widest apart first
    "mine": tuple(Status),  # in the order in which the reviewer decided on them, the latest first
}
MINE = 50  # products of one's own that can be looked at again


MIXED = ("uncertain", "blind")
"""Queues in which products with known answers are mixed, where the catalogue has some."""


def lease_next(
    *,
    catalogue: Catalogue,
    user: User,
    queue: str = "uncertain",
    facet: str = "",
    category: str = "",
    search: str = "",
    split: int = 0,
    count: int = 1,
    exclude: Collection[int] = (),
) -> list[QueueItem]:
    """Lease up to ``count`` products to the user, best first, those already held by them included.

    ``exclude`` are product ids to pass over (on screen already, or skipped). ``facet`` keeps products whose facet is
    still open, ``category`` those below a path, ``search`` those with these words in the title or the external id,
    ``split`` (a revision's number) those whose tag was split, the products of one part together. A flagged product waits
    for a lead in the queue of its own, and in no other. An unknown queue raises KeyError. Cost does not grow with the
    catalogue: each status is read from the top of one index (a search reads the narrow index of words first).
    """
    statuses = QUEUES[queue]
    said = search_condition(catalogue, search, "product") if search else Q()
    if queue == "mine":
        return _mine(catalogue, user, facet, category, said, count, exclude)
    narrowed = facet or category or search or split
    taken = _gold(catalogue, user, count, exclude) if queue in MIXED and not narrowed else []
    shares = _shares(catalogue, user)
    # once more at the end: what moved up while we looked further down (new to queued, as a scoring ends) is no end
    for status in (*statuses, *statuses[:1]) if len(statuses) > 1 else statuses:
        waiting = QueueItem.objects.filter(catalogue=catalogue, status=status)
        waiting = _narrowed(waiting, queue, facet, category, said)
        order: tuple[Any, ...] = QUEUE_ORDER
        if split:
            waiting, order = _of_split(waiting, catalogue, split), ("place", "id")
        elif queue == "text-picture":
            waiting, order = clashing(waiting, catalogue, facet), ("-product__clash__gap", "id")
        if status in (Status.SECOND_OPINION, Status.CONFLICT):
            waiting = _unanswered(waiting, user, facet)
        for share in shares:
            _fill(taken, waiting.filter(share), catalogue, user, count, exclude, order)
            if len(taken) >= count:
                return taken
    return taken


def _fill(
    taken: list[QueueItem], waiting: QueueItemQuerySet, catalogue: Catalogue, user: User, count: int,
    exclude: Collection[int], order: tuple[Any, ...] = QUEUE_ORDER,
) -> None:  # fmt: skip
    """Take the best free ones until there are ``count``, or none is left."""
    for _round in range(TRIES):
        wanted = count - len(taken)
        if wanted <= 0:
            return
        seen = {*exclude, *(item.product_id for item in taken)}
        free = waiting.free_for(user).exclude(product_id__in=seen)
        candidates = list(free.select_related("product").order_by(*order)[:wanted])
        if not candidates:
            return
        taken += lease_free(items=candidates, user=user, catalogue=catalogue)


def _shares(catalogue: Catalogue, user: User) -> list[Q]:
    """What is the user's own first, then what is nobody's, then what belongs to somebody who does not come."""
    if not AssignmentRule.objects.filter(catalogue=catalogue).exists():
        return [Q()]
    shares = [Q(assignee=user), Q(assignee=None)]
    if absent := assignment.absent(catalogue):
        shares.append(Q(assignee__in=absent))
    return shares


def _unanswered(items: QueueItemQuerySet, user: User, facet: str) -> QueueItemQuerySet:
    """Without those on which this reviewer has said all there is to say: nobody is asked twice. A second opinion that
    nobody votes on (somebody found a tag ambiguous) is by definition somebody else's."""
    votes = Answer.objects.filter(product=OuterRef("product"), voice=Voice.VOTE)
    mine = votes.filter(reviewer=user)
    doubted = Decision.objects.filter(product=OuterRef("product"), reviewer=user, voice=Voice.ALONE)
    return items.filter(
        ~Exists(mine.filter(facet__slug=facet) if facet else mine.filter(closes=True)),
        Exists(votes) | ~Exists(doubted),
    )


def _gold(catalogue: Catalogue, user: User, count: int, exclude: Collection[int]) -> list[QueueItem]:
    """Now and then, a product whose answer is known and that this reviewer has not been asked about."""
    taken: list[QueueItem] = []
    wanted = sum(random.random() < catalogue.gold_share for _n in range(count)) if catalogue.gold_share else 0
    if wanted:
        answered = Answer.objects.filter(product=OuterRef("product"), reviewer=user, voice=Voice.GOLD)
        known = QueueItem.objects.filter(
            catalogue=catalogue, product__gold__retired_at=None, product__gold__isnull=False, product__archived_at=None
        )
        fresh = known.exclude(product__gold__made_by=user).filter(~Exists(answered))
        _fill(taken, fresh, catalogue, user, wanted, exclude)
    return taken


def lease_free(*, items: Sequence[QueueItem], user: User, catalogue: Catalogue) -> list[QueueItem]:
    """Lease those of the items that are free at this moment, in one UPDATE; returns them in their order.

    The condition is looked at again as each row is written, so of two people who saw the same item free one gets it.
    """
    until = timezone.now() + timedelta(minutes=catalogue.lease_minutes)
    wanted = {item.pk: item for item in items}
    free = QueueItem.objects.filter(pk__in=wanted, status__in={item.status for item in items}).free_for(user)
    got = free.update(lease_owner=user, lease_until=until)
    if got < len(wanted):
        mine = QueueItem.objects.filter(pk__in=wanted, lease_owner=user, lease_until=until)
        wanted = {pk: wanted[pk] for pk in mine.values_list("pk", flat=True)}
    leased = [item for item in items if item.pk in wanted]
    for item in leased:
        item.lease_owner, item.lease_until, item.catalogue = user, until, catalogue
    return leased


def _mine(
    catalogue: Catalogue, user: User, facet: str, category: str, said: Q, count: int, exclude: Collection[int]
) -> list[QueueItem]:
    """What the user decided on last, wherever it stands now."""
    latest: dict[int, None] = {}
    decided = catalogue.decisions.filter(reviewer=user).order_by("-seq")  # type: ignore[attr-defined]
    for product in decided.values_list("product", flat=True).iterator(chunk_size=500):
        latest.setdefault(product)
        if len(latest) == MINE:
            break
    place = {pk: n for n, pk in enumerate(latest)}
    items = QueueItem.objects.filter(catalogue=catalogue, product__in=[pk for pk in latest if pk not in set(exclude)])
    free = _narrowed(items, "mine", facet, category, said).free_for(user).select_related("product")
    wanted = sorted(free, key=lambda item: place[item.product_id])[:count]
    return lease_free(items=wanted, user=user, catalogue=catalogue) if wanted else []


def remember(*, catalogue: Catalogue, user: User, filters: dict[str, str]) -> None:
    """The queue that the user works through, to begin there the next time. Writes only when it is another."""
    Membership.objects.filter(catalogue=catalogue, user=user).exclude(filters=filters).update(filters=filters)


def _narrowed(items: QueueItemQuerySet, queue: str, facet: str, category: str, said: Q) -> QueueItemQuerySet:
    items = items.filter(said, product__archived_at=None)
    if queue == "flagged":
        items = items.exclude(flagged="")
    elif queue != "mine":
        items = items.filter(flagged="")
    if queue == "blind":
        items = items.filter(blind=True)
    if category:
        items = items.filter(Q(product__category=category) | Q(product__category__startswith=category + "/"))
    if facet:
        done = FacetCompletion.objects.filter(product=OuterRef("product"), facet__slug=facet)
        items = items.filter(~Exists(done))
    return items


def _of_split(items: QueueItemQuerySet, catalogue: Catalogue, split: int) -> QueueItemQuerySet:
    left = SplitItem.objects.filter(
        revision__catalogue=catalogue,
        revision__number=split,
        product=OuterRef("product"),
        tag__retired_at__isnull=False,
    )
    stands = ProductTag.objects.filter(
        product=OuterRef("product"), tag__in=SplitItem.objects.filter(
            revision__catalogue=catalogue, revision__number=split).values("tag"), state=ProductTag.State.APPROVED
    )  # fmt: skip
    return items.annotate(place=Subquery(left.values("position")[:1])).filter(Exists(stands), place__isnull=False)


def _take(item: QueueItem, user: User) -> bool:
    """True when the item is the user's now. Guarded by the lease that was seen: of two takers one finds it changed."""
    until = timezone.now() + timedelta(minutes=item.catalogue.lease_minutes)
    seen = QueueItem.objects.filter(pk=item.pk, status=item.status, lease_until=item.lease_until)
    if item.lease_until is None:
        seen = QueueItem.objects.filter(pk=item.pk, status=item.status, lease_until__isnull=True)
    if not seen.filter(lease_owner=item.lease_owner_id).update(lease_owner=user, lease_until=until):
        return False
    item.lease_owner, item.lease_until = user, until
    return True


def lease(*, item: QueueItem, user: User) -> QueueItem:
    """Lease this very product. Raises Conflict while somebody else holds it."""
    if item.leased and item.lease_owner_id != user.pk:
        raise Conflict(
            _("%(name)s is looking at this product") % {"name": item.lease_owner}, "leased",
            until=item.lease_until.isoformat() if item.lease_until else None,
        )  # fmt: skip
    if not _take(item, user):
        raise Conflict(_("somebody else took this product a moment ago"), "leased")
    return item


def renew(*, user: User, product_ids: Collection[int], minutes: int) -> int:
    """Keep what the user still holds for another while. Returns how many are theirs."""
    mine = QueueItem.objects.filter(lease_owner=user, product__in=product_ids, lease_until__gt=timezone.now())
    return mine.update(lease_until=timezone.now() + timedelta(minutes=minutes))


def release(*, user: User, product_ids: Collection[int]) -> int:
    """Give back what the user holds of these. Returns how many there were."""
    return QueueItem.objects.filter(lease_owner=user, product__in=product_ids).update(
        lease_owner=None, lease_until=None
    )


def flag(*, item: QueueItem, user: User, reason: str) -> None:
    """Mark the product for a lead, and give it back. It leaves the other queues until somebody decides on it."""
    with transaction.atomic():
        if item.status == Status.DONE:  # it is to be looked at again
            QueueItem.objects.filter(pk=item.pk).update(status=Status.QUEUED, done_at=None)
        QueueItem.objects.filter(pk=item.pk).update(
            flagged=reason.strip()[:200] or "?", lease_owner=None, lease_until=None
        )
        audit.record(
            word=Event.PRODUCT_FLAGGED, catalogue=item.catalogue, user=user, target=item.product.external_id,
            data={"reason": reason.strip()[:200]},
        )  # fmt: skip


def unflag(*, item: QueueItem, user: User) -> None:
    """Take the flag down; the product goes on where it stands."""
    with transaction.atomic():
        if QueueItem.objects.filter(pk=item.pk).exclude(flagged="").update(flagged=""):
            audit.record(
                word=Event.PRODUCT_UNFLAGGED, catalogue=item.catalogue, user=user, target=item.product.external_id,
                data={"reason": item.flagged},
            )  # fmt: skip
