"""Many facets and tags at once: from a list that somebody wrote, or from what the products already say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from annotations.actions import tag_words
from annotations.actions.import_problems import own_problem, unreadable
from annotations.actions.revisions import revise, revision_of
from annotations.actions.taxonomy import NAME_CHARS, reopen, slug_of, slug_of_tag
from annotations.formats.quantities import in_unit, written
from annotations.formats.rows import Problem
from annotations.models import Catalogue, Facet, Product, Tag, User
from annotations.queries.taxonomy import Names, key_of, number_said, tag_key

ENOUGH_PRODUCTS = 50
"""Fewer products than this say nothing about whether a facet takes one value only."""
FAMILIES_DIFFER = 0.5
"""Share of families with unlike values from which a facet is a variant axis; below, it is a slip in the data."""
MANY_VALUES, NEARLY_UNIQUE = 1000, 0.9
"""A property with this many values, almost every one of them used once, is a number or a name and no facet."""
PROBLEMS_LISTED = 1000


@dataclass(frozen=True, slots=True)
class TagPlan:
    """A tag to be there. ``name`` is what it is called where it comes from, and finds a tag that is there already."""

    name: str
    labels: Mapping[str, str]
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""
    threshold: float | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class FacetPlan:
    """A facet to be there with its tags. None: nobody said, so what is there stays. ``labels_repeat``: several of its
    tags may have one label (accessories, in many branches of a tree), so a tag is known by its name alone."""

    name: str
    labels: Mapping[str, str]
    tags: Sequence[TagPlan] = ()
    kind: str | None = None
    variant_axis: bool | None = None
    required: bool | None = None
    categories: Sequence[str] | None = None
    descriptions: Mapping[str, str] = field(default_factory=dict)
    labels_repeat: bool = False


@dataclass(slots=True)
class TagsImported:
    """``facets`` and ``tags`` that the source speaks of; how many of them are new; what could not be taken."""

    facets: int = 0
    tags: int = 0
    new_facets: int = 0
    new_tags: int = 0
    changed: int = 0
    problems: int = 0
    problem_list: list[Problem] = field(default_factory=list)

    def say(self, problem: Problem) -> None:
        self.problems += 1
        if len(self.problem_list) < PROBLEMS_LISTED:
            self.problem_list.append(problem)


def apply_plans(
    *, catalogue: Catalogue, plans: Sequence[FacetPlan], user: User | None, word: str, report: TagsImported
) -> TagsImported:
    """Make the plans true in one transaction: what is missing is added, labels and synonyms join those there.

    Slugs and positions of what is there stay. Doing it again changes nothing.
    """
    with transaction.atomic():
        data = {"facets": len(plans), "tags": sum(len(p.tags) for p in plans)}
        revise(catalogue=catalogue, word=word, data=data, user=user)
        names = Names.of(catalogue)
        taken = set(Facet.objects.filter(catalogue=catalogue).values_list("slug", flat=True))
        added: dict[str, Facet] = {}
        placed: dict[int, tuple[Facet, list[TagPlan]]] = {}
        by_name = {plan.name for plan in plans if plan.labels_repeat}
        for plan in plans:
            spellings = (plan.name, *plan.labels.values())
            facet = next((f for s in spellings if (f := names.facet(s) or added.get(key_of(s)))), None)
            if facet is None:
                facet = _new_facet(catalogue, plan, taken, len(taken))
                taken.add(facet.slug)
                added |= {key_of(spelling): facet for spelling in spellings}
            elif _change_facet(facet, plan):
                report.changed += 1
            placed.setdefault(facet.id, (facet, []))[1].extend(plan.tags)
        new = {facet.id: facet for facet in added.values()}
        for facet, tags in placed.values():
            fresh = facet.id in new
            _place_tags(facet, tags, None if fresh else names, report, by_name=bool({facet.slug} & by_name))
        reopen(catalogue, list(new.values()))
        report.facets, report.new_facets = len(placed), len(new)
    return report


def _new_facet(catalogue: Catalogue, plan: FacetPlan, taken: set[str], position: int) -> Facet:
    return Facet.objects.create(
        catalogue=catalogue,
        slug=slug_of(plan.name, taken, "facet"),
        labels=dict(plan.labels),
        descriptions=dict(plan.descriptions),
        kind=plan.kind or Facet.Kind.MULTI,
        variant_axis=bool(plan.variant_axis),
        required=bool(plan.required),
        categories=list(plan.categories or ()),
        position=position,
    )


def _change_facet(facet: Facet, plan: FacetPlan) -> bool:
    wanted: dict[str, Any] = {
        "labels": {**plan.labels, **facet.labels},
        "descriptions": {**plan.descriptions, **facet.descriptions},
        "kind": facet.kind if plan.kind is None else plan.kind,
        "variant_axis": facet.variant_axis if plan.variant_axis is None else plan.variant_axis,
        "required": facet.required if plan.required is None else plan.required,
        "categories": facet.categories if plan.categories is None else list(plan.categories),
    }
    changed = {name: value for name, value in wanted.items() if getattr(facet, name) != value}
    for name, value in changed.items():
        setattr(facet, name, value)
    if changed:
        facet.save(update_fields=list(changed))
    return bool(changed)


def _place_tags(
    facet: Facet, tags: Sequence[TagPlan], names: Names | None, report: TagsImported, *, by_name: bool = False
) -> None:
    """New tags at the end, in the plan's order; words join the tags that are there; parents last, by name."""
    known: dict[str, Tag] = {}
    taken = set(Tag.objects.filter(facet=facet).values_list("slug", flat=True)) if names else set()
    new: list[Tag] = []
    changed: dict[int, Tag] = {}
    since = revision_of(facet.catalogue_id)
    for wanted in tags:
        spellings = (wanted.name,) if by_name else (wanted.name, *wanted.labels.values())
        tag = next((known[tag_key(facet, s)] for s in spellings if tag_key(facet, s) in known), None)
        tag = tag or next((t for s in spellings if names and (t := names.tag(facet, s))), None)
        if tag is None:
            slug = slug_of_tag(facet, wanted.name, taken)
            taken.add(slug)
            tag = Tag(facet=facet, slug=slug, labels=dict(wanted.labels), position=len(taken) - 1, since=since)
            tag.number = number_said(facet, tag)
            new.append(tag)
        if _join_words(tag, wanted) and tag.pk:
            changed[tag.pk] = tag
        for spelling in spellings:
            known.setdefault(tag_key(facet, spelling), tag)
    changed |= _set_parents(facet, tags, known, names, report)
    for level in _levels(new):  # parents first, so that their children can name them
        for tag in level:
            tag.parent_id = tag.parent.pk if tag.parent else None
        Tag.objects.bulk_create(level)
    for tag in changed.values():
        tag.parent_id = tag.parent.pk if tag.parent else None
    Tag.objects.bulk_update(
        changed.values(), ["labels", "synonyms", "definitions", "threshold", "parent"], batch_size=200
    )
    for tag in (*new, *changed.values()):
        tag.facet = facet
    tag_words.index(new, new=True)
    tag_words.index([tag for tag in changed.values() if tag.pk not in {made.pk for made in new}])
    report.tags += len({id(tag) for tag in known.values()})
    report.new_tags += len(new)
    report.changed += len(changed.keys() - {tag.pk for tag in new})


