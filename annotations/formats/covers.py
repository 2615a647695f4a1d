"""What a table speaks of: a column it does not have says nothing, and the product keeps what it has.

An empty cell does say something: there is none. So a file with two columns changes these two and never empties the rest
(as Shopify's import has it). Rows of JSON are whole: a key that a row lacks is empty, since writers leave empty keys out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotations.formats.headers import normal
from annotations.formats.mapping import Mapping as ColumnMapping
from annotations.formats.rows import Row

FIELDS = ("title", "description", "category", "language", "family")
PARTIAL = frozenset(("csv", "xlsx"))
OPTION = "option1 name"


@dataclass(frozen=True, slots=True)
class Covers:
    """The parts of a product that a file's columns speak of.

    fields:      of ``FIELDS``
    facets:      attributes by name; None: all of them (a cell with many facets says which there are)
    extra:       columns that are kept beside the product
    own_facets:  rows name further facets themselves (Shopify's options): of those they speak too
    empty_keeps: an empty cell says nothing (Google's supplemental feeds; rows of a shop's export that were mended)
    adds_only:   the file describes no product by itself, so an id that is not there makes none
    """

    fields: frozenset[str]
    facets: frozenset[str] | None
    extra: frozenset[str]
    own_facets: bool = False
    empty_keeps: bool = False
    adds_only: bool = False
    shape: str = ""

    def merge(self, row: Row, stored: Mapping[str, Any], echoes: Mapping[str, Sequence[str]] | None = None) -> Row:
        """The row with what it does not speak of taken from the product (``FIELDS``, ``attributes``, ``extra``).

        echoes: attribute to the values that we would have written ourselves: such a cell is our own word coming back,
                and the product keeps what its source said
        """
        said = {name: getattr(row, name) for name in FIELDS}
        fields = {name: said[name] if self._speaks(name, said[name]) else stored[name] for name in FIELDS}
        attributes = self._attributes(row.attributes, stored["attributes"], echoes or {})
        extra = {k: v for k, v in stored["extra"].items() if k not in self.extra or self.empty_keeps} | row.extra
        return replace(row, **fields, attributes=attributes, extra=extra, row_hash="", text_hash="", supplier=None)

    def _speaks(self, name: str, value: str) -> bool:
        return name in self.fields and bool(value or not self.empty_keeps)

    def _attributes(
        self, said: dict[str, list[str]], stored: Mapping[str, list[str]], echoes: Mapping[str, Sequence[str]]
    ) -> dict[str, list[str]]:
        result: dict[str, list[str]] = {}
        for name in {**stored, **said}:
            values = said.get(name, [])
            spoken = self.facets is None or name in self.facets or (self.own_facets and name in said)
            if not spoken or name in echoes or (self.empty_keeps and not values):
                values = stored.get(name, [])
            elif self.own_facets and self.empty_keeps and self.facets is not None and name not in self.facets:
                values = list(dict.fromkeys([*stored.get(name, []), *values]))
            if values:
                result[name] = values
        return result


def covers_of(mapping: ColumnMapping, headers: Sequence[str], kind: str, *, mends: bool = False) -> Covers | None:
    """What a file of these columns speaks of; None where each row is whole."""
    if kind not in PARTIAL:
        return None
    there = set(headers)
    columns = [c for c in mapping.columns if c.header in there]
    targets = {c.target for c in columns}
    facets = (
        None if "attributes" in targets else frozenset(c.facet or c.header for c in columns if c.target == "attribute")
    )
    mapped = {c.header for c in columns if c.target}
    supplemental = mapping.shape == "google" and "title" not in targets
    return Covers(
        fields=frozenset(targets) & frozenset(FIELDS),
        facets=facets,
        extra=frozenset(there - mapped),
        own_facets=mapping.shape == "shopify" and OPTION in {normal(h) for h in headers},
        empty_keeps=supplemental or (mends and mapping.shape == "shopify"),
        adds_only=supplemental,
        shape=mapping.shape,
    )
