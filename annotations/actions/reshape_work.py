"""What a change of the taxonomy decides on products, a bounded transaction at a time, resumable at any point."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from annotations.actions import tag_words
from annotations.actions.decide import Card, Choice, Circumstances, append, store
from annotations.actions.errors import Refused
from annotations.models import (
    Change,
    Decision,
    FacetCompletion,
    Input,
    Product,
    ProductTag,
    QueueItem,
    SplitItem,
    Tag,
    TaxonomyRevision,
    Verdict,
)
from annotations.queries.standing import facts_of
from annotations.queries.tag_words import folded
from annotations.queries.taxonomy_changes import list_undone_by, tags_of_list

PRODUCTS_AT_ONCE = 200
DECISIONS_AT_ONCE = 400
TAGS_AT_ONCE = 1000
Fence = Callable[[], object]
Tell = Callable[[int, int], object]


def work_off(
    *,
    revision: TaxonomyRevision,
    role: str,
    fence: Fence = lambda: None,
    progress: Tell = lambda done, total: None,
) -> TaxonomyRevision:
    """Decide on what is left, then close the revision with its report. Run again it goes on where it stopped."""
    if not revision.pending:
        return revision
    if revision.user is None:
        raise Refused(_("nobody is named who made this change"), "nobody")
    by = Circumstances(revision.user, role, Input.TAXONOMY)
    total = left_to_do(revision)
    while True:
        with transaction.atomic():
            fence()
            some = _STEPS[revision.word](revision, by)
        if not some:
            break
        progress(total - left_to_do(revision), total)
    with transaction.atomic():
        fence()
        made = Decision.objects.filter(batch=revision.decided_as)
        revision.report |= {
            "decisions": made.count(), "products": made.values("product").distinct().count(),
            "events": 1 + Change.objects.filter(decision__in=made).count(),
        }  # fmt: skip
        revision.pending = False
        revision.save(update_fields=["report", "pending"])
    return revision


def left_to_do(revision: TaxonomyRevision) -> int:
    """Products (or, for an undo, decisions) that are still to be decided on."""
    if revision.word == "tag merged":
        return _standing(revision).count()
    if revision.word == "tag split":
        return _unqueued(revision).count()
    if revision.word == "undone":
        return _counting(revision).count() + _moved_on(revision).count() + tags_of_list(revision).count()
    return 0


# -- merge -------------------------------------------------------------------------------------------------------
def _standing(revision: TaxonomyRevision) -> QuerySet[ProductTag]:
    return ProductTag.objects.filter(tag=revision.data["tag_id"])


def _merge(revision: TaxonomyRevision, by: Circumstances) -> int:
    rows = list(_standing(revision).select_related("product", "decision").order_by("product")[:PRODUCTS_AT_ONCE])
    tags = Tag.objects.select_related("facet").in_bulk([revision.data["tag_id"], revision.data["into_id"]])
    tag, into = tags[revision.data["tag_id"]], tags[revision.data["into_id"]]
    there = dict(
        ProductTag.objects.filter(tag=into, product__in=[row.product_id for row in rows]).values_list(
            "product", "state"
        )
    )
    cards = []
    for row in rows:
        choices = [Choice(tag, Verdict.REMOVE)]
        stands = there.get(row.product_id)
        if row.state == ProductTag.State.APPROVED and stands != ProductTag.State.APPROVED:
            choices.append(Choice(into, Verdict.ACCEPT))
        elif row.state == ProductTag.State.REJECTED and stands is None:
            choices.append(Choice(into, Verdict.REJECT, reason=row.decision.reason))
        cards.append(Card(row.product, tuple(choices)))
    return _decide(revision, cards, by)


# -- split -------------------------------------------------------------------------------------------------------
def _unqueued(revision: TaxonomyRevision) -> QuerySet[ProductTag]:
    there = SplitItem.objects.filter(revision=revision, product=OuterRef("product"))
    stands = ProductTag.objects.filter(tag=revision.data["tag_id"], state=ProductTag.State.APPROVED)
    return stands.filter(~Exists(there))


def _split(revision: TaxonomyRevision, by: Circumstances) -> int:
    rows = list(_unqueued(revision).select_related("product").order_by("product")[:PRODUCTS_AT_ONCE])
    tag = Tag.objects.select_related("facet").get(pk=revision.data["tag_id"])
    parts = list(Tag.objects.filter(pk__in=revision.data["parts"]).order_by("position", "pk"))
    words = {part.pk: [w for word in part.words if (w := folded(word))] for part in parts}
    last = SplitItem.objects.filter(revision=revision).aggregate(m=Max("position"))["m"] or 0
    place = last % GROUP
    items = []
    for row in rows:
        place += 1
        guess = _guess(row.product, words)
        group = [part.pk for part in parts].index(guess) if guess else len(parts)
        items.append(
            SplitItem(revision=revision, product=row.product, tag=tag, guess_id=guess, position=group * GROUP + place)
        )
    SplitItem.objects.bulk_create(items)
    whole = FacetCompletion.objects.filter(facet=tag.facet_id, product__in=[row.product_id for row in rows])
    complete = set(whole.values_list("product", flat=True))
    cards = [Card(row.product, (Choice(tag, Verdict.REOPEN),)) for row in rows if row.product_id in complete]
    return _decide(revision, cards, by) or len(rows)


GROUP = 10_000_000
"""Places of one part in the queue of a split."""


def _guess(product: Product, words: dict[int, list[str]]) -> int | None:
    """The part whose words the product's text holds most often; None where it holds none, or two alike."""
    values = [str(v) for vs in product.attributes.values() for v in (vs if isinstance(vs, list) else [vs])]
    text = folded(" ".join((product.title, product.description, *values)))
    hits = sorted(((sum(text.count(word) for word in some), pk) for pk, some in words.items()), reverse=True)
    if not hits or not hits[0][0] or (len(hits) > 1 and hits[1][0] == hits[0][0]):
        return None
    return hits[0][1]


