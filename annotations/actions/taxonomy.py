"""Facets and tags: adding, naming, moving, merging and retiring.

Each verb is one transaction that numbers a TaxonomyRevision, writes the event and asks for a refit, since a new word
may be the evidence that suggestions were waiting for. Nothing is deleted: what is retired is no longer offered.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from annotations.actions import audit, learning
from annotations.actions.decide import Card, Choice, Circumstances, save_cards
from annotations.actions.errors import Refused
from annotations.models import (
    Catalogue,
    Event,
    Facet,
    Input,
    Product,
    ProductTag,
    QueueItem,
    Tag,
    TaxonomyRevision,
    User,
    Verdict,
)
from annotations.queries.taxonomy import Names, key_of

NAME_CHARS = 100


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


def _plain(character: str) -> str:
    first = unicodedata.normalize("NFKD", character)[0]
    return first if first.isascii() else character


def revise(*, catalogue: Catalogue, word: str, data: Mapping[str, Any], user: User | None) -> TaxonomyRevision:
    """Number a change of the taxonomy. Called inside the transaction of the verb, before it writes anything else,
    so that the catalogue's row lock puts the changes of one taxonomy one after another."""
    Catalogue.objects.filter(pk=catalogue.pk).update(taxonomy_revision=F("taxonomy_revision") + 1)
    number = Catalogue.objects.values_list("taxonomy_revision", flat=True).get(pk=catalogue.pk)
    catalogue.taxonomy_revision = number
    target = str(data.get("tag") or data.get("facet") or "")
    audit.record(
        word=Event.TAXONOMY_CHANGED, catalogue=catalogue, user=user, target=target, data={"what": word, **data}
    )
    learning.request_refit(catalogue=catalogue)
    return TaxonomyRevision.objects.create(catalogue=catalogue, number=number, word=word, data=dict(data), user=user)


def reopen(catalogue: Catalogue, facets: Sequence[Facet]) -> None:
    """Products that were done wait again where a new facet applies to them."""
    applies = Q()
    for facet in facets:
        if not facet.categories:
            applies = Q()
            break
        for prefix in facet.categories:
            applies |= Q(product__category=prefix) | Q(product__category__startswith=prefix.rstrip("/") + "/")
    if facets:
        done = QueueItem.objects.filter(applies, catalogue=catalogue, status=QueueItem.Status.DONE)
        done.update(status=QueueItem.Status.QUEUED, done_at=None)


def clean_label(label: str) -> str:
    label = " ".join(label.split())
    if not label:
        raise Refused(_("a name is needed"), "no_name")
    if len(label) > NAME_CHARS:
        raise Refused(_("a name has at most %(n)s characters") % {"n": NAME_CHARS}, "long_name", value=label[:80])
    return label


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {language: clean_label(text) for language, text in texts.items() if text and text.strip()}


def _word_lists(words: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    cleaned = {lang: list(dict.fromkeys(clean_label(w) for w in listed if w.strip())) for lang, listed in words.items()}
    return {language: listed for language, listed in cleaned.items() if listed}


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
    categories: Sequence[str] = (),
) -> Facet:
    """A new question. Products that were done wait for its answer. Refused when a live facet has one of the names."""
    labels = _texts(labels)
    if not labels:
        raise Refused(_("a name is needed"), "no_name")
    with transaction.atomic():
        names = Names.of(catalogue)
        for label in labels.values():
            if known := names.facet(label):
                raise Refused(_("there is a facet “%(name)s” already") % {"name": known.label}, "exists")
        facets = Facet.objects.filter(catalogue=catalogue)
        slug = slug_of(next(iter(labels.values())), set(facets.values_list("slug", flat=True)), "facet")
        revise(catalogue=catalogue, word="facet added", data={"facet": slug, "labels": labels}, user=user)
        facet = Facet.objects.create(
            catalogue=catalogue, slug=slug, labels=labels, kind=kind, variant_axis=variant_axis,
            categories=list(categories), position=_next_position(facets),
        )  # fmt: skip
        reopen(catalogue, [facet])
    return facet


