"""Values that become tags where they come up: quantities of a numeric facet, and whatever an open facet is given.

Every name of the tags that are there is tried first, so that another spelling or another unit makes no second tag. The
taxonomy's owner hears of each new tag by an answered request that names it. A value whose tag was retired does not
come back by itself: it is asked for, as in any other facet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import tag_words
from annotations.actions.errors import Refused
from annotations.actions.naming import clean_label, language_of, slug_of_tag
from annotations.actions.revisions import revising, revision_of
from annotations.formats import quantities
from annotations.models import Catalogue, Facet, Product, Tag, TagRequest, User
from annotations.queries.safety import words_of
from annotations.queries.taxonomy import Names, number_of, tag_key


def checked(facet: Facet, text: str) -> str:
    """The value as a tag of the facet would be called: "1500 g" is "1.5 kg". Refused where a facet of numbers is told
    something else than a quantity that its unit can count, naming both, or a name is empty or too long."""
    text = clean_label(text)
    if facet.kind != Facet.Kind.NUMERIC:
        return text
    words = {"value": text, "facet": facet.label, "unit": facet.unit}
    try:
        return clean_label(quantities.written(quantities.in_unit(text, facet.unit), facet.unit))
    except quantities.UnknownUnit as unknown:
        raise Refused(
            _("“%(said)s” can't be counted in %(unit)s, the unit of “%(facet)s”: write the value in %(unit)s")
            % {**words, "said": unknown.unit},
            "unit",
            unit=unknown.unit,
            wanted=facet.unit,
        ) from unknown
    except quantities.NotANumber as no:
        raise Refused(
            _("“%(value)s” is no number: “%(facet)s” takes one like 1.5 %(unit)s") % words, "not_a_number"
        ) from no


def take_values(
    *,
    catalogue: Catalogue,
    values: Iterable[tuple[Facet, str, Product | None]],
    user: User | None,
    names: Names | None = None,
) -> list[Tag]:
    """The tags that these values made, in one transaction, a revision for each facet. What is known, can't be read,
    was retired, or belongs to a facet that takes no new values makes none. ``names`` learns the new ones."""
    wanted: dict[int, dict[str, tuple[str, Product | None]]] = {}
    facets: dict[int, Facet] = {}
    words = words_of(catalogue)
    for facet, text, product in values:
        if not facet.takes_new_values or (names and names.tag(facet, text)):
            continue
        if words.find(text):
            continue  # an import lists it; nobody gets a tag of it
        try:
            label = checked(facet, text)
        except Refused:
            continue
        facets[facet.pk] = facet
        wanted.setdefault(facet.pk, {}).setdefault(tag_key(facet, label), (label, product))
    made: list[Tag] = []
    if not wanted:
        return made
    with transaction.atomic():
        Catalogue.objects.select_for_update().get(pk=catalogue.pk)  # nobody makes the same tag meanwhile
        for pk, labels in wanted.items():
            known = Names.of(catalogue, facets[pk])
            there = [tag for label, _product in labels.values() if (tag := known.tag(facets[pk], label))]
            fresh = _make(catalogue, facets[pk], known, list(labels.values()), user)
            made += fresh
            for tag in (*there, *fresh):  # somebody else may have made some since the names were read
                if names:
                    names.learn(tag)
    return made


def _make(
    catalogue: Catalogue, facet: Facet, known: Names, labels: Sequence[tuple[str, Product | None]], user: User | None
) -> list[Tag]:
    retired = _retired(facet)
    new = [(s, p) for s, p in labels if not known.tag(facet, s) and tag_key(facet, s) not in retired]
    if not new:
        return []
    tags = Tag.objects.filter(facet=facet)
    taken = set(tags.values_list("slug", flat=True))
    highest = tags.aggregate(m=Max("position"))["m"]
    position = 0 if highest is None else highest + 1
    made = []
    data = {"facet": facet.slug}
    with revising(catalogue=catalogue, word="new value", data=data, user=user) as change:
        since = revision_of(catalogue.pk)
        for place, (label, _product) in enumerate(new):
            slug = slug_of_tag(facet, label, taken)
            taken.add(slug)
            tag = Tag(
                facet=facet, slug=slug, labels={language_of(label, catalogue): label}, number=number_of(facet, label),
                position=position + place, since=since,
            )  # fmt: skip
            made.append(tag)
        Tag.objects.bulk_create(made)
        for tag in made:
            change.made(tag)
        change.revision.data |= {"tags": [tag.slug for tag in made]} if len(made) > 1 else {"tag": made[0].slug}
        tag_words.index(made, new=True)
        TagRequest.objects.bulk_create(
            TagRequest(
                facet=facet, product=product, text=label, tag=tag, user=user,
                answer=TagRequest.Answer.GRANTED, resolved_at=timezone.now(),
            )
            for tag, (label, product) in zip(made, new, strict=True)
        )  # fmt: skip
    return made


def _retired(facet: Facet) -> set[str]:
    """Names of what the taxonomy's owner took out of the facet and put nothing else in its place."""
    gone = Tag.objects.filter(facet=facet, merged_into=None).exclude(retired_at=None)
    return {tag_key(facet, word) for tag in gone for word in tag.words}
