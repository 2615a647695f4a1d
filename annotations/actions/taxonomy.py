"""Facets and tags: adding, naming, moving and retiring. Merging, splitting and undoing are in ``reshape.py``.

Each verb is one transaction that numbers a TaxonomyRevision, writes the event and asks for a refit, since a new word
may be the evidence that suggestions were waiting for. Nothing is deleted: what is retired is no longer offered.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.db.models import Count, Max
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from annotations.actions import tag_words
from annotations.actions.errors import Refused
from annotations.actions.revisions import Revising, revising, revision_of
from annotations.models import Catalogue, Facet, FacetCompletion, ProductTag, QueueItem, Tag, User
from annotations.queries.taxonomy import Names, key_of, number_of, number_said

NAME_CHARS = 100
CATEGORIES_AT_ONCE = 500


def slug_of(label: str, taken: Collection[str], fallback: str = "tag") -> str:
    """A readable name for addresses and exports that is not ``taken`` yet.

    Latin letters lose their accents and become ASCII; Chinese and other scripts stay as they are.
    """
    said = html.unescape(label).replace("ß", "ss").replace("&", " and ")
    plain = "".join(_plain(c) for c in unicodedata.normalize("NFKC", said))
    base = slugify(plain, allow_unicode=True)[: NAME_CHARS - 6].strip("-_") or fallback
    slug, n = base, 2
    while slug in taken:
        slug, n = f"{base}-{n}", n + 1
    return slug


def slug_of_tag(facet: Facet, label: str, taken: Collection[str]) -> str:
    """As ``slug_of``. Slugs have neither points nor signs, and 1.5 is no 15: a number reads 1p5 or minus-5."""
    if number_of(facet, label) is not None:
        label = label.replace(",", ".").replace(".", "p", 1)
        label = "minus " + label[1:] if label.startswith("-") else label
    return slug_of(label, taken)


def _plain(character: str) -> str:
    first = unicodedata.normalize("NFKD", character)[0]
    return first if first.isascii() else character


def reopen(catalogue: Catalogue, facets: Sequence[Facet]) -> None:
    """Products that were done wait again where a new facet applies to them."""
    done = QueueItem.objects.filter(catalogue=catalogue, status=QueueItem.Status.DONE)
    fields: dict[str, Any] = {"status": QueueItem.Status.QUEUED, "done_at": None}
    if any(not facet.categories for facet in facets):
        done.update(**fields)
    elif facets:
        # categories in use are few beside the paths that facets may name, and are judged by the model's rule
        there = done.values_list("product__category", flat=True).distinct()
        applying = [c for c in there if any(facet.applies(c) for facet in facets)]
        for start in range(0, len(applying), CATEGORIES_AT_ONCE):
            done.filter(product__category__in=applying[start : start + CATEGORIES_AT_ONCE]).update(**fields)


def settle(catalogue: Catalogue) -> None:
    """Products that waited for nothing but a facet that is no longer asked of them are done."""
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


def clean_label(label: str) -> str:
    label = " ".join(label.split())
    if not label:
        raise Refused(_("a name is needed"), "no_name")
    if len(label) > NAME_CHARS:
        raise Refused(_("a name has at most %(n)s characters") % {"n": NAME_CHARS}, "long_name", value=label[:80])
    return label


def texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {language: clean_label(text) for language, text in texts.items() if text and text.strip()}


def word_lists(words: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    cleaned = {lang: list(dict.fromkeys(clean_label(w) for w in listed if w.strip())) for lang, listed in words.items()}
    return {language: listed for language, listed in cleaned.items() if listed}


def _texts_of_any_length(said: Mapping[str, str]) -> dict[str, str]:
    return {language: text.strip() for language, text in said.items() if text and text.strip()}


def _next_position(rows: Any) -> int:
    highest = rows.aggregate(m=Max("position"))["m"]
    return 0 if highest is None else highest + 1


# -- facets ------------------------------------------------------------------------------------------------------
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
            unit=unit.strip(), implied_parents=implied_parents, categories=_paths(categories),
            descriptions=_texts_of_any_length(descriptions or {}), position=_next_position(facets),
        )  # fmt: skip
        change.made(facet)
        if kind == Facet.Kind.BOOLEAN:
            _yes_and_no(facet, change)
        reopen(catalogue, [facet])
    return facet


YES_NO = {
    "yes": {"en": "Yes", "zh-hans": "是", "zh-hant": "是", "ja": "はい", "de": "Ja", "fr": "Oui", "es": "Sí"},
    "no": {"en": "No", "zh-hans": "否", "zh-hant": "否", "ja": "いいえ", "de": "Nein", "fr": "Non", "es": "No"},
}


def _yes_and_no(facet: Facet, change: Revising) -> None:
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


def _paths(categories: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(c.strip().strip("/") for c in categories if c.strip().strip("/")))


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
        wanted["descriptions"] = _texts_of_any_length(wanted["descriptions"])
    if "categories" in wanted:
        wanted["categories"] = _paths(wanted["categories"])
    if "unit" in wanted:
        wanted["unit"] = wanted["unit"].strip()
    changes = {name: value for name, value in wanted.items() if value != getattr(facet, name)}
    if not changes:
        return facet
    full = {name: changes.get(name, getattr(facet, name)) for name in ("kind", "unit", "implied_parents")}
    _check_kind(full["kind"], full["unit"], full["implied_parents"])
    if full["kind"] in Facet.ONE_VALUE and not facet.one_value and (several := _with_several(facet)):
        raise Refused(
            _("%(n)s products stand with several values of “%(facet)s”: decide on them first")
            % {"n": several, "facet": facet.label},
            "several_values",
            products=several,
        )
    data = {"facet": facet.slug, **changes}
    with revising(catalogue=facet.catalogue, word="facet edited", data=data, user=user) as change:
        change.change(facet, **changes)
        if changes.get("kind") == Facet.Kind.BOOLEAN:
            _yes_and_no(facet, change)
        if {"kind", "unit"} & changes.keys():
            for tag in Tag.objects.live().filter(facet=facet):
                change.change(
                    tag, number=number_said(facet, Tag(labels=tag.labels, synonyms=tag.synonyms))
                )  # its name tells what it is in the new unit
        if "categories" in changes:
            reopen(facet.catalogue, [facet])
            settle(facet.catalogue)
    return facet


def _with_several(facet: Facet) -> int:
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
    with revising(catalogue=facet.catalogue, word=word, data={"facet": facet.slug}, user=user) as change:
        change.change(facet, retired_at=timezone.now() if retired else None)
        if retired:
            settle(facet.catalogue)
        else:
            reopen(facet.catalogue, [facet])
    return facet


def move_facet(*, facet: Facet, user: User | None, step: int) -> Facet:
    """One place up (-1) or down (1) among the live facets; at the end nothing happens."""
    beside = list(Facet.objects.live().filter(catalogue=facet.catalogue_id).order_by("position", "id"))
    with revising(
        catalogue=facet.catalogue, word="facet moved", data={"facet": facet.slug, "step": step}, user=user
    ) as change:
        _swap(change, beside, facet, step)
    return facet


def _swap(change: Revising, beside: Sequence[Any], row: Facet | Tag, step: int) -> None:
    """Trade places with a neighbour. Rows that share a position (there are such in old catalogues) are numbered anew."""
    place = next(i for i, other in enumerate(beside) if other.pk == row.pk)
    other = place + (1 if step > 0 else -1)
    if not 0 <= other < len(beside):
        return
    positions = sorted(item.position for item in beside)
    if len(set(positions)) < len(positions):
        positions = list(range(positions[0], positions[0] + len(positions)))
    order = list(beside)
    order[place], order[other] = order[other], order[place]
    for position, item in zip(positions, order, strict=True):
        mine = row if item.pk == row.pk else item
        change.change(mine, position=position)


# -- tags --------------------------------------------------------------------------------------------------------
def add_tag(
    *,
    facet: Facet,
    labels: Mapping[str, str],
    user: User | None,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    definitions: Mapping[str, str] | None = None,
    parent: Tag | None = None,
    number: float | None = None,
    word: str = "tag added",
) -> Tag:
    """A new allowed value at the end of its facet. Refused when the facet knows one of the names already."""
    labels = texts(labels)
    if not labels:
        raise Refused(_("a name is needed"), "no_name")
    if parent is not None and parent.facet_id != facet.id:
        raise Refused(_("the parent belongs to another facet"), "parent")
    if facet.kind == Facet.Kind.BOOLEAN:
        raise Refused(_("“%(facet)s” is answered with yes or no") % {"facet": facet.label}, "boolean")
    names = Names.of(facet.catalogue, facet)
    for label in labels.values():
        if known := names.tag(facet, label):
            raise Refused(
                _("“%(name)s” is a name of “%(tag)s” already") % {"name": label, "tag": known.label},
                "exists",
                tag=known.slug,
            )
    tags = Tag.objects.filter(facet=facet)
    slug = slug_of_tag(facet, next(iter(labels.values())), set(tags.values_list("slug", flat=True)))
    data = {"facet": facet.slug, "tag": slug, "labels": labels}
    with revising(catalogue=facet.catalogue, word=word, data=data, user=user) as change:
        tag = Tag(
            facet=facet, slug=slug, labels=labels, synonyms=word_lists(synonyms or {}), parent=parent, number=number,
            definitions=_texts_of_any_length(definitions or {}), position=_next_position(tags),
            since=revision_of(facet.catalogue_id),
        )  # fmt: skip
        tag.number = number_said(facet, tag)
        tag.save()
        change.made(tag)
        tag_words.index([tag])
    return tag


def edit_tag(*, tag: Tag, user: User | None, **said: Any) -> Tag:
    """Change ``labels``, ``synonyms``, ``definitions``, ``categories``, ``exclusive``, ``shortcut`` (0: none) or
    ``not_with`` (tags); what is not said, or None, stays. A label that is replaced lives on as a synonym, so that old
    names still lead here.

    Refused when another tag of the facet has one of the new labels or the shortcut.
    """
    not_with: list[Tag] | None = said.pop("not_with", None)
    wanted = _wanted_of_tag(tag, {name: value for name, value in said.items() if value is not None})
    changes = {name: value for name, value in wanted.items() if value != getattr(tag, name)}
    others = sorted(other.pk for other in not_with if other.pk != tag.pk) if not_with is not None else None
    if not changes and (others is None or others == sorted(tag.not_with.values_list("pk", flat=True))):
        return tag
    catalogue = tag.facet.catalogue
    if "labels" in changes:
        names = Names.of(catalogue, tag.facet)
        for label in changes["labels"].values():
            if (known := names.tag(tag.facet, label)) and known.id != tag.id and label in known.labels.values():
                raise Refused(_("there is a tag “%(name)s” already") % {"name": label}, "exists", tag=known.slug)
    data = {"facet": tag.facet.slug, "tag": tag.slug, "before": tag.labels, **changes}
    word = "tag renamed" if "labels" in changes else "tag edited"
    with revising(catalogue=catalogue, word=word, data=data, user=user) as change:
        change.change(tag, **changes)
        if "labels" in changes and tag.facet.kind == Facet.Kind.NUMERIC:
            change.change(tag, number=number_said(tag.facet, Tag(labels=tag.labels)))
        if others is not None:
            change.set_not_with(tag, others)
        if {"labels", "synonyms"} & changes.keys():
            tag_words.index([tag])
    return tag


def _wanted_of_tag(tag: Tag, wanted: dict[str, Any]) -> dict[str, Any]:
    """What a tag's fields should be, cleaned. Raises Refused where a name is missing or a shortcut taken."""
    words = {lang: list(listed) for lang, listed in wanted.get("synonyms", tag.synonyms).items()}
    if "labels" in wanted:
        wanted["labels"] = texts(wanted["labels"])
        if not wanted["labels"]:
            raise Refused(_("a name is needed"), "no_name")
        for language, old in tag.labels.items():
            if old and language in wanted["labels"] and key_of(wanted["labels"][language]) != key_of(old):
                words.setdefault(language, []).append(old)
    wanted["synonyms"] = word_lists(words)
    if "definitions" in wanted:
        wanted["definitions"] = _texts_of_any_length(wanted["definitions"])
    if "categories" in wanted:
        wanted["categories"] = _paths(wanted["categories"])
    if "shortcut" in wanted:
        wanted["shortcut"] = wanted["shortcut"] or None
        _check_shortcut(tag, wanted["shortcut"])
    return wanted


