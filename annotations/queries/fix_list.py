"""What suppliers should mend: tags that a reviewer rejected because the source data is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from annotations.models import Catalogue, Product, ProductTag, Reason


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to mend. ``says`` is what the source claims for the facet; ``supplier`` is empty where the source
    names none."""

    product: Product
    supplier: str
    facet: str
    tag: str
    says: str
    by: str
    at: datetime


def fixes_of(catalogue: Catalogue) -> QuerySet[ProductTag]:
    """Rejections that stand and that blame the source, the latest first."""
    rows = ProductTag.objects.filter(
        product__catalogue=catalogue, product__archived_at=None, state=ProductTag.State.REJECTED,
        decision__reason=Reason.SOURCE_WRONG,
    )  # fmt: skip
    return rows.select_related("product", "tag__facet", "decision__reviewer").order_by("-decision__seq")


def told(rows: QuerySet[ProductTag]) -> Iterator[Fix]:
    for row in rows.iterator(chunk_size=500):
        product, facet = row.product, row.tag.facet
        names = {facet.slug.lower(), *(label.lower() for label in facet.labels.values())}
        claims = [v for name, values in product.attributes.items() if name.lower() in names for v in values]
        yield Fix(
            product=product, supplier=product.supplier, facet=facet.label, tag=row.tag.label,
            says=", ".join(map(str, claims)), by=row.decision.reviewer.get_username(), at=row.decision.decided_at,
        )  # fmt: skip
