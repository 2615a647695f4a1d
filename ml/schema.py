"""Schema: the facets and tags a model chooses from, and their words in every language."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class TagSpec:
    """One value of a facet. ``threshold`` is the score from which it is checked for the reviewer; None: learned."""

    slug: str
    labels: Mapping[str, str] = field(default_factory=dict)
    synonyms: tuple[str, ...] = ()
    threshold: float | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Every phrase that names the tag, labels of all languages first, without repeats."""
        return tuple(dict.fromkeys(w for w in (*self.labels.values(), *self.synonyms) if w))

    def label(self, language: str = "en") -> str:
        return self.labels.get(language) or next(iter(self.labels.values()), self.slug)


@dataclass(frozen=True, slots=True)
class FacetSpec:
    """A question about a product. ``categories`` are path prefixes where it applies; empty: everywhere."""

    slug: str
    tags: tuple[TagSpec, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    single: bool = False
    categories: tuple[str, ...] = ()
    variant_axis: bool = False

    def applies(self, category: str) -> bool:
        return not self.categories or any(
            category == p or category.startswith(p.rstrip("/") + "/") for p in self.categories
        )


@dataclass(frozen=True)
class Schema:
    """Facets in taxonomy order. Column ``c`` of every label or score matrix belongs to ``columns[c]``."""

    facets: tuple[FacetSpec, ...]
    version: int = 0

    @cached_property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """(facet slug, tag slug) of each column."""
        return tuple((f.slug, t.slug) for f in self.facets for t in f.tags)

    @cached_property
    def _index(self) -> dict[tuple[str, str], int]:
        return {pair: c for c, pair in enumerate(self.columns)}

    @cached_property
    def _facets(self) -> dict[str, FacetSpec]:
        return {f.slug: f for f in self.facets}

    @cached_property
    def tag_specs(self) -> tuple[TagSpec, ...]:
        """The TagSpec of each column."""
        return tuple(t for f in self.facets for t in f.tags)

    @cached_property
    def facet_columns(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {f.slug: [] for f in self.facets}
        for column, (facet, _) in enumerate(self.columns):
            found[facet].append(column)
        return found

    def column(self, facet: str, tag: str) -> int | None:
        return self._index.get((facet, tag))

    def facet(self, slug: str) -> FacetSpec:
        """Raises KeyError for a facet the schema does not have."""
        return self._facets[slug]

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "facets": [
                {
                    "slug": f.slug,
                    "labels": dict(f.labels),
                    "single": f.single,
                    "categories": list(f.categories),
                    "variant_axis": f.variant_axis,
                    "tags": [
                        {
                            "slug": t.slug,
                            "labels": dict(t.labels),
                            "synonyms": list(t.synonyms),
                            "threshold": t.threshold,
                        }
                        for t in f.tags
                    ],
                }
                for f in self.facets
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Schema:
        return cls(
            version=data.get("version", 0),
            facets=tuple(
                FacetSpec(
                    slug=f["slug"],
                    labels=dict(f.get("labels", {})),
                    single=bool(f.get("single", False)),
                    categories=tuple(f.get("categories", ())),
                    variant_axis=bool(f.get("variant_axis", False)),
                    tags=tuple(
                        TagSpec(t["slug"], dict(t.get("labels", {})), tuple(t.get("synonyms", ())), t.get("threshold"))
                        for t in f["tags"]
                    ),
                )
                for f in data["facets"]
            ),
        )

    @classmethod
    def from_values(cls, rows: Iterable[Mapping[str, Sequence[str]]], single: Iterable[str] = ()) -> Schema:
        """A schema with every facet and value seen in the rows, for notebooks: slugs are the values themselves."""
        seen: dict[str, dict[str, None]] = {}
        for row in rows:
            for facet, values in row.items():
                seen.setdefault(facet, {}).update(dict.fromkeys(values))
        alone = set(single)
        return cls(
            tuple(
                FacetSpec(f, tuple(TagSpec(v, {"en": v}) for v in sorted(values)), {"en": f}, single=f in alone)
                for f, values in seen.items()
            )
        )

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.to_json(), ensure_ascii=False, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Schema:
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")))

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(self.to_json(), ensure_ascii=False, sort_keys=True).encode()).hexdigest()
