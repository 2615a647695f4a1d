"""Tag lists in: facets and tags that somebody wrote down in a table, JSON or YAML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotations.actions import import_problems
from annotations.actions.import_problems import own_problem
from annotations.actions.import_skos import plans_of, relate
from annotations.actions.imports import house_limits, refused
from annotations.actions.naming import NAME_CHARS, language_of, readable
from annotations.actions.tag_plans import FacetPlan, TagPlan, TagsImported, apply_plans
from annotations.formats.rows import FileRefused, Limits, Problem
from annotations.formats.skos import SkosFacet, is_skos
from annotations.formats.tags import TagRow, read_tags
from annotations.models import Catalogue, Facet, ImportBatch, Tag, User
from annotations.queries.safety import words_of
from annotations.queries.taxonomy import key_of

KINDS = {"": None, **{kind.value: kind for kind in Facet.Kind}}


def import_tags(
    *,
    catalogue: Catalogue,
    path: str | Path,
    user: User | None,
    file_name: str = "",
    limits: Limits | None = None,
    batch: ImportBatch | None = None,
    fence: Callable[[], object] = lambda: None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> TagsImported:
    """Facets and tags of a list, as one change: what is missing is added, words join what is there.

    A batch, where one is given, gets the counts (tags added, changed, unchanged) and the problems. Reading the list
    again changes nothing. ``fence`` is called first in each transaction, ``progress(done, total)`` between them. Raises
    Refused before anything is written when the file can't be used.
    """
    file_name = file_name or Path(path).name
    report = TagsImported()
    skos: list[SkosFacet] = []
    try:
        if is_skos(file_name):
            skos, plans = plans_of(catalogue, Path(path), file_name, report)
        else:
            plans = tag_plans_of(catalogue=catalogue, path=path, file_name=file_name, report=report, limits=limits)
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    before = set(Tag.objects.filter(facet__catalogue=catalogue).values_list("pk", flat=True)) if skos else set()
    apply_plans(
        catalogue=catalogue, plans=plans, user=user, word="tags imported", report=report, fence=fence, progress=progress
    )
    if skos:
        with transaction.atomic():
            fence()
            relate(catalogue=catalogue, facets=skos, user=user, before=before, report=report)
    report.problem_list = [replace(p, file=file_name) for p in report.problem_list]
    if batch is not None:
        with transaction.atomic():
            fence()
            note(batch, report)
    return report


def tag_plans_of(
    *, catalogue: Catalogue, path: str | Path, file_name: str, report: TagsImported, limits: Limits | None = None
) -> list[FacetPlan]:
    """What a list says should be there; its problems go into the report. Raises FileRefused."""
    rows = read_tags(path, name=file_name, language=catalogue.language, limits=limits or house_limits())
    with closing(rows):  # type: ignore[type-var]
        return _plans(list(rows), catalogue, file_name, report)


def _plans(rows: Sequence[TagRow | Problem], catalogue: Catalogue, file: str, report: TagsImported) -> list[FacetPlan]:
    """One plan per facet, in the list's order; what several of its rows say about the facet is put together."""
    words = words_of(catalogue)
    facets: dict[str, dict[str, Any]] = {}
    tags: dict[str, list[TagPlan]] = {}
    for row in rows:
        if isinstance(row, Problem):
            report.say(row)
            continue
        if any(
            len(name) > NAME_CHARS for name in (row.facet, row.tag, *row.labels.values(), *row.facet_labels.values())
        ):
            long = max((row.facet, row.tag, *row.labels.values(), *row.facet_labels.values()), key=len)
            report.say(own_problem("long-value", file=file, line=row.line, column="tag", value=long, limit=NAME_CHARS))
            continue
        key = key_of(row.facet)
        said = facets.setdefault(key, {"name": row.facet, "labels": {}, "descriptions": {}})
        said["labels"] = {**row.facet_labels, **said["labels"]}
        said["descriptions"] = {**row.facet_definitions, **said["descriptions"]}
        if row.kind and "kind" not in said:
            said["kind"] = KINDS.get(row.kind, Facet.Kind.MULTI)
        if row.unit:
            said.setdefault("unit", row.unit)
        for name in ("variant_axis", "required", "categories"):
            if getattr(row, name) is not None:
                said.setdefault(name, getattr(row, name))
        if row.tag and (
            word := words.first([row.tag, *row.labels.values(), *(s for some in row.synonyms.values() for s in some)])
        ):
            report.say(own_problem("blocked-tag", file=file, line=row.line, column="tag", value=row.tag, detail=word))
        if row.tag:
            tags.setdefault(key, []).append(_tag(row, catalogue))
    for said in facets.values():
        said["labels"] = said["labels"] or _label(said["name"], catalogue)
    return [FacetPlan(tags=tags.get(key, []), **said) for key, said in facets.items()]


def _tag(row: TagRow, catalogue: Catalogue) -> TagPlan:
    return TagPlan(
        name=row.tag,
        labels=row.labels or _label(row.tag, catalogue),
        synonyms=row.synonyms,
        definitions=row.definitions,
        parent=row.parent,
        threshold=row.threshold,
        line=row.line,
    )


def _label(name: str, catalogue: Catalogue) -> dict[str, str]:
    label = readable(name)
    return {language_of(label, catalogue): label}


def note(batch: ImportBatch, report: TagsImported, *, counts: bool = True) -> None:
    """Its counts, unless the batch has others, and its problems in the place of earlier ones. Inside a transaction."""
    if counts:
        batch.rows, batch.created, batch.updated = report.tags, report.new_tags, report.changed
        batch.unchanged = max(0, report.tags - report.new_tags - report.changed)
    batch.problem_count = 0
    batch.problems.all().delete()  # type: ignore[attr-defined]  # of an attempt that was interrupted
    import_problems.store(batch, report.problem_list)
    batch.problem_count = report.problems
    batch.finished_at = timezone.now()
    batch.save()