# -- undo --------------------------------------------------------------------------------------------------------
def _counting(revision: TaxonomyRevision) -> QuerySet[Decision]:
    """Decisions of the change that is undone which nobody has undone yet."""
    assert revision.undoes is not None
    return Decision.objects.filter(batch=revision.undoes.decided_as, undone_by=None)


def _moved_on(revision: TaxonomyRevision) -> QuerySet[SplitItem]:
    """Products of an undone split that somebody has looked at since, so that its tag does not stand any more."""
    undone = revision.undoes
    if undone is None or undone.word != "tag split":
        return SplitItem.objects.none()
    stands = ProductTag.objects.filter(
        product=OuterRef("product"), tag=OuterRef("tag"), state=ProductTag.State.APPROVED
    )
    settled = Decision.objects.filter(
        batch=revision.decided_as, product=OuterRef("product"), tag=OuterRef("tag"), verdict=Verdict.ACCEPT
    )
    return SplitItem.objects.filter(~Exists(stands), ~Exists(settled), revision=undone)


def _undo(revision: TaxonomyRevision, by: Circumstances) -> int:
    decisions = list(_counting(revision).select_related("product").order_by("seq")[:DECISIONS_AT_ONCE])
    if not decisions:
        return _put_back_split(revision, by) or _put_back_list(revision)
    catalogue = revision.catalogue
    products = list(dict.fromkeys(d.product_id for d in decisions))
    QueueItem.objects.filter(product__in=products).update(version=F("version") + 1)
    items = {i.product_id: i for i in QueueItem.objects.filter(product__in=products).select_related("product")}
    before, now = facts_of(products), timezone.now()
    rows = [
        Decision(
            id=uuid.uuid5(revision.decided_as, f"undo:{d.id}"), catalogue=catalogue, product_id=d.product_id,
            facet_id=d.facet_id, tag_id=d.tag_id, verdict=Verdict.UNDO, undoes=d, reviewer=by.reviewer, role=by.role,
            input=by.input, decided_at=now, batch=revision.decided_as,
            taxonomy_revision=revision.number, product_version=items[d.product_id].version,
        )
        for d in decisions
    ]  # fmt: skip
    store(catalogue, rows, before, items)
    return len(rows)


def _put_back_split(revision: TaxonomyRevision, by: Circumstances) -> int:
    """Where somebody chose a part since, the tag that was split stands again and the parts go: all of them are it."""
    items = list(_moved_on(revision).select_related("product", "tag__facet").order_by("pk")[:PRODUCTS_AT_ONCE])
    if not items or revision.undoes is None:
        return 0
    parts = Tag.objects.select_related("facet").in_bulk(revision.undoes.data["parts"])
    stands: dict[int, list[Tag]] = {}
    approved = ProductTag.objects.filter(
        product__in=[i.product_id for i in items], tag__in=parts, state=ProductTag.State.APPROVED
    )
    for product, tag in approved.values_list("product", "tag"):
        stands.setdefault(product, []).append(parts[tag])
    cards = [
        Card(i.product, (Choice(i.tag, Verdict.ACCEPT), *(Choice(p, Verdict.REMOVE) for p in stands.get(i.product_id, ()))))
        for i in items
    ]  # fmt: skip
    return _decide(revision, cards, by)


def _put_back_list(revision: TaxonomyRevision) -> int:
    """Tags that a list made are retired, or brought back where its undo is undone. Where they stand they stay."""
    tags = list(tags_of_list(revision).select_related("facet").order_by("pk")[:TAGS_AT_ONCE])
    found = list_undone_by(revision)
    if not tags or found is None:
        return 0
    gone = parse_datetime(revision.data["moment"]) if found[1] else None
    Tag.objects.filter(pk__in=[tag.pk for tag in tags]).update(retired_at=gone)
    for tag in tags:
        tag.retired_at = gone
    tag_words.index(tags)
    return len(tags)


def _decide(revision: TaxonomyRevision, cards: list[Card], by: Circumstances) -> int:
    if cards:
        revision.catalogue.taxonomy_revision = max(revision.catalogue.taxonomy_revision, revision.number)
        append(revision.catalogue, cards, by, revision.decided_as, bump=True)
    return len(cards)


_STEPS: dict[str, Any] = {"tag merged": _merge, "tag split": _split, "undone": _undo}
