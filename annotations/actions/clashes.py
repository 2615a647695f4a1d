"""Keeping where a product's text and picture say something else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from annotations.actions.claims import Claim
from annotations.models import Catalogue, Clash, ModelVersion


def store(*, claim: Claim, model: ModelVersion, found: Iterable[tuple[int, int, dict[str, Any]]]) -> int:
    """Of each product compared ``(primary key, its revision then, its clashing facets)``. Returns how many clash.

    Fenced: a job that was given away stores nothing. What another promotion overtook is not stored either.
    """
    rows = [
        Clash(
            product_id=product, catalogue_id=model.catalogue_id, model=model, revision=revision, facets=facets,
            gap=max((one["gap"] for one in facets.values()), default=0.0),
        )
        for product, revision, facets in found
    ]  # fmt: skip
    with transaction.atomic():
        claim.fence()
        if Catalogue.objects.values_list("encoder", flat=True).get(pk=model.catalogue_id) != model.pk:
            return 0
        Clash.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["product"], update_fields=["model", "revision", "facets", "gap"]
        )
    return sum(row.gap > 0 for row in rows)
