"""Facets and tags from what the products already say of themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from annotations.actions.import_problems import own_problem, unreadable
from annotations.actions.naming import NAME_CHARS, language_of, readable
from annotations.actions.tag_plans import FacetPlan, TagPlan, TagsImported, apply_plans
from annotations.formats.quantities import in_unit, written
from annotations.models import Catalogue, Facet, Product, User
from annotations.queries.taxonomy import Names, key_of

ENOUGH_PRODUCTS = 50
"""Fewer products than this say nothing about whether a facet takes one value only."""
FAMILIES_DIFFER = 0.5
"""Share of families with unlike values from which a facet is a variant axis; below, it is a slip in the data."""
MANY_VALUES, NEARLY_UNIQUE = 1000, 0.9
"""A property with this many values, almost every one of them used once, is a number or a name and no facet."""


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
