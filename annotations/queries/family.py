"""The variants of an article: what may be copied from one to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotations.models import Facet, FacetCompletion, Product, QueueItem, User

MOST = 99  # variants that one gesture reaches


@dataclass(frozen=True, slots=True)
class Variant:
    """Another product of the family. ``decided``: how many of the facets to be copied were looked at already;
    ``taken``: somebody else is looking at it right now."""

    product: Product
    version: int
    decided: int
    taken: bool

    @property
    def offered(self) -> bool:
        """Ticked to begin with: nobody has decided on it and nobody holds it."""
        return not self.decided and not self.taken


def variants_of(product: Product, facets: Sequence[Facet], reader: User) -> list[Variant]:
    """The other live products of the family, by external id; at most ``MOST``. Two queries."""
    if not product.family:
        return []
    rows = QueueItem.objects.filter(
        catalogue=product.catalogue_id, product__family=product.family, product__archived_at=None
    )
    items = list(rows.exclude(product=product).select_related("product").order_by("product__external_id")[:MOST])
    decided: dict[int, int] = {}
    done = FacetCompletion.objects.filter(product__in=[i.product_id for i in items], facet__in=facets)
    for pk in done.values_list("product", flat=True):
        decided[pk] = decided.get(pk, 0) + 1
    return [
        Variant(i.product, i.version, decided.get(i.product_id, 0), i.leased and i.lease_owner_id != reader.pk)
        for i in items
    ]


def copied_facets(facets: Sequence[Facet]) -> list[Facet]:
    """Those that are the same for every variant: all but the variant axes."""
    return [facet for facet in facets if not facet.variant_axis]
