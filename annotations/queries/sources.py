"""Questions about the sources of files: which there are, and whose file this is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db.models import Count, QuerySet

from annotations.formats.headers import normal
from annotations.formats.mapping import signature
from annotations.models import Catalogue, ImportSource

ALIKE = 0.8
"""Share of columns that two JSON files of one source have in common at least: their rows need not have all keys."""


def sources_of(catalogue: Catalogue) -> QuerySet[ImportSource]:
    """By name, each with how many files of it were taken in (``files``)."""
    return (
        ImportSource.objects.filter(catalogue=catalogue)
        .select_related("user")
        .annotate(files=Count("batches"))
        .order_by("name")
    )


def source_named(catalogue: Catalogue, name: str) -> ImportSource | None:
    return ImportSource.objects.filter(catalogue=catalogue, name=name).first()


def recognise(catalogue: Catalogue, headers: Sequence[str], *, exact: bool = True) -> ImportSource | None:
    """The source whose files have these columns, the last used of several.

    exact: the very same set of columns. Otherwise (JSON, whose rows leave keys out) the most alike, if it is alike
           enough and the file has every column that the source's mapping uses.
    """
    sources = ImportSource.objects.filter(catalogue=catalogue)
    found = sources.filter(signature=signature(headers)).order_by("-used_at", "-id").first()
    if found is not None or exact:
        return found
    there = {normal(h) for h in headers}
    best, most = None, ALIKE
    for source in sources.order_by("-used_at", "-id")[:200]:
        columns = source.mapping.get("columns", ())
        own = {normal(c["header"]) for c in columns}
        used = {normal(c["header"]) for c in columns if c["target"]}
        share = _alike(own, there)
        if used and used <= there and share >= most:
            best, most = source, share + 1e-9
    return best


def _alike(one: Collection[str], other: Collection[str]) -> float:
    either = set(one) | set(other)
    return len(set(one) & set(other)) / len(either) if either else 0.0
