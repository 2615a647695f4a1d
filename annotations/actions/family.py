"""What was decided on one variant, for the others of its family too."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from annotations.actions.decide import APPROVES, Card, Choice, Circumstances, conflict_of
from annotations.actions.errors import Refused
from annotations.actions.together import Sent, Together, save_together
from annotations.models import Product, ProductTag, Suggestion, Tag, Verdict
from annotations.queries.family import copied_facets


def copy_to_family(
    *, card: Card, version: int, variants: Sequence[tuple[Product, int]], by: Circumstances, batch: uuid.UUID
) -> Together:
    """Store the card, and what it says about facets that are no variant axis for each variant (given with the version
    that was on screen), all as one gesture with one undo.

    A variant has the same tags afterwards in those facets: what stood there and is not on the card is removed. Variants
    that changed since or that somebody else holds are held back; facets that do not apply to a variant's category are
    left out. Raises Conflict, storing nothing, when the card's own product changed; Refused for another family's.
    """
    product = card.product
    if any(p.family != product.family or p.catalogue_id != product.catalogue_id for p, _seen in variants):
        raise Refused(_("These are not variants of one article."), "family")
    others = [p.pk for p, _seen in variants]
    facets = copied_facets(card.complete)
    stands: dict[int, list[Tag]] = {pk: [] for pk in others}
    rows = ProductTag.objects.filter(product__in=others, state=ProductTag.State.APPROVED, tag__facet__in=facets)
    for row in rows.select_related("tag__facet"):
        stands[row.product_id].append(row.tag)
    claimed = set(Suggestion.objects.filter(product__in=others).values_list("product", "tag"))
    sent = [Sent(card, version)]
    for variant, seen in variants:
        there = [f for f in facets if f.applies(variant.category)]
        choices = _choices(card, variant, {f.pk for f in there}, stands[variant.pk], claimed, batch)
        if there:
            sent.append(Sent(Card(variant, choices, tuple(there)), seen))
    with transaction.atomic():
        together = save_together(catalogue=product.catalogue, sent=sent, by=by, batch=batch)
        if product.pk not in together.products:
            raise conflict_of(product, version)
        return together


def _choices(
    card: Card,
    variant: Product,
    facets: set[int],
    stands: Sequence[Tag],
    claimed: set[tuple[int, int]],
    batch: uuid.UUID,
) -> tuple[Choice, ...]:
    def choice(tag: Tag, verdict: Verdict, reason: str = "") -> Choice:
        return Choice(tag, verdict, uuid.uuid5(batch, f"{variant.pk}:{tag.pk}:{verdict.value}"), reason)

    found = {}
    for given in card.choices:
        if given.tag.facet_id not in facets:
            continue
        if given.verdict in APPROVES:
            suggested = (variant.pk, given.tag.pk) in claimed
            found[given.tag.pk] = choice(given.tag, Verdict.ACCEPT if suggested else Verdict.ADD)
        else:
            found[given.tag.pk] = choice(given.tag, Verdict.REJECT, given.reason)
    for tag in stands:
        found.setdefault(tag.pk, choice(tag, Verdict.REMOVE))
    return tuple(found.values())
