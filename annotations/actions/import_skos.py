"""A taxonomy from a SKOS file: facets, tags and words as from any list, and the relations that only SKOS brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from annotations.actions.import_problems import own_problem
from annotations.actions.revisions import revising
from annotations.actions.tag_plans import FacetPlan, TagPlan, TagsImported
from annotations.formats.skos import SkosFacet, SkosTag, read_skos
from annotations.models import Catalogue, Facet, Tag, User
from annotations.queries.safety import words_of
from annotations.queries.taxonomy import Names, key_of, number_said


def plans_of(
    catalogue: Catalogue, path: Path, name: str, report: TagsImported
) -> tuple[list[SkosFacet], list[FacetPlan]]:
    """Raises FileRefused, before anything is written, for what cannot be read."""
    facets = read_skos(path, name=name, language=catalogue.language)
    words = words_of(catalogue)
    for facet in facets:
        for tag in facet.tags:
            if word := words.first([*tag.labels.values(), *(w for some in tag.synonyms.values() for w in some)]):
                report.say(
                    own_problem("blocked-tag", file=name, line=0, column=facet.slug, value=tag.slug, detail=word)
                )
    names = Names.of(catalogue)
    return facets, [_plan(facet, names.facet(facet.slug)) for facet in facets]


def _plan(facet: SkosFacet, there: Facet | None) -> FacetPlan:
    """What RDF keeps in no order stays in the order that it has."""
    same = there is not None and facet.categories is not None and set(there.categories) == set(facet.categories)
    numbers = Facet.Kind.NUMERIC in (facet.kind, there.kind if there else "")
    return FacetPlan(
        name=facet.slug, labels=facet.labels, kind=facet.kind if facet.kind in Facet.Kind.values else None,
        variant_axis=facet.variant_axis, required=facet.required, categories=None if same else facet.categories, unit=facet.unit or None,
        descriptions=facet.definitions, labels_repeat=_labels_repeat(facet),
        tags=[
            TagPlan(_name(t, numbers), t.labels, t.synonyms, t.definitions, t.parent, t.threshold) for t in facet.tags
        ],
    )  # fmt: skip


def _name(tag: SkosTag, number: bool) -> str:
    """What finds the tag: its slug, but a number by how it is written, since 1-5-kg is none."""
    return next(iter(tag.labels.values()), tag.slug) if number else tag.slug


def _labels_repeat(facet: SkosFacet) -> bool:
    """Whether two of its tags have one label, so that only their slugs tell them apart."""
    seen: set[str] = set()
    for tag in facet.tags:
        keys = {key_of(label) for label in tag.labels.values()}
        if keys & seen:
            return True
        seen |= keys
    return False


def relate(
    *, catalogue: Catalogue, facets: Sequence[SkosFacet], user: User | None, before: set[int], report: TagsImported
) -> None:
    """Units, implied parents, categories of tags, what stands alone and what is never together. They join what is there,
    as a revision of their own; where all of it is stated already there is none.

    ``before``: the tags that were there before the import; new ones are not counted as changed. Call in a transaction.
    """
    names = Names.of(catalogue)
    edits: list[tuple[Facet | Tag, dict[str, object]]] = []
    found: dict[tuple[str, str], Tag] = {}
    for said in facets:
        facet = names.facet(said.slug) or next((f for label in said.labels.values() if (f := names.facet(label))), None)
        if facet is None:
            continue
        edits.append((facet, _of_facet(facet, said)))
        tags = {tag.slug: tag for tag in Tag.objects.live().filter(facet=facet)}
        for row in said.tags:
            spelt = (t for word in (row.slug, *row.labels.values()) if (t := names.tag(facet, word)))
            if tag := tags.get(row.slug) or next(spelt, None):
                tag.facet = facet
                found[said.slug, row.slug] = tag
                edits.append((tag, _of_tag(tag, row, facet)))
    edits = [(row, changes) for row, changes in edits if changes]
    apart = _apart(facets, found)
    if not edits and not apart:
        return
    data = {"facets": len(facets), "tags": len(found)}
    with revising(catalogue=catalogue, word="tags imported", data=data, user=user) as change:
        for record, changes in edits:
            change.change(record, **changes)
        for tag, others in apart:
            change.set_not_with(tag, others)
    report.changed += len(
        ({row.pk for row, _c in edits if isinstance(row, Tag)} | {tag.pk for tag, _o in apart}) & before
    )


def _apart(facets: Sequence[SkosFacet], found: Mapping[tuple[str, str], Tag]) -> list[tuple[Tag, list[int]]]:
    """Tags that get something they never stand beside, each with all of it."""
    there: dict[int, set[int]] = {}
    through = Tag.not_with.through.objects.filter(from_tag__in=[tag.pk for tag in found.values()])  # type: ignore[attr-defined]
    for one, other in through.values_list("from_tag", "to_tag"):
        there.setdefault(one, set()).add(other)
    wanted: list[tuple[Tag, list[int]]] = []
    for said in facets:
        for row in said.tags:
            tag = found.get((said.slug, row.slug))
            others = {o.pk for facet, slug in row.not_with if (o := found.get((facet, slug))) is not None}
            if tag is not None and others - there.get(tag.pk, set()):
                wanted.append((tag, sorted(others | there.get(tag.pk, set()))))
                for other in others:  # what is said of one is said of both
                    there.setdefault(other, set()).add(tag.pk)
    return wanted


def _of_facet(facet: Facet, said: SkosFacet) -> dict[str, object]:
    implied = facet.implied_parents if said.implied_parents is None else said.implied_parents
    wanted = {"unit": said.unit or facet.unit, "implied_parents": implied}
    return {name: value for name, value in wanted.items() if getattr(facet, name) != value}


def _of_tag(tag: Tag, row: SkosTag, facet: Facet) -> dict[str, object]:
    wanted = {
        "categories": tag.categories if set(row.categories) <= set(tag.categories) else list(row.categories),
        "exclusive": tag.exclusive or row.exclusive,
        "number": number_said(facet, tag) if facet.kind == Facet.Kind.NUMERIC else tag.number,
    }  # fmt: skip
    return {name: value for name, value in wanted.items() if getattr(tag, name) != value}
