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
from annotations.queries.family import copied_facets, looked_at


def copy_to_family(
    *, card: Card, version: int, variants: Sequence[tuple[Product, int]], by: Circumstances, batch: uuid.UUID
) -> Together:
    """Store the card, and what it says about facets that are no variant axis for each variant (given with the version
    that was on screen), all as one gesture with one undo.

    Facets of a variant that were looked at as a whole stay as they are; where that is all of them, whoever names the
    variant means to replace what was said. In the facets that are copied a variant has the same tags afterwards: what
    stood there and is not on the card is removed. Variants that changed since or that somebody else holds are held
    back; facets that do not apply to a variant's category are left out. Raises Conflict, storing nothing, when the card's own product changed; Refused when the card itself cannot
    be said, and for another family's.
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
    done = looked_at(others, facets)
    sent = [Sent(card, version)]
    for variant, seen in variants:
        there = [f for f in facets if f.applies(variant.category)]
        there = [f for f in there if f.pk not in done.get(variant.pk, ())] or there
        asked = {f.pk for f in there}
        standing = [tag for tag in stands[variant.pk] if tag.facet_id in asked]
        choices = _choices(card, variant, asked, standing, claimed, batch)
        if there:
            sent.append(Sent(Card(variant, choices, tuple(there)), seen))
    with transaction.atomic():
        together = save_together(catalogue=product.catalogue, sent=sent, by=by, batch=batch)
        if product.pk not in together.products:
            own = next((held for held in together.held if held.product == product.pk and held.message), None)
            raise Refused(own.message, own.why) if own else conflict_of(product, version)
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
