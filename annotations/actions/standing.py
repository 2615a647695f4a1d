"""Mending the projections: what stands is written anew from the log where the two disagree."""

from __future__ import annotations

from django.db import transaction

from annotations.models import Catalogue, FacetCompletion, ProductTag
from annotations.queries.standing import differences, facts_of, fold

PRODUCTS_PER_TRANSACTION = 100


def rebuild(*, catalogue: Catalogue) -> int:
    """Bring ProductTag and FacetCompletion back to what the decisions add up to; returns how many facts were wrong."""
    wrong = differences(catalogue)
    products = sorted({difference["product"] for difference in wrong})
    for start in range(0, len(products), PRODUCTS_PER_TRANSACTION):
        some = products[start : start + PRODUCTS_PER_TRANSACTION]
        with transaction.atomic():
            ProductTag.objects.filter(product__in=some).delete()
            FacetCompletion.objects.filter(product__in=some).delete()
            tags, complete = [], []
            for product, facts in facts_of(some).items():
                stands = fold(facts)
                tags += [
                    ProductTag(product_id=product, tag_id=tag, state=state, decision_id=decision)
                    for tag, (state, decision) in stands.tags.items()
                ]
                complete += [
                    FacetCompletion(product_id=product, facet_id=facet, decision_id=decision)
                    for facet, decision in stands.complete.items()
                ]
            ProductTag.objects.bulk_create(tags)
            FacetCompletion.objects.bulk_create(complete)
    return len(wrong)
