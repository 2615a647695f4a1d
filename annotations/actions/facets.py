"""Facets: adding, changing, placing and retiring the questions that are asked of products.

Each verb is one transaction that numbers a TaxonomyRevision, writes the event and asks for a refit, since a new word
may be the evidence that suggestions were waiting for. Nothing is deleted: what is retired is no longer asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import tag_words
from annotations.actions.errors import Refused
from annotations.actions.naming import next_position, paths, slug_of, swap, texts, texts_of_any_length
from annotations.actions.revisions import Revising, revising
from annotations.models import Catalogue, Facet, FacetCompletion, ProductTag, QueueItem, Tag, User
from annotations.queries.taxonomy import Names, number_said

CATEGORIES_AT_ONCE = 500


def reopen(catalogue: Catalogue, facets: Sequence[Facet]) -> int:
    """Products that were done wait again where a new facet applies to them; returns how many."""
    done = QueueItem.objects.filter(catalogue=catalogue, status=QueueItem.Status.DONE)
    fields: dict[str, Any] = {"status": QueueItem.Status.QUEUED, "done_at": None}
    if any(not facet.categories for facet in facets):
        return done.update(**fields)
    opened = 0
    if facets:
        # categories in use are few beside the paths that facets may name, and are judged by the model's rule
        there = done.values_list("product__category", flat=True).distinct()
        applying = [c for c in there if any(facet.applies(c) for facet in facets)]
        for start in range(0, len(applying), CATEGORIES_AT_ONCE):
            opened += done.filter(product__category__in=applying[start : start + CATEGORIES_AT_ONCE]).update(**fields)
    return opened


def settle(catalogue: Catalogue) -> int:
    """Products that waited for nothing but a facet that is no longer asked of them are done; returns how many."""
    live = list(Facet.objects.live().filter(catalogue=catalogue))
    waiting = QueueItem.objects.filter(catalogue=catalogue, status=QueueItem.Status.QUEUED, version__gt=0)
    rows = FacetCompletion.objects.filter(product__queue_item__in=waiting).order_by("product_id")
    wanted: dict[str, frozenset[int]] = {}
    done: list[int] = []
    whole = rows.values_list("product_id", "product__category", "facet_id").iterator(chunk_size=5000)
    for (product, category), facets in groupby(whole, key=lambda row: row[:2]):
        if category not in wanted:
            wanted[category] = frozenset(facet.pk for facet in live if facet.applies(category))
        if wanted[category] <= {facet for _p, _c, facet in facets}:
            done.append(product)
    for start in range(0, len(done), CATEGORIES_AT_ONCE):
        waiting.filter(product__in=done[start : start + CATEGORIES_AT_ONCE]).update(
            status=QueueItem.Status.DONE, done_at=timezone.now()
        )
    return len(done)


def add_facet(
    *,
    catalogue: Catalogue,
    labels: Mapping[str, str],
    user: User | None,
    kind: str = Facet.Kind.MULTI,
    variant_axis: bool = False,
    required: bool = False,
    unit: str = "",
    implied_parents: bool = False,
    categories: Sequence[str] = (),
    descriptions: Mapping[str, str] | None = None,
) -> Facet:
    """A new question. Products that were done wait for its answer. Refused when a live facet has one of the names.

    A facet that is answered with yes or no gets these two tags at once.
    """
    labels = texts(labels)
    if not labels:
        raise Refused(_("a name is needed"), "no_name")
    _check_kind(kind, unit, implied_parents)
    names = Names.facets_of(catalogue)
    for label in labels.values():
        if known := names.facet(label):
            raise Refused(_("there is a facet “%(name)s” already") % {"name": known.label}, "exists")
    facets = Facet.objects.filter(catalogue=catalogue)
    slug = slug_of(next(iter(labels.values())), set(facets.values_list("slug", flat=True)), "facet")
    data = {"facet": slug, "labels": labels}
    with revising(catalogue=catalogue, word="facet added", data=data, user=user) as change:
        facet = Facet.objects.create(
            catalogue=catalogue, slug=slug, labels=labels, kind=kind, variant_axis=variant_axis, required=required,
            unit=unit.strip(), implied_parents=implied_parents, categories=paths(categories),
            descriptions=texts_of_any_length(descriptions or {}), position=next_position(facets),
        )  # fmt: skip
        change.made(facet)
        if kind == Facet.Kind.BOOLEAN:
            yes_and_no(facet, change)
        change.note(reopened=reopen(catalogue, [facet]))
    return facet


YES_NO = {
    "yes": {"en": "Yes", "zh-hans": "是", "zh-hant": "是", "ja": "はい", "de": "Ja", "fr": "Oui", "es": "Sí"},
    "no": {"en": "No", "zh-hans": "否", "zh-hant": "否", "ja": "いいえ", "de": "Nein", "fr": "Non", "es": "No"},
}


def yes_and_no(facet: Facet, change: Revising) -> None:
    there = set(Tag.objects.live().filter(facet=facet).values_list("slug", flat=True))
    wanted = facet.catalogue.languages
    for place, (slug, labels) in enumerate(YES_NO.items()):
        if slug not in there:
            said = {code: labels.get(code, labels["en"]) for code in wanted}
            tag = Tag.objects.create(facet=facet, slug=slug, labels=said, position=place)
            change.made(tag)
            tag_words.index([tag])


def _check_kind(kind: str, unit: str, implied_parents: bool) -> None:
    if kind not in Facet.Kind.values:
        raise Refused(_("“%(kind)s” is no kind of facet") % {"kind": kind}, "kind")
    if kind == Facet.Kind.NUMERIC and not unit.strip():
        raise Refused(_("a facet of numbers needs the unit that they are counted in"), "unit")
    if implied_parents and kind in Facet.ONE_VALUE:
        raise Refused(_("where a product has one value, a tag can't bring its parents along"), "implied_parents")


def edit_facet(*, facet: Facet, user: User | None, **said: Any) -> Facet:
    """Change ``labels``, ``descriptions``, ``kind``, ``unit``, ``required``, ``variant_axis``, ``implied_parents`` or
    ``categories``; what is not said, or None, stays.

    Refused when the facet should take one value but products stand with several.
    """
    wanted = {name: value for name, value in said.items() if value is not None}
    if "labels" in wanted:
        wanted["labels"] = texts(wanted["labels"])
        if not wanted["labels"]:
            raise Refused(_("a name is needed"), "no_name")
    if "descriptions" in wanted:
        wanted["descriptions"] = texts_of_any_length(wanted["descriptions"])
    if "categories" in wanted:
        wanted["categories"] = paths(wanted["categories"])
    if "unit" in wanted:
        wanted["unit"] = wanted["unit"].strip()
    changes = {name: value for name, value in wanted.items() if value != getattr(facet, name)}
    if not changes:
        return facet
    full = {name: changes.get(name, getattr(facet, name)) for name in ("kind", "unit", "implied_parents")}
    _check_kind(full["kind"], full["unit"], full["implied_parents"])
    if full["kind"] in Facet.ONE_VALUE and not facet.one_value and (several := with_several(facet)):
        raise Refused(
            _("%(n)s products stand with several values of “%(facet)s”: decide on them first")
            % {"n": several, "facet": facet.label},
            "several_values",
            products=several,
        )
    data = {"facet": facet.slug, **changes}
    with revising(catalogue=facet.catalogue, word="facet edited", data=data, user=user, about=facet) as change:
        change.change(facet, **changes)
        if changes.get("kind") == Facet.Kind.BOOLEAN:
            yes_and_no(facet, change)
        if {"kind", "unit"} & changes.keys():
            for tag in Tag.objects.live().filter(facet=facet):
                change.change(
                    tag, number=number_said(facet, Tag(labels=tag.labels, synonyms=tag.synonyms))
                )  # its name tells what it is in the new unit
        if "categories" in changes:
            change.note(reopened=reopen(facet.catalogue, [facet]), settled=settle(facet.catalogue))
    return facet


def with_several(facet: Facet) -> int:
    stands = ProductTag.objects.filter(tag__facet=facet, state=ProductTag.State.APPROVED)
    return stands.values("product").annotate(n=Count("id")).filter(n__gt=1).count()


def retire_facet(*, facet: Facet, user: User | None) -> Facet:
    """No longer asked, so that who waited for nothing else is done. What was decided about it stays in the log and in
    exports of that time."""
    return _set_facet_retired(facet, user, "facet retired", retired=True)


def restore_facet(*, facet: Facet, user: User | None) -> Facet:
    """Asked again; products that were done without it wait for its answer."""
    return _set_facet_retired(facet, user, "facet restored", retired=False)


def _set_facet_retired(facet: Facet, user: User | None, word: str, *, retired: bool) -> Facet:
    if (facet.retired_at is not None) == retired:
        return facet
    with revising(catalogue=facet.catalogue, word=word, data={"facet": facet.slug}, user=user, about=facet) as change:
        change.change(facet, retired_at=timezone.now() if retired else None)
        if retired:
            change.note(settled=settle(facet.catalogue))
        else:
            change.note(reopened=reopen(facet.catalogue, [facet]))
    return facet


def move_facet(*, facet: Facet, user: User | None, step: int) -> Facet:
    """One place up (-1) or down (1) among the live facets; at the end nothing happens."""
    beside = list(Facet.objects.live().filter(catalogue=facet.catalogue_id).order_by("position", "id"))
    with revising(
        catalogue=facet.catalogue, word="facet moved", data={"facet": facet.slug, "step": step}, user=user, about=facet
    ) as change:
        swap(change, beside, facet, step)
    return facet