def edit_facet(
    *,
    facet: Facet,
    user: User | None,
    labels: Mapping[str, str] | None = None,
    kind: str | None = None,
    variant_axis: bool | None = None,
    categories: Sequence[str] | None = None,
) -> Facet:
    """What is None stays. Refused when the facet should take one value but products stand with several."""
    changes: dict[str, Any] = {}
    if labels is not None and not (cleaned := _texts(labels)):
        raise Refused(_("a name is needed"), "no_name")
    if labels is not None and cleaned != facet.labels:
        changes["labels"] = cleaned
    if kind is not None and kind != facet.kind:
        if kind in Facet.ONE_VALUE and not facet.one_value and (several := _with_several(facet)):
            raise Refused(
                _("%(n)s products stand with several values of “%(facet)s”: decide on them first")
                % {"n": several, "facet": facet.label},
                "several_values",
                products=several,
            )
        changes["kind"] = kind
    if variant_axis is not None and variant_axis != facet.variant_axis:
        changes["variant_axis"] = variant_axis
    if categories is not None and list(categories) != facet.categories:
        changes["categories"] = [c.strip().strip("/") for c in categories if c.strip().strip("/")]
    if not changes:
        return facet
    with transaction.atomic():
        revise(catalogue=facet.catalogue, word="facet edited", data={"facet": facet.slug, **changes}, user=user)
        Facet.objects.filter(pk=facet.pk).update(**changes)
        facet.refresh_from_db()
        if "categories" in changes:
            reopen(facet.catalogue, [facet])
    return facet


def _with_several(facet: Facet) -> int:
    stands = ProductTag.objects.filter(tag__facet=facet, state=ProductTag.State.APPROVED)
    return stands.values("product").annotate(n=Count("id")).filter(n__gt=1).count()


def retire_facet(*, facet: Facet, user: User | None) -> Facet:
    """No longer asked. What was decided about it stays in the log and in exports of that time."""
    with transaction.atomic():
        revise(catalogue=facet.catalogue, word="facet retired", data={"facet": facet.slug}, user=user)
        facet.retired_at = timezone.now()
        facet.save(update_fields=["retired_at"])
    return facet


# -- tags --------------------------------------------------------------------------------------------------------
def add_tag(
    *,
    facet: Facet,
    labels: Mapping[str, str],
    user: User | None,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    parent: Tag | None = None,
) -> Tag:
    """A new allowed value at the end of its facet. Refused when the facet knows one of the names already."""
    labels, synonyms = _texts(labels), _word_lists(synonyms or {})
    if not labels:
        raise Refused(_("a name is needed"), "no_name")
    if parent is not None and parent.facet_id != facet.id:
        raise Refused(_("the parent belongs to another facet"), "parent")
    with transaction.atomic():
        names = Names.of(facet.catalogue)
        for label in labels.values():
            if known := names.tag(facet, label):
                raise Refused(
                    _("“%(name)s” is a name of “%(tag)s” already") % {"name": label, "tag": known.label},
                    "exists",
                    tag=known.slug,
                )
        tags = Tag.objects.filter(facet=facet)
        slug = slug_of(next(iter(labels.values())), set(tags.values_list("slug", flat=True)))
        data = {"facet": facet.slug, "tag": slug, "labels": labels}
        revise(catalogue=facet.catalogue, word="tag added", data=data, user=user)
        return Tag.objects.create(
            facet=facet, slug=slug, labels=labels, synonyms=synonyms, parent=parent, position=_next_position(tags)
        )


