"""Deciding: the verbs that append to the log, each with everything that follows from it in the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import learning, panel_log
from annotations.actions.card import APPROVES, Card, Choice
from annotations.actions.consequences import check_rules, consequences, following_merges
from annotations.actions.errors import Conflict, Refused
from annotations.actions.project import Move, project
from annotations.models import (
    Catalogue,
    Change,
    ChosenEvidence,
    Decision,
    Input,
    Product,
    QueueItem,
    Suggestion,
    Tag,
    User,
    Verdict,
    Voice,
)
from annotations.queries.standing import PUBLIC, Fact, Standing, apply, facts_of, fold

__all__ = [
    "APPROVES", "Card", "Choice", "Circumstances", "Saved", "append", "check_choices", "conflict_of", "save_card", "save_cards", "store", "take_seq",
]  # fmt: skip

ROWS_PER_TRANSACTION = 500


@dataclass(frozen=True, slots=True)
class Saved:
    """``seq`` of the last decision, the product's ``version`` after it, how many were stored, and in which batch."""

    seq: int
    version: int
    decisions: int
    batch: uuid.UUID
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Who decides, and how. ``settles``: a lead's last word, where others only have a vote."""

    reviewer: User
    role: str
    input: str = Input.KEY
    shown_at: datetime | None = None
    settles: bool = False


def save_card(*, card: Card, version: int, by: Circumstances, batch: uuid.UUID | None = None) -> Saved:
    """Store a card if the product is still at ``version``.

    Sent again with the same ids and body, the stored answer comes back and nothing is doubled. Raises Conflict when
    somebody saved the product since (details: their decisions), Refused (422) when an id is already used for another
    body or a single-choice facet would hold two tags.
    """
    check_choices(card)
    batch = batch or _batch_of(card, version, by)
    if stored := _stored_answer(card, batch, by):
        return stored
    card = following_merges([card])[0]
    check_rules([card])
    try:
        with transaction.atomic():
            item = QueueItem.objects.filter(product=card.product)
            if not item.filter(version=version).update(version=F("version") + 1):
                raise _Stale
            return append(card.product.catalogue, [card], by, batch, bump=False)
    except _Stale:
        # the same request may have come in by another way a moment ago
        if stored := _stored_answer(card, batch, by):
            return stored
        raise conflict_of(card.product, version) from None
    except IntegrityError:
        # one of the ids was stored for another product in this very moment: now it can be seen, and is refused
        if stored := _stored_answer(card, batch, by):
            return stored
        raise


def save_cards(*, catalogue: Catalogue, cards: Sequence[Card], by: Circumstances) -> Saved:
    """Store many cards whatever their version (grid, command line, policy), in transactions of bounded size.

    Raises Refused before anything is stored.
    """
    batch = uuid.uuid4()
    saved = Saved(catalogue.seq, 0, 0, batch)
    for card in cards:
        check_choices(card)
    if by.input != Input.TAXONOMY:
        cards = following_merges(cards)
        check_rules(cards)
    for chunk in _chunks(cards):
        with transaction.atomic():
            part = append(catalogue, chunk, by, batch, bump=True)
        saved = replace(part, decisions=saved.decisions + part.decisions)
    return saved


class _Stale(Exception):
    pass


def _chunks(cards: Sequence[Card]) -> Iterable[list[Card]]:
    chunk: list[Card] = []
    size = 0
    for card in cards:
        rows = len(card.choices) + len(card.complete)
        if chunk and size + rows > ROWS_PER_TRANSACTION:
            yield chunk
            chunk, size = [], 0
        chunk.append(card)
        size += rows
    if chunk:
        yield chunk


def check_choices(card: Card) -> None:
    """Raises Refused where the card contradicts itself: a tag twice, two values of one, another catalogue's tag."""
    single: dict[int, Tag] = {}
    seen: set[int] = set()
    for choice in card.choices:
        if choice.tag.id in seen:
            raise Refused(_("“%(tag)s” is decided on twice") % {"tag": choice.tag.label}, "twice", tag=choice.tag.slug)
        seen.add(choice.tag.id)
        facet = choice.tag.facet
        if facet.catalogue_id != card.product.catalogue_id:
            raise Refused(_("this tag belongs to another catalogue"), "wrong_catalogue", tag=choice.tag.slug)
        if choice.verdict not in (Verdict.ACCEPT, Verdict.REJECT, Verdict.ADD, Verdict.REMOVE):
            raise Refused(_("“%(verdict)s” is no verdict") % {"verdict": choice.verdict}, "verdict")
        if facet.one_value and choice.verdict in APPROVES:
            if other := single.get(facet.id):
                raise Refused(
                    _("%(facet)s takes one value: “%(a)s” or “%(b)s”")
                    % {"facet": facet.label, "a": other.label, "b": choice.tag.label},
                    "single_choice",
                    facet=facet.slug,
                )
            single[facet.id] = choice.tag


