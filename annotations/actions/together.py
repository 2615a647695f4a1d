"""Many products decided on in one gesture: stored in one transaction, taken back by one undo."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import panel_log
from annotations.actions.consequences import broken_rules, following_merges
from annotations.actions.decide import Card, Circumstances, append, check_choices
from annotations.actions.errors import Refused
from annotations.models import Catalogue, Decision, QueueItem
from annotations.queries.standing import facts_of

MOST = 100  # products of one gesture


@dataclass(frozen=True, slots=True)
class Sent:
    """A card, and the version of its product that was on screen."""

    card: Card
    version: int


@dataclass(frozen=True, slots=True)
class Held:
    """A product that stayed out, and why: ``changed`` (decided on since), ``taken`` (somebody else holds it), ``gone``
    (archived); with a sentence that says it: ``rule`` of the taxonomy, ``answered`` otherwise before by this reviewer,
    ``settled`` by somebody with the last word."""

    product: int
    why: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Together:
    """``products`` that were stored, ``held`` those that were not, ``seq`` of the last decision."""

    seq: int
    batch: uuid.UUID
    products: frozenset[int]
    held: tuple[Held, ...] = field(default=())
    replayed: bool = False


def save_together(
    *, catalogue: Catalogue, sent: Sequence[Sent], by: Circumstances, batch: uuid.UUID, held: Sequence[Held] = ()
) -> Together:
    """Store every card whose product is still as it was on screen, all in one transaction; the others are held back
    and named. ``held`` are those that the caller already keeps out.

    Sent again with the same ``batch`` by the same reviewer, the stored answer comes back. Raises Refused before
    anything is stored when a card contradicts itself, names more than ``MOST`` products, or the batch is another's.
    """
    for one in sent:
        check_choices(one.card)
    cards = following_merges([one.card for one in sent])
    sent = [replace(one, card=card) for one, card in zip(sent, cards, strict=True)]
    if len({one.card.product.pk for one in sent}) != len(sent) or len(sent) > MOST:
        raise Refused(_("Each product once, and at most %(n)d of them.") % {"n": MOST}, "products")
    if stored := _stored(batch, by, sent, held):
        return stored
    try:
        with transaction.atomic():
            return _store(catalogue, sent, by, batch, held)
    except IntegrityError:
        # the same request came in by another way a moment ago
        if stored := _stored(batch, by, sent, held):
            return stored
        raise


def _store(
    catalogue: Catalogue, sent: Sequence[Sent], by: Circumstances, batch: uuid.UUID, held: Sequence[Held]
) -> Together:
    # the rows are locked on PostgreSQL; on SQLite the transaction is immediate, so nobody else writes until its end
    rows = QueueItem.objects.select_for_update(of=("self",)).filter(product__in=[s.card.product.pk for s in sent])
    items = {item.product_id: item for item in rows.select_related("product").order_by("product")}
    out, free = list(held), []
    broken = broken_rules([one.card for one in sent])
    for one in sent:
        item = items.get(one.card.product.pk)
        if why := _why_not(item, one, by):
            out.append(Held(one.card.product.pk, why))
        elif one.card.product.pk in broken:
            out.append(Held(one.card.product.pk, "rule", broken[one.card.product.pk].message))
        else:
            free.append(one.card)
    before = facts_of([card.product.pk for card in free])
    asked = {card.product.pk: items[card.product.pk] for card in free}
    speak = panel_log.voices(catalogue, asked, before, reviewer=by.reviewer, how=by.input, settles=by.settles)
    contrary = panel_log.contradicting(free, before, speak, by.reviewer)
    out += [Held(pk, refused.code, refused.message) for pk, refused in contrary.items()]
    free = [card for card in free if card.product.pk not in contrary]
    products = frozenset(card.product.pk for card in free)
    if not free:
        return Together(catalogue.seq, batch, products, tuple(out))
    QueueItem.objects.filter(product__in=products).update(version=F("version") + 1)
    saved = append(catalogue, free, by, batch, bump=False, known=(before, speak))
    mine = QueueItem.objects.filter(product__in=products, lease_owner=by.reviewer)
    mine.update(lease_owner=None, lease_until=None)
    return Together(saved.seq, batch, products, tuple(out))


def _why_not(item: QueueItem | None, one: Sent, by: Circumstances) -> str:
    if item is None or item.product.archived_at is not None:
        return "gone"
    if item.version != one.version:
        return "changed"
    held_by_another = item.lease_until and item.lease_until > timezone.now() and item.lease_owner_id != by.reviewer.pk
    return "taken" if held_by_another else ""


def _stored(batch: uuid.UUID, by: Circumstances, sent: Sequence[Sent], held: Sequence[Held]) -> Together | None:
    rows = list(Decision.objects.filter(batch=batch).values_list("product", "seq", "reviewer"))
    if not rows:
        return None
    if any(reviewer != by.reviewer.pk for _product, _seq, reviewer in rows):
        raise Refused(_("this id was already used for another decision"), "id_reused", id=str(batch))
    products = frozenset(product for product, _seq, _reviewer in rows)
    known = {h.product for h in held}
    late = [Held(pk, "changed") for one in sent if (pk := one.card.product.pk) not in products | known]
    return Together(max(seq for _p, seq, _r in rows), batch, products, (*held, *late), replayed=True)