def edit_tag(
    *,
    tag: Tag,
    user: User | None,
    labels: Mapping[str, str] | None = None,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    definitions: Mapping[str, str] | None = None,
) -> Tag:
    """What is None stays. A label that is replaced lives on as a synonym, so that old names still lead here.

    Refused when another tag of the facet has one of the new labels.
    """
    changes: dict[str, Any] = {}
    words = {lang: list(listed) for lang, listed in (tag.synonyms if synonyms is None else synonyms).items()}
    if labels is not None:
        changes["labels"] = _texts(labels)
        if not changes["labels"]:
            raise Refused(_("a name is needed"), "no_name")
        for language, old in tag.labels.items():
            if old and language in changes["labels"] and key_of(changes["labels"][language]) != key_of(old):
                words.setdefault(language, []).append(old)
    changes["synonyms"] = _word_lists(words)
    if definitions is not None:
        changes["definitions"] = {k: v.strip() for k, v in definitions.items() if v.strip()}
    changes = {name: value for name, value in changes.items() if value != getattr(tag, name)}
    if not changes:
        return tag
    catalogue = tag.facet.catalogue
    with transaction.atomic():
        names = Names.of(catalogue)
        for label in changes.get("labels", {}).values():
            if (known := names.tag(tag.facet, label)) and known.id != tag.id and label in known.labels.values():
                raise Refused(_("there is a tag “%(name)s” already") % {"name": label}, "exists", tag=known.slug)
        data = {"facet": tag.facet.slug, "tag": tag.slug, "before": tag.labels, **changes}
        revise(catalogue=catalogue, word="tag renamed" if "labels" in changes else "tag edited", data=data, user=user)
        Tag.objects.filter(pk=tag.pk).update(**changes)
        tag.refresh_from_db()
    return tag


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
    with transaction.atomic():
        data = {"facet": tag.facet.slug, "tag": tag.slug, "parent": parent.slug if parent else None}
        revise(catalogue=tag.facet.catalogue, word="tag moved", data=data, user=user)
        tag.parent = parent
        tag.save(update_fields=["parent"])
    return tag


def retire_tag(*, tag: Tag, user: User | None) -> Tag:
    """No longer offered or suggested. Where it stands it stays until somebody decides again."""
    return _set_retired(tag, user, "tag retired", retired=True)


def restore_tag(*, tag: Tag, user: User | None) -> Tag:
    return _set_retired(tag, user, "tag restored", retired=False)


def _set_retired(tag: Tag, user: User | None, word: str, *, retired: bool) -> Tag:
    with transaction.atomic():
        revise(
            catalogue=tag.facet.catalogue, word=word, data={"facet": tag.facet.slug, "tag": tag.slug}, user=user
        )  # fmt: skip
        tag.retired_at = timezone.now() if retired else None
        tag.merged_into = None if not retired else tag.merged_into
        tag.save(update_fields=["retired_at", "merged_into"])
        if retired:
            tag.suggestions.all().delete()  # type: ignore[attr-defined]
    return tag


def merge_tags(*, tag: Tag, into: Tag, by: Circumstances) -> int:
    """``tag`` retires, its names lead to ``into``, and where it stood approved ``into`` is approved by ``by``.

    Returns how many products were decided on. The decisions follow in transactions of bounded size; merging the same
    pair again finishes what was interrupted.
    """
    if tag.id == into.id or tag.facet_id != into.facet_id or into.retired_at is not None:
        raise Refused(_("a tag can only be merged into another live tag of its facet"), "merge")
    catalogue = tag.facet.catalogue
    with transaction.atomic():
        if tag.merged_into_id != into.id:
            data = {"facet": tag.facet.slug, "tag": tag.slug, "into": into.slug}
            revise(catalogue=catalogue, word="tag merged", data=data, user=by.reviewer)
            tag.merged_into, tag.retired_at = into, timezone.now()
            tag.save(update_fields=["merged_into", "retired_at"])
            tag.suggestions.all().delete()  # type: ignore[attr-defined]
            words = {lang: list(w) for lang, w in into.synonyms.items()}
            for language, label in tag.labels.items():
                words.setdefault(language, []).append(label)
            for language, listed in tag.synonyms.items():
                words.setdefault(language, []).extend(listed)
            into.synonyms = _word_lists(words)
            into.save(update_fields=["synonyms"])
    stood = ProductTag.objects.filter(tag=tag, state=ProductTag.State.APPROVED).values("product")
    already = set(
        ProductTag.objects.filter(tag=into, state=ProductTag.State.APPROVED, product__in=stood).values_list(
            "product", flat=True
        )
    )
    choices: list[Card] = []
    for product in Product.objects.filter(id__in=stood).order_by("id"):
        verdicts = [Choice(tag, Verdict.REMOVE)]
        if product.id not in already:
            verdicts.append(Choice(into, Verdict.ACCEPT))
        choices.append(Card(product, tuple(verdicts)))
    save_cards(catalogue=catalogue, cards=choices, by=replace(by, input=Input.TAXONOMY))
    return len(choices)