def _set_parents(
    facet: Facet, tags: Sequence[TagPlan], known: Mapping[str, Tag], names: Names | None, report: TagsImported
) -> dict[int, Tag]:
    """Parents by name; returns the stored tags that stand elsewhere now."""
    moved: dict[int, Tag] = {}
    for wanted in tags:
        if not wanted.parent:
            continue
        tag, parent = known[tag_key(facet, wanted.name)], known.get(tag_key(facet, wanted.parent))
        if parent is None and names:
            parent = names.tag(facet, wanted.parent)
        if parent is None or _stands_below(parent, tag):
            report.say(own_problem("bad-parent", file="", line=wanted.line, column="parent", value=wanted.parent))
        elif tag.parent is not parent and (tag.pk is None or tag.parent_id != parent.pk):
            tag.parent = parent
            if tag.pk:
                moved[tag.pk] = tag
    return moved


def _levels(tags: Sequence[Tag]) -> Iterator[list[Tag]]:
    """Tags that are not stored yet, those first whose parents are."""
    waiting = list(tags)
    while waiting:
        now = [tag for tag in waiting if tag.parent is None or tag.parent.pk]
        waiting = [tag for tag in waiting if tag.parent is not None and not tag.parent.pk]
        yield now


def _join_words(tag: Tag, wanted: TagPlan) -> bool:
    """Labels that are there win; another spelling, unless of case alone, becomes a synonym."""
    labels = {**wanted.labels, **tag.labels}
    have = {word.casefold() for word in (*labels.values(), *(w for words in tag.synonyms.values() for w in words))}
    synonyms = {language: list(words) for language, words in tag.synonyms.items()}
    offered = [(lang, word) for lang, words in wanted.synonyms.items() for word in words]
    offered += [(lang, word) for lang, word in wanted.labels.items() if labels[lang] != word]
    for language, word in offered:
        if word and word.casefold() not in have:
            have.add(word.casefold())
            synonyms.setdefault(language, []).append(word)
    definitions = {**wanted.definitions, **tag.definitions}
    threshold = tag.threshold if wanted.threshold is None else wanted.threshold
    if (labels, synonyms, definitions, threshold) == (tag.labels, tag.synonyms, tag.definitions, tag.threshold):
        return False
    tag.labels, tag.synonyms, tag.definitions, tag.threshold = labels, synonyms, definitions, threshold
    return True


def _stands_below(tag: Tag | None, other: Tag) -> bool:
    while tag is not None:
        if tag is other or (tag.pk and tag.pk == other.pk):
            return True
        tag = tag.parent
    return False


