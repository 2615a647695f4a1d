"""What a writer is given, and the registry of writers by format name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class ExportTag:
    """One standing tag of a product and who or what decided it.

    state:         ``approved`` or ``rejected``
    source:        how it came about, e.g. ``review``, ``bulk``, ``import``, ``policy``
    decided_by:    a reviewer's name, or policy + model version + threshold in one line
    decided_at:    ISO 8601 with offset, or empty
    """

    slug: str
    label: str
    state: str = "approved"
    score: float | None = None
    source: str = ""
    model_version: str = ""
    decided_by: str = ""
    decided_at: str = ""


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One product to write.

    tags:   facet slug to its tags; writers sort, so the order given does not matter
    source: facet name to values as the product came with them, for writers that add to what a shop has
    """

    product_id: str
    title: str = ""
    description: str = ""
    category: str = ""
    language: str = ""
    family: str = ""
    tags: Mapping[str, list[ExportTag]] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    source: Mapping[str, list[str]] = field(default_factory=dict)

    def approved(self) -> dict[str, list[ExportTag]]:
        """Facet slug to approved tags, both in order of slug; facets without any are left out."""
        kept = ((f, [t for t in self.tags[f] if t.state == "approved"]) for f in sorted(self.tags))
        return {f: sorted(tags, key=lambda t: t.slug) for f, tags in kept if tags}


class Writer(Protocol):
    """Writes rows in the order given and returns how many. The same rows give the same bytes.

    facets: every facet slug that may occur, in the order its column should have (needed by wide tables, which can't
    know the columns before the last row). None lets a writer that needs them read the rows twice.
    """

    def __call__(self, rows: Iterable[ExportRow], out: BinaryIO, *, facets: Iterable[str] | None = None) -> int: ...