def _check_shortcut(tag: Tag, shortcut: int | None) -> None:
    if shortcut is None:
        return
    if not 1 <= shortcut <= 9:
        raise Refused(_("a shortcut is a number from 1 to 9"), "shortcut")
    taken = Tag.objects.live().filter(facet=tag.facet_id, shortcut=shortcut).exclude(pk=tag.pk).first()
    if taken:
        raise Refused(_("the key %(n)s is “%(tag)s”'s") % {"n": shortcut, "tag": taken.label}, "shortcut")


def rename_tag(*, tag: Tag, label: str, user: User | None, language: str = "") -> Tag:
    """Another label in one language (the catalogue's own where none is said)."""
    return edit_tag(tag=tag, user=user, labels={**tag.labels, language or tag.facet.catalogue.language: label})


def move_tag(*, tag: Tag, user: User | None, parent: Tag | None) -> Tag:
    """Under another parent, or to the top of its facet. Refused where a tag would stand below itself."""
    above = parent
    while above is not None:
        if above.id == tag.id or above.facet_id != tag.facet_id:
            raise Refused(_("a tag can't stand below itself or in another facet"), "parent")
        above = above.parent
    data = {"facet": tag.facet.slug, "tag": tag.slug, "parent": parent.slug if parent else None}
    with revising(catalogue=tag.facet.catalogue, word="tag moved", data=data, user=user) as change:
        change.change(tag, parent_id=parent.pk if parent else None)
        tag.parent = parent
    return tag


