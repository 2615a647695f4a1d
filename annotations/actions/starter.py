"""A starter taxonomy: a published one, whole or by branch, in the languages of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.actions.imports import refused
from annotations.actions.tag_plans import FacetPlan, TagPlan, TagsImported, apply_plans
from annotations.formats.rows import FileRefused
from annotations.formats.starter import Starter, StarterCategory, branch
from annotations.formats.starter_confined import read_starter_confined
from annotations.models import Catalogue, Facet, User

CATEGORY = "product-category"
CATEGORY_LABELS = {
    "en": "Product category", "zh-hans": "商品类目", "zh-hant": "商品類別", "ja": "商品カテゴリ", "de": "Produktkategorie",
    "fr": "Catégorie de produit", "es": "Categoría de producto",
}  # fmt: skip


def load_starter(
    *,
    catalogue: Catalogue,
    attributes: str | Path,
    categories: str | Path | None = None,
    branches: Sequence[str] = (),
    languages: Sequence[str] = (),
    with_categories: bool = False,
    user: User | None = None,
    fence: Callable[[], object] = lambda: None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> TagsImported:
    """Facets with their values from a published taxonomy, those that the branches name (all where none is named), and
    with ``with_categories`` the tree of categories as a facet of its own. Each facet gets the category paths it is for.

    In ``languages`` (the catalogue's own where none are named), and in English where a name is in none of them. Loading
    again adds nothing. Raises Refused before anything is written when a file can't be used or a branch is not there.
    """
    paths = [Path(path) for path in (attributes, categories) if path]
    try:
        starter = read_starter_confined(paths)
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    plans = starter_plans(
        starter, branches=branches, languages=languages or catalogue.languages, with_categories=with_categories
    )
    return apply_plans(
        catalogue=catalogue, plans=plans, user=user, word="starter taxonomy", report=TagsImported(), fence=fence,
        progress=progress,
    )  # fmt: skip


def starter_plans(
    starter: Starter, *, branches: Sequence[str] = (), languages: Sequence[str], with_categories: bool = False
) -> list[FacetPlan]:
    """What a published taxonomy, or some branches of it, would be here. Raises Refused where a branch is not there."""
    chosen = branch(starter.categories, branches)
    if branches and not chosen:
        raise Refused(_("there is no branch “%(name)s”") % {"name": branches[0]}, "branch")
    plans = _plans(starter, chosen, languages, by_branch=bool(branches))
    if with_categories and chosen:
        plans.append(_category_plan(chosen, languages))
    return plans


def _plans(
    starter: Starter, chosen: Sequence[StarterCategory], codes: Sequence[str], *, by_branch: bool
) -> list[FacetPlan]:
    base = {facet.handle: facet.handle for facet in starter.facets}
    base |= {narrower: facet.handle for facet in starter.facets for narrower in facet.extended}
    used: dict[str, set[str]] = {}
    for category in chosen:
        for handle in category.attributes:
            if handle in base:
                used.setdefault(base[handle], set()).add(category.id)
    by_id = {category.id: category for category in starter.categories}
    plans = []
    for facet in starter.facets:
        if by_branch and facet.handle not in used:
            continue
        tags = [TagPlan(name=v.handle, labels=in_languages(v.labels, codes)) for v in facet.values]
        paths = _paths(used.get(facet.handle, set()), by_id, codes[0] if codes else "en")
        plans.append(
            FacetPlan(
                name=facet.handle, labels=in_languages(facet.labels, codes), tags=tags, kind=Facet.Kind.MULTI,
                descriptions=in_languages(facet.descriptions, codes), categories=paths or None, widens=True,
            )
        )  # fmt: skip
    return plans


def in_languages(labels: Mapping[str, str], codes: Sequence[str]) -> dict[str, str]:
    said = {code: labels[code] for code in codes if code in labels}
    if said:
        return said
    code, text = next(((c, labels[c]) for c in ("en", *labels) if c in labels), ("", ""))
    return {code: text} if text else {}


def _paths(wanted: set[str], by_id: Mapping[str, StarterCategory], language: str) -> list[str]:
    """The topmost categories below which every one is wanted, as paths: few, where all of a branch is meant."""
    whole: dict[str, bool] = {}

    def covered(pk: str) -> bool:
        if pk not in whole:
            whole[pk] = False  # a tree that bites its tail
            whole[pk] = pk in wanted and all(covered(c) for c in by_id[pk].children if c in by_id)
        return whole[pk]

    full = {pk for pk in wanted if covered(pk)}
    below = {child for pk in full for child in by_id[pk].children}
    # a category whose own tree is not all wanted still names itself, since a path means what is below it, too
    return sorted("/".join(part.replace("/", "∕") for part in by_id[pk].names(language)) for pk in full - below)


def _category_plan(chosen: Sequence[StarterCategory], codes: Sequence[str]) -> FacetPlan:
    above = {child: category.id for category in chosen for child in category.children}
    tags = [
        TagPlan(
            name=category.id, labels=in_languages({code: names[-1] for code, names in category.path.items()}, codes),
            parent=above.get(category.id, ""),
        )
        for category in chosen
    ]  # fmt: skip
    return FacetPlan(
        name=CATEGORY,
        labels=in_languages(CATEGORY_LABELS, codes),
        tags=tags,
        kind=Facet.Kind.SINGLE,
        labels_repeat=True,
    )
