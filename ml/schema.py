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
    """One value of a facet. ``threshold`` is the score from which it is checked for the reviewer; None: learned.

    Relations: ``parent`` is the tag above it (a slug of the same facet), ``categories`` are path prefixes where it is
    allowed (empty: wherever its facet applies), an ``exclusive`` tag stands alone in its facet, ``not_with`` are
    (facet, tag) that never stand beside it.
    """

    slug: str
    labels: Mapping[str, str] = field(default_factory=dict)
    synonyms: tuple[str, ...] = ()
    threshold: float | None = None
    parent: str = ""
    categories: tuple[str, ...] = ()
    exclusive: bool = False
    not_with: tuple[tuple[str, str], ...] = ()

    def relations(self) -> dict[str, Any]:
        """Those that it has, for JSON: a schema without any keeps its hash."""
        said = {
            "parent": self.parent, "categories": list(self.categories), "exclusive": self.exclusive,
            "not_with": [list(pair) for pair in self.not_with],
        }  # fmt: skip
        return {name: value for name, value in said.items() if value}

    @property
    def words(self) -> tuple[str, ...]:
        """Every phrase that names the tag, labels of all languages first, without repeats."""
        return tuple(dict.fromkeys(w for w in (*self.labels.values(), *self.synonyms) if w))

    def label(self, language: str = "en") -> str:
        return self.labels.get(language) or next(iter(self.labels.values()), self.slug)


def below(category: str, prefixes: Sequence[str]) -> bool:
    """Whether a category is one of the paths or lies below one; no paths mean everywhere."""
    return not prefixes or any(category == p or category.startswith(p.rstrip("/") + "/") for p in prefixes)


@dataclass(frozen=True, slots=True)
class FacetSpec:
    """A question about a product. ``categories`` are path prefixes where it applies; empty: everywhere.
    ``implied_parents``: a tag brings the tags above it along."""

    slug: str
    tags: tuple[TagSpec, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    single: bool = False
    categories: tuple[str, ...] = ()
    variant_axis: bool = False
    implied_parents: bool = False

    def applies(self, category: str) -> bool:
        return below(category, self.categories)


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
                    **({"implied_parents": True} if f.implied_parents else {}),
                    "tags": [
                        {
                            "slug": t.slug,
                            "labels": dict(t.labels),
                            "synonyms": list(t.synonyms),
                            "threshold": t.threshold,
                            **t.relations(),
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
                    implied_parents=bool(f.get("implied_parents", False)),
                    tags=tuple(_tag_spec(t) for t in f["tags"]),
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


def _tag_spec(row: Mapping[str, Any]) -> TagSpec:
    return TagSpec(
        row["slug"], dict(row.get("labels", {})), tuple(row.get("synonyms", ())), row.get("threshold"),
        parent=row.get("parent", ""), categories=tuple(row.get("categories", ())),
        exclusive=bool(row.get("exclusive", False)),
        not_with=tuple((str(facet), str(tag)) for facet, tag in row.get("not_with", ())),
    )  # fmt: skip