def _batch_of(card: Card, version: int, by: Circumstances) -> uuid.UUID:
    """A batch id that the same body always gives: by its choices' ids, else by who completed what at which version."""
    ids = sorted(str(c.id) for c in card.choices)
    facets = sorted(facet.id for facet in card.complete)
    name = ",".join(ids) if ids else f"{card.product.id}:{version}:{by.reviewer.id}:{facets}"
    return uuid.uuid5(uuid.NAMESPACE_OID, "batch:" + name)


def _stored_answer(card: Card, batch: uuid.UUID, by: Circumstances) -> Saved | None:
    """The answer given when this very body was first stored; None when it is new. Raises Refused on another body."""
    ids = [c.id for c in card.choices]
    stored = {d.id: d for d in Decision.objects.filter(id__in=ids)} if ids else {}
    if ids and not stored:
        return None
    if not ids:
        first = Decision.objects.filter(batch=batch).order_by("-seq").first()
        if first is None:
            return None
        stored = {first.id: first}
    for choice in card.choices:
        old = stored.get(choice.id)
        if (
            old is None
            or (old.product_id, old.tag_id, old.verdict, old.reason)
            != (card.product.id, choice.tag.id, str(choice.verdict), choice.reason)
            or old.reviewer_id != by.reviewer.id
        ):
            raise Refused(_("this id was already used for another decision"), "id_reused", id=str(choice.id))
    whole = list(Decision.objects.filter(batch=next(iter(stored.values())).batch).order_by("seq"))
    if any(d.product_id != card.product.id for d in whole):
        raise Refused(_("this id was already used for another decision"), "id_reused", id=str(batch))
    return Saved(whole[-1].seq, whole[-1].product_version, len(whole), whole[-1].batch, replayed=True)


def conflict_of(product: Product, version: int) -> Conflict:
    """What to raise when the product was saved since this version: with what the others decided."""
    others = (
        Decision.objects.filter(product=product, product_version__gt=version, voice__in=PUBLIC)
        .select_related("tag", "facet", "reviewer")
        .order_by("seq")
    )
    item = QueueItem.objects.get(product=product)
    return Conflict(
        _("somebody else saved this product in the meantime"),
        "stale_version",
        version=item.version,
        decisions=[
            {
                "facet": d.facet.slug,
                "tag": d.tag.slug if d.tag else None,
                "label": d.tag.label if d.tag else d.facet.label,
                "verdict": d.verdict,
                "by": d.reviewer.get_username(),
                "at": d.decided_at.isoformat(),
            }
            for d in others
        ],
    )


def append(
    catalogue: Catalogue, cards: Sequence[Card], by: Circumstances, batch: uuid.UUID, *, bump: bool,
    known: tuple[dict[int, list[Fact]], dict[int, panel_log.Speaks]] | None = None,
) -> Saved:  # fmt: skip
    """Inside a transaction: decisions, and all that folds out of them. One card a product; the number of queries does
    not grow with the number of cards. ``known``: what was said of the products before and in which voice the reviewer
    speaks, where the caller has looked already."""
    products = [card.product.id for card in cards]
    if bump:
        QueueItem.objects.filter(product__in=products).update(version=F("version") + 1)
    items = {i.product_id: i for i in QueueItem.objects.filter(product__in=products).select_related("product")}
    if known is None:
        before = facts_of(products)
        speak = panel_log.voices(catalogue, items, before, reviewer=by.reviewer, how=by.input, settles=by.settles)
    else:
        before, speak = known
    cards = [panel_log.unsaid(card, before[card.product.id], speak[card.product.id], by.reviewer) for card in cards]
    shown = {
        (s.product_id, s.tag_id): s
        for s in Suggestion.objects.filter(product__in=products, tag__in=[c.tag.id for k in cards for c in k.choices])
    }
    now = timezone.now()
    unseen = by.input == Input.TAXONOMY  # nobody was shown anything
    rows: list[Decision] = []
    # a vote displaces nothing: what stands is changed by what the panel agrees on
    alone = {product for product, speaks in speak.items() if speaks.voice == Voice.ALONE}
    standing = {product: fold(before[product]) if product in alone else Standing({}, {}) for product in products}
    follows = {} if unseen else consequences(cards, standing, batch)
    for card in cards:
        claims = {} if items[card.product.id].blind or unseen else shown
        rows += _rows_of(catalogue, card, (*card.choices, *follows.get(card.product.id, ())), claims, batch)
    for row in rows:
        row.reviewer, row.role, row.input = by.reviewer, by.role, by.input
        row.voice, row.wanted = speak[row.product_id].voice, speak[row.product_id].wanted
        row.blind = items[row.product_id].blind and not unseen
        row.shown_at, row.decided_at, row.batch = by.shown_at, now, batch
        row.taxonomy_revision = catalogue.taxonomy_revision
        row.product_version = items[row.product_id].version
    silent = [card.product.id for card in cards if not card.choices and not card.complete]
    saved = store(catalogue, rows, before, items, silent)
    chosen = [ChosenEvidence(decision_id=c.id, spans=list(c.spans)) for card in cards for c in card.choices if c.spans]
    if chosen:
        ChosenEvidence.objects.bulk_create(chosen)
    return saved


