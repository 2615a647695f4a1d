"""The variants of an article: what may be copied from one to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotations.models import Facet, FacetCompletion, Product, QueueItem, User

MOST = 99  # variants that one gesture reaches


@dataclass(frozen=True, slots=True)
class Variant:
    """Another product of the family. ``decided``: how many of the facets to be copied were looked at already, ``left``
    how many were not; ``taken``: somebody else is looking at it right now."""

    product: Product
    version: int
    decided: int
    left: int
    taken: bool

    @property
    def offered(self) -> bool:
        """Ticked to begin with: there is something nobody has looked at, and nobody holds it."""
        return self.left > 0 and not self.taken


def variants_of(product: Product, facets: Sequence[Facet], reader: User) -> list[Variant]:
    """The other live products of the family, by external id; at most ``MOST``. Two queries."""
    if not product.family:
        return []
    rows = QueueItem.objects.filter(
        catalogue=product.catalogue_id, product__family=product.family, product__archived_at=None
    )
    items = list(rows.exclude(product=product).select_related("product").order_by("product__external_id")[:MOST])
    done = looked_at([i.product_id for i in items], facets)
    found = []
    for i in items:
        theirs = {f.pk for f in facets if f.applies(i.product.category)}
        decided = len(theirs & done.get(i.product_id, set()))
        taken = i.leased and i.lease_owner_id != reader.pk
        found.append(Variant(i.product, i.version, decided, len(theirs) - decided, taken))
    return found


def looked_at(products: Sequence[int], facets: Sequence[Facet]) -> dict[int, set[int]]:
    """Product to those of the facets that were looked at as a whole. One query."""
    found: dict[int, set[int]] = {}
    rows = FacetCompletion.objects.filter(product__in=products, facet__in=facets)
    for product, facet in rows.values_list("product", "facet"):
        found.setdefault(product, set()).add(facet)
    return found


def copied_facets(facets: Sequence[Facet]) -> list[Facet]:
    """Those that are the same for every variant: all but the variant axes."""
    return [facet for facet in facets if not facet.variant_axis]