def step_tag(*, tag: Tag, user: User | None, step: int) -> Tag:
    """One place up (-1) or down (1) among the tags of its parent; at the end nothing happens."""
    beside = list(Tag.objects.live().filter(facet=tag.facet_id, parent=tag.parent_id).order_by("position", "id"))
    data = {"facet": tag.facet.slug, "tag": tag.slug, "step": step}
    with revising(catalogue=tag.facet.catalogue, word="tag moved", data=data, user=user) as change:
        _swap(change, beside, tag, step)
    return tag


def indent_tag(*, tag: Tag, user: User | None) -> Tag:
    """Below the tag before it; the first of its parent stays where it is."""
    beside = list(Tag.objects.live().filter(facet=tag.facet_id, parent=tag.parent_id).order_by("position", "id"))
    place = next((i for i, other in enumerate(beside) if other.pk == tag.pk), 0)
    return move_tag(tag=tag, user=user, parent=beside[place - 1]) if place else tag


def outdent_tag(*, tag: Tag, user: User | None) -> Tag:
    """Beside its parent; a tag at the top stays where it is."""
    return move_tag(tag=tag, user=user, parent=tag.parent.parent) if tag.parent else tag


def retire_tag(*, tag: Tag, user: User | None) -> Tag:
    """No longer offered or suggested. Where it stands it stays until somebody decides again."""
    return _set_retired(tag, user, "tag retired", retired=True)


def restore_tag(*, tag: Tag, user: User | None) -> Tag:
    return _set_retired(tag, user, "tag restored", retired=False)


def _set_retired(tag: Tag, user: User | None, word: str, *, retired: bool) -> Tag:
    if (tag.retired_at is not None) == retired:
        return tag
    data = {"facet": tag.facet.slug, "tag": tag.slug}
    with revising(catalogue=tag.facet.catalogue, word=word, data=data, user=user) as change:
        fields: dict[str, Any] = {"retired_at": timezone.now() if retired else None}
        if not retired:
            fields["merged_into_id"] = None
            if tag.shortcut and Tag.objects.live().filter(facet=tag.facet_id, shortcut=tag.shortcut).exists():
                fields["shortcut"] = None  # somebody else's by now
        change.change(tag, **fields)
        tag_words.index([tag])
    return tag