def _rows_of(
    catalogue: Catalogue,
    card: Card,
    choices: Iterable[Choice],
    claims: Mapping[tuple[int, int], Suggestion],
    batch: uuid.UUID,
) -> Iterator[Decision]:
    """One card's choices and completions as decisions, with the suggestion that was on screen beside each choice."""
    for choice in choices:
        claim = claims.get((card.product.id, choice.tag.id))
        yield Decision(
            id=choice.id,
            catalogue=catalogue,
            product=card.product,
            facet_id=choice.tag.facet_id,
            tag=choice.tag,
            verdict=choice.verdict,
            reason=choice.reason,
            model_version_id=claim.model_version_id if claim else None,
            score_shown=claim.score if claim else None,
            evidence_shown=claim.spans if claim else [],
            source=claim.source if claim else "",
        )
    for facet in card.complete:
        yield Decision(
            id=uuid.uuid5(batch, f"complete:{card.product.id}:{facet.id}"),
            catalogue=catalogue,
            product=card.product,
            facet=facet,
            verdict=Verdict.COMPLETE,
        )


def store(
    catalogue: Catalogue, rows: list[Decision], before: dict[int, list[Fact]], items: dict[int, QueueItem],
    silent: Iterable[int] = (),
) -> Saved:  # fmt: skip
    """Take sequence numbers, insert, and bring the projections up to date.

    The counter is raised after every look-up: from here to the commit its row lock makes sequence order commit order.
    ``items`` come with their version raised; where nothing changes for others (a vote, a product in ``silent``) it is
    lowered again.
    """
    batch = rows[-1].batch if rows else uuid.uuid4()
    rows = panel_log.with_agreement(rows, before)
    _keep_version(rows, items, silent)
    last = take_seq(catalogue, len(rows))
    for seq, row in enumerate(rows, start=last - len(rows) + 1):
        row.seq = seq
    Decision.objects.bulk_create(rows)
    by_product: dict[int, list[Decision]] = {}
    for row in rows:
        by_product.setdefault(row.product_id, []).append(row)
    changes: list[Change] = []
    moves: list[Move] = []
    for product_id, decisions in by_product.items():
        facts = list(before[product_id])
        old, now = fold(facts), fold(facts)
        for decision in decisions:
            fact = Fact.of(decision)
            facts.append(fact)
            was = now.tags.get(decision.tag_id or 0, ("", None))[0]
            if fact.verdict == Verdict.UNDO:
                now = fold(facts)
            elif fact.voice in PUBLIC:
                apply(fact, now)
            if change := _change(decision, was, now.tags.get(decision.tag_id or 0, ("", None))[0]):
                changes.append(change)
        moves.append(Move(items[product_id], old, now, before[product_id], facts))
    project(catalogue, moves)
    Change.objects.bulk_create(changes)
    panel_log.record_turns(catalogue, rows)
    if any(row.voice in PUBLIC for row in rows):
        learning.after_decisions(catalogue=catalogue)
    version = max((item.version for item in items.values()), default=0)
    return Saved(last, version, len(rows), batch)


def _keep_version(rows: Sequence[Decision], items: dict[int, QueueItem], silent: Iterable[int]) -> None:
    """A vote or a gold answer changes nothing that others have seen: the product stays at its version."""
    public = {row.product_id for row in rows if row.voice in PUBLIC}
    private = ({row.product_id for row in rows} | set(silent)) - public
    if private:
        QueueItem.objects.filter(product__in=private).update(version=F("version") - 1)
        for product in private:
            items[product].version -= 1
    for row in rows:
        row.product_version = items[row.product_id].version


def take_seq(catalogue: Catalogue, count: int) -> int:
    """Take the next ``count`` numbers; returns the last of them. Holds the counter until the transaction ends."""
    table = connection.ops.quote_name(Catalogue._meta.db_table)
    with connection.cursor() as cursor:  # one statement; the ORM has no RETURNING for updates
        cursor.execute(f"UPDATE {table} SET seq = seq + %s WHERE id = %s RETURNING seq", [count, catalogue.pk])  # noqa: S608
        last: int = cursor.fetchone()[0]
    return last


def _change(decision: Decision, was: str, now: str) -> Change | None:
    """What this decision changed for readers of the feed; None when what stood still stands."""
    if decision.tag_id is None or was == now:
        return None
    return Change(
        catalogue_id=decision.catalogue_id,
        seq=decision.seq,
        product_id=decision.product_id,
        facet_id=decision.facet_id,
        tag_id=decision.tag_id,
        state=now or Change.State.REMOVED,
        decision=decision,
    )
