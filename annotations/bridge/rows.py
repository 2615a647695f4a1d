"""Where models live, and products as the Examples that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from annotations.models import Catalogue
from annotations.queries import examples as questions
from annotations.queries.examples import ProductFacts
from ml.examples import Example
from ml.instant.cache import EmbeddingCache
from ml.safety.personal import mask
from ml.schema import Schema


def models_root() -> Path:
    return Path(settings.MODELS_ROOT)


def encoders_root() -> Path:
    """Encoders by hash, shared by all catalogues and bundles."""
    return models_root() / "encoders"


def picture_file(sha256: str) -> str:
    """Where a stored picture lies, as encoders find it; empty for none. Named by its contents, so no row is asked."""
    return str(Path(settings.MEDIA_ROOT) / sha256[:2] / f"{sha256}.jpg") if sha256 else ""


def embedding_cache() -> EmbeddingCache:
    return _cache(models_root() / "embeddings")


@lru_cache(maxsize=8)
def _cache(root: Path) -> EmbeddingCache:
    """One for all threads of a process: each would index the same files."""
    return EmbeddingCache(root)


def schema_of(catalogue: Catalogue) -> Schema:
    return Schema.from_json({"version": catalogue.taxonomy_revision, "facets": questions.taxonomy_rows(catalogue)})


def _key(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


class Examples:
    """Turns products into Examples under one schema. A source's column names find their facet by slug or label.

    This is the one way from a row to a model, so here personal data is masked: neither training nor anything that
    leaves the machine sees it. Texts keep their length, so that evidence keeps its place.
    """

    def __init__(self, schema: Schema) -> None:
        self._facet_of = {
            _key(name): facet.slug for facet in schema.facets for name in (facet.slug, *facet.labels.values())
        }

    def of(self, facts: ProductFacts) -> Example:
        source: dict[str, tuple[str, ...]] = {}
        for name, values in facts.source.items():
            facet = self._facet_of.get(_key(name))
            if facet is not None:
                source[facet] = (*source.get(facet, ()), *(mask(str(v)) for v in values))
        return Example(
            id=facts.external_id,
            texts={
                name: mask(text) for name, text in (("title", facts.title), ("description", facts.description)) if text
            },
            category=facts.category,
            language=facts.language,
            group=facts.family,
            image=picture_file(facts.picture),
            labels={facet: frozenset(tags) for facet, tags in facts.labels.items()},
            rejected={facet: frozenset(tags) for facet, tags in facts.rejected.items()},
            complete=frozenset(facts.complete),
            source=source,
            time=facts.time,
        )

    def all(self, rows: Iterable[ProductFacts]) -> list[Example]:
        return [self.of(row) for row in rows]


def facts_of_row(row: Mapping[str, Any]) -> ProductFacts:
    """A product that is not stored, in our JSONL shape. ``attributes`` are taken as the source's claims."""
    attributes = row.get("attributes") or {}
    return ProductFacts(
        pk=0,
        external_id=str(row.get("id", "")),
        title=str(row.get("title") or ""),
        description=str(row.get("description") or ""),
        category=str(row.get("category") or ""),
        language=str(row.get("language") or ""),
        family=str(row.get("family") or row.get("group") or ""),
        picture="",
        source={str(f): [str(v) for v in (vs if isinstance(vs, list) else [vs])] for f, vs in attributes.items()},
    )
