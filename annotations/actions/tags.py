"""Tags: adding, naming, moving and retiring the values of a facet. Merging, splitting and undoing are in ``reshape.py``.

Each verb is a revision, as in ``facets.py``. What is retired is no longer offered; where it stands it stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import tag_words
from annotations.actions.errors import Refused
from annotations.actions.naming import next_position, paths, slug_of_tag, swap, texts, texts_of_any_length, word_lists
from annotations.actions.revisions import revising, revision_of
from annotations.models import Facet, Tag, User
from annotations.queries.taxonomy import Names, key_of, number_said


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
            definitions=texts_of_any_length(definitions or {}), position=next_position(tags),
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
    with revising(catalogue=catalogue, word=word, data=data, user=user, about=tag) as change:
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
        wanted["definitions"] = texts_of_any_length(wanted["definitions"])
    if "categories" in wanted:
        wanted["categories"] = paths(wanted["categories"])
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
    with revising(catalogue=tag.facet.catalogue, word="tag moved", data=data, user=user, about=tag) as change:
        change.change(tag, parent_id=parent.pk if parent else None)
        tag.parent = parent
    return tag


def step_tag(*, tag: Tag, user: User | None, step: int) -> Tag:
    """One place up (-1) or down (1) among the tags of its parent; at the end nothing happens."""
    beside = list(Tag.objects.live().filter(facet=tag.facet_id, parent=tag.parent_id).order_by("position", "id"))
    data = {"facet": tag.facet.slug, "tag": tag.slug, "step": step}
    with revising(catalogue=tag.facet.catalogue, word="tag moved", data=data, user=user, about=tag) as change:
        swap(change, beside, tag, step)
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
    with revising(catalogue=tag.facet.catalogue, word=word, data=data, user=user, about=tag) as change:
        fields: dict[str, Any] = {"retired_at": timezone.now() if retired else None}
        if not retired:
            fields["merged_into_id"] = None
            if tag.shortcut and Tag.objects.live().filter(facet=tag.facet_id, shortcut=tag.shortcut).exists():
                fields["shortcut"] = None  # somebody else's by now
        change.change(tag, **fields)
        tag_words.index([tag])
    return tag
