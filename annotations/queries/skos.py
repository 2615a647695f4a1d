"""A catalogue's taxonomy in the shape that SKOS is written from."""

from __future__ import annotations

from annotations.formats.skos import SkosFacet, SkosTag
from annotations.models import Catalogue, Facet, Tag


def skos_facets(catalogue: Catalogue) -> list[SkosFacet]:
    """Live facets and tags in order, whole. Three queries."""
    facets = list(Facet.objects.live().filter(catalogue=catalogue))
    tags = list(Tag.objects.live().filter(facet__in=facets).select_related("facet").order_by("position", "id"))
    names = {tag.pk: (tag.facet.slug, tag.slug) for tag in tags}
    through = Tag.not_with.through.objects.filter(from_tag__facet__in=facets)  # type: ignore[attr-defined]
    apart: dict[int, list[tuple[str, str]]] = {}
    for tag, other in through.values_list("from_tag", "to_tag"):
        if other in names:
            apart.setdefault(tag, []).append(names[other])
    by_facet: dict[int, list[SkosTag]] = {}
    for tag in tags:
        row = SkosTag(
            tag.slug, tag.labels, tag.synonyms, tag.definitions, names.get(tag.parent_id or 0, ("", ""))[1],
            len(by_facet.get(tag.facet_id, ())), tag.categories, tag.exclusive, tag.threshold,
            sorted(apart.get(tag.pk, ())),
        )  # fmt: skip
        by_facet.setdefault(tag.facet_id, []).append(row)
    return [
        SkosFacet(
            f.slug, f.labels, f.descriptions, f.kind, f.unit, f.variant_axis, f.required, f.implied_parents, f.categories,
            place, by_facet.get(f.pk, []),
        )
        for place, f in enumerate(facets)
    ]  # fmt: skip