# -- from what the products say ----------------------------------------------------------------------------------
def tags_from_attributes(*, catalogue: Catalogue, user: User | None) -> TagsImported:
    """Facets and tags from the products' own attributes, the most frequent first. Memory grows with values, not products.

    A facet takes one value only if no product has two and enough products have one; it is a variant axis if its value
    differs inside families. Spellings that differ in case or joining are one tag, the rarer ones its synonyms. A facet of
    numbers that is there gets a tag for each quantity; it and an open one stay of their kind.
    """
    seen: dict[str, _Seen] = {}
    report = TagsImported()
    for family, attributes in _attributes(catalogue):
        for name, values in attributes.items():
            if name.strip():
                seen.setdefault(key_of(name), _Seen(name.strip())).add(family, values)
    plans = []
    names = Names.of(catalogue)
    for facts in sorted(seen.values(), key=lambda facts: -facts.products):
        facts.end_family()
        if plan := _plan_of(facts, catalogue, names, report):
            plans.append(plan)
    return apply_plans(catalogue=catalogue, plans=plans, user=user, word="tags from attributes", report=report)


def _attributes(catalogue: Catalogue) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """(family, attributes) of each live product, families together."""
    rows = Product.objects.filter(catalogue=catalogue, archived_at=None).order_by("family", "id")
    yield from rows.values_list("family", "attributes").iterator(chunk_size=2000)


class _Seen:
    """What all products say about one property."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: Counter[str] = Counter()
        self.products = 0
        self.several = 0  # products with two values or more
        self.families = 0  # with two products or more that have the property
        self.differing = 0
        self._family = ""
        self._members: list[frozenset[str]] = []

    def add(self, family: str, values: Iterable[str]) -> None:
        values = [value.strip() for value in map(str, values) if value.strip()]
        distinct = frozenset(map(key_of, values))
        if not distinct:
            return
        self.values.update(dict.fromkeys(values, 1))
        self.products += 1
        self.several += len(distinct) > 1
        if family != self._family:
            self.end_family()
            self._family = family
        if family:
            self._members.append(distinct)

    def end_family(self) -> None:
        if len(self._members) > 1:
            self.families += 1
            self.differing += len(set(self._members)) > 1
        self._members = []

    @property
    def kind(self) -> str:
        one = self.several == 0 and self.products >= ENOUGH_PRODUCTS
        return Facet.Kind.SINGLE if one else Facet.Kind.MULTI

    @property
    def variant_axis(self) -> bool:
        return self.families > 0 and self.differing / self.families >= FAMILIES_DIFFER


def _plan_of(seen: _Seen, catalogue: Catalogue, names: Names, report: TagsImported) -> FacetPlan | None:
    if len(seen.name) > NAME_CHARS:
        report.say(own_problem("long-facet", file="", line=0, value=seen.name, limit=NAME_CHARS))
        return None
    distinct = len(seen.values)
    there = names.facet(seen.name)
    open_to = there is not None and there.takes_new_values
    if not open_to and distinct >= MANY_VALUES and distinct > NEARLY_UNIQUE * sum(seen.values.values()):
        report.say(own_problem("nearly-unique", file="", line=0, column=seen.name, detail=distinct))
        return None
    spellings: dict[str, list[str]] = {}
    for value, _count in sorted(seen.values.items(), key=lambda pair: (-pair[1], pair[0])):
        if len(value) > NAME_CHARS:
            report.say(own_problem("long-value", file="", line=0, column=seen.name, value=value, limit=NAME_CHARS))
        elif there is None or there.kind != Facet.Kind.NUMERIC:
            spellings.setdefault(key_of(value), []).append(value)
        elif no := unreadable(there, value):
            report.say(own_problem(no[0], file="", line=0, column=seen.name, value=value, **no[1]))
        else:
            spellings[written(in_unit(value, there.unit), there.unit)] = [
                written(in_unit(value, there.unit), there.unit)
            ]
    tags = [
        TagPlan(name=first, labels={language: first}, synonyms={language: others} if others else {})
        for first, *others in spellings.values()
        for language in (language_of(first, catalogue),)
    ]
    label = readable(seen.name)
    return FacetPlan(
        name=seen.name, labels={language_of(label, catalogue): label}, tags=tags,
        kind=None if open_to else seen.kind, variant_axis=seen.variant_axis,
    ) if tags else None  # fmt: skip


def language_of(text: str, catalogue: Catalogue) -> str:
    """The catalogue's language that a short text is most likely in: Chinese characters tell, else its first."""
    han = any("一" <= c <= "鿿" for c in text)
    first: str = catalogue.language
    if han == first.startswith("zh"):
        return first
    return next((code for code in catalogue.languages if code.startswith("zh") == han), first)


def readable(name: str) -> str:
    """A program's name for a property as a person would write it: ``eco_collection`` to ``Eco collection``."""
    if name.isascii() and name == name.lower() and not name[:1].isdecimal():
        return " ".join(name.replace("_", " ").split()).capitalize()
    return name
