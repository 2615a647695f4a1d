"""Mending the projections: what stands is written anew from the log where the two disagree."""

from __future__ import annotations

from django.db import transaction

from annotations.models import Answer, Catalogue, FacetCompletion, ProductTag, Voice
from annotations.queries import panels
from annotations.queries.standing import differences, facts_of, fold

PRODUCTS_PER_TRANSACTION = 100


def rebuild(*, catalogue: Catalogue) -> int:
    """Bring ProductTag, FacetCompletion and Answer back to what the decisions add up to; returns how many facts were wrong."""
    wrong = differences(catalogue) + panels.differences(catalogue)
    products = sorted({difference["product"] for difference in wrong})
    for start in range(0, len(products), PRODUCTS_PER_TRANSACTION):
        some = products[start : start + PRODUCTS_PER_TRANSACTION]
        with transaction.atomic():
            ProductTag.objects.filter(product__in=some).delete()
            FacetCompletion.objects.filter(product__in=some).delete()
            Answer.objects.filter(product__in=some).delete()
            tags, complete, answers = [], [], []
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
                answers += [
                    Answer(
                        catalogue=catalogue, product_id=product, facet_id=facet, reviewer_id=reviewer, voice=voice,
                        tags=chosen, decision_id=decision, closes=True,
                    )
                    for voice in (Voice.VOTE, Voice.GOLD)
                    for (reviewer, facet), (decision, chosen) in panels.answers(facts, voice).items()
                ]  # fmt: skip
            ProductTag.objects.bulk_create(tags)
            Answer.objects.bulk_create(answers)
            FacetCompletion.objects.bulk_create(complete)
    return len(wrong)
