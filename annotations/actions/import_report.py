"""What a dry run says beside its counts: some products that would change, and the values that the taxonomy lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from annotations.formats.rows import Row
from annotations.models import Catalogue, Product
from annotations.queries.taxonomy import Names

SHOWN = 5
FACETS = 60
MOST_NAMES, MOST_VALUES = 2_000, 2_000
"""Facet names of a file, and values of each, that are counted; a file with more has no facets but free text."""
CHARS = 200
FIELDS = ("title", "description", "category", "language", "family", "attributes", "extra")


class Report:
    """Filled while a file is read; memory is bounded, whatever the file holds."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._values: dict[str, Counter[str]] = {}
        self._products: Counter[str] = Counter()
        self.created: list[dict[str, Any]] = []
        self.updated: list[dict[str, Any]] = []

    def take(self, rows: Iterable[Row]) -> None:
        """Count what the rows say of facets."""
        for row in rows:
            for name, values in row.attributes.items():
                if name not in self._values and len(self._values) >= MOST_NAMES:
                    continue
                counted = self._values.setdefault(name, Counter())
                self._products[name] += 1
                for value in values:
                    if value in counted or len(counted) < MOST_VALUES:
                        counted[value] += 1

    def settle(self, new: Sequence[dict[str, Any]], changed: Sequence[dict[str, Any]]) -> None:
        """Products as they would be, by attribute; the first few are kept as examples, with what they are now."""
        for product in new[: SHOWN - len(self.created)]:
            self.created.append({"id": product["external_id"], "title": _told(product["title"])})
        wanted = {product["external_id"]: product for product in changed[: max(0, SHOWN - len(self.updated))]}
        before = Product.objects.filter(catalogue=self._catalogue, external_id__in=wanted) if wanted else ()
        for stored in before:
            product = wanted[stored.external_id]
            self.updated.append({"id": stored.external_id, "fields": _differences(stored, product)})

    def to_json(self) -> dict[str, Any]:
        """``facets``: those of the file, most frequent first, each with the values that no tag has yet."""
        names = Names.of(self._catalogue)
        facets = []
        for name, _products in self._products.most_common(FACETS):
            facet = names.facet(name)
            lacking = [v for v, _n in self._values[name].most_common() if facet is None or names.tag(facet, v) is None]
            facets.append(
                {
                    "name": _told(name), "facet": facet.slug if facet else "", "products": self._products[name],
                    "values": len(self._values[name]), "new": len(lacking), "examples": [_told(v) for v in lacking[:SHOWN]],
                }
            )  # fmt: skip
        return {
            "created": self.created,
            "updated": self.updated,
            "facets": facets,
            "more_facets": max(0, len(self._products) - FACETS),
        }


def _differences(stored: Product, product: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    for name in FIELDS:
        old, new = getattr(stored, name), product[name]
        if old == new:
            continue
        if isinstance(old, dict):
            keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
            found += [
                {"field": _told(key), "before": _told(old.get(key)), "after": _told(new.get(key))}
                for key in keys[:SHOWN]
            ]
        else:
            found.append({"field": name, "before": _told(old), "after": _told(new)})
    if stored.archived_at and not product["archived_at"]:
        found.append({"field": "archived", "before": str(stored.archived_at.date()), "after": ""})
    return found[: 2 * SHOWN]


def _told(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return text if len(text) <= CHARS else text[: CHARS - 1] + "…"
