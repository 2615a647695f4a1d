"""Many facets and tags at once, as one change: plans of what should be there, made true."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from annotations.actions import bulk, learning
from annotations.actions.facets import reopen, with_several, yes_and_no
from annotations.actions.import_problems import own_problem
from annotations.actions.naming import slug_of
from annotations.actions.revisions import Revising, revise, revision_of
from annotations.actions.tag_placing import PlannedTags, parents_first
from annotations.formats.rows import Problem
from annotations.models import Catalogue, Facet, Tag, TaxonomyRevision, User
from annotations.models.taxonomy import below
from annotations.queries.taxonomy import Names, key_of
from annotations.queries.taxonomy_changes import moments_of_undoing

PROBLEMS_LISTED = 1000
TAGS_AT_ONCE = 2000
"""Tags of a transaction, at most; how many it is says the pace."""
WRITING_SECONDS = 0.1
"""What a transaction may take where others wait for it: each has a fixed price of some milliseconds."""
DIVIDED_FROM = 100
"""A longer list of one facet may be cut into several transactions."""
ENTRIES_MOST = 5000
"""Rows that a change remembers as they were; one that changes more of those that were there can't be undone."""


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
    tags may have one label (accessories, in many branches of a tree), so a tag is known by its name alone. ``widens``:
    its categories join those that the facet is for already, instead of replacing them."""

    name: str
    labels: Mapping[str, str]
    tags: Sequence[TagPlan] = ()
    kind: str | None = None
    variant_axis: bool | None = None
    required: bool | None = None
    categories: Sequence[str] | None = None
    descriptions: Mapping[str, str] = field(default_factory=dict)
    labels_repeat: bool = False
    unit: str | None = None
    widens: bool = False


@dataclass(slots=True)
class TagsImported:
    """``facets`` and ``tags`` that the source speaks of; how many of them are new; what could not be taken. ``revision``
    is the change's number, by which it is undone."""

    facets: int = 0
    tags: int = 0
    new_facets: int = 0
    new_tags: int = 0
    changed: int = 0
    problems: int = 0
    problem_list: list[Problem] = field(default_factory=list)
    revision: int = 0

    def say(self, problem: Problem) -> None:
        self.problems += 1
        if len(self.problem_list) < PROBLEMS_LISTED:
            self.problem_list.append(problem)


def apply_plans(
    *,
    catalogue: Catalogue,
    plans: Sequence[FacetPlan],
    user: User | None,
    word: str,
    report: TagsImported,
    fence: Callable[[], object] = lambda: None,
    progress: Callable[[int, int], object] = lambda done, total: None,
    begun: Callable[[TaxonomyRevision], object] = lambda revision: None,
    going_on: TaxonomyRevision | None = None,
) -> TagsImported:
    """Make the plans true: what is missing is added, labels and synonyms join those there. One revision, undone as a
    whole; some tags a transaction (``bulk.Pace``), so that others need not wait with their saves.

    Slugs and positions of what is there stay. Doing it again changes nothing. What an undo took away comes back; what
    its owner retired stays retired, as a problem.

    fence:    called first in each transaction; what it raises rolls it back
    progress: ``progress(done, total)`` in tags, between transactions; what it raises ends it half-way
    begun:    is given the revision in the transaction that numbers it
    going_on: the revision of an attempt that ended half-way
    """
    with transaction.atomic():
        fence()
        revision = going_on
        if revision is None:
            data = {"facets": len(plans), "tags": sum(len(p.tags) for p in plans)}
            revision = revise(catalogue=catalogue, word=word, data=data, user=user)
        report.revision = revision.number
        begun(revision)
    pace = bulk.Pace(most=TAGS_AT_ONCE, seconds=WRITING_SECONDS)
    work = _Applying(catalogue, revision, report, named={key_of(plan.name) for plan in plans})
    todo = deque(plans)
    while todo:
        with pace.keeping(), transaction.atomic():
            fence()
            work.catch_up()
            work.place_facets([todo.popleft() for _ in range(min(len(todo), pace.rows))])
            work.store()
    total = sum(len(tags) for _facet, tags in work.placed.values())
    done = 0
    progress(done, total)
    for some in work.portions(pace):
        with pace.keeping(), transaction.atomic():
            fence()
            work.catch_up()
            for facet, tags in some:
                work.place_tags(facet, tags)
                done += len(tags)
            work.store()
        progress(done, total)
    with transaction.atomic():
        fence()
        work.end()
    return report


class _Applying:
    """Plans on their way into one revision. ``placed``: facet and its planned tags, by the facet's key."""

    def __init__(
        self, catalogue: Catalogue, revision: TaxonomyRevision, report: TagsImported, *, named: Set[str]
    ) -> None:
        self.catalogue, self.revision, self.report, self.named = catalogue, revision, report, named
        self.change = Revising(revision)
        self.change.entries = list(revision.before)
        self.stored = len(self.change.entries)
        self.placed: dict[int, tuple[Facet, list[TagPlan]]] = {}
        self.added: dict[str, Facet] = {}  # what this change made, by any of its names
        self.by_name: set[int] = set()
        self.planned: PlannedTags | None = None  # of the facet at hand, which knows its earlier parts
        self.undone = moments_of_undoing(catalogue)
        self._read()

    def _read(self) -> None:
        self.names = Names.of(self.catalogue)
        self.taken = {f.slug: f for f in Facet.objects.filter(catalogue=self.catalogue)}
        self.listed = {facet.pk for facet in self.names.facets}
        self.known_at = revision_of(self.catalogue.pk)

    def place_facets(self, plans: Sequence[FacetPlan]) -> None:
        for plan in plans:
            spellings = (plan.name, *plan.labels.values())
            meant = (f for s in spellings if (f := self.names.facet(s) or self.added.get(key_of(s))))
            facet = next((f for f in meant if not is_another((f.slug, *f.labels.values()), plan, self.named)), None)
            if facet is None:
                facet = self._new_facet(plan)
                if facet is None:
                    continue
                self.taken[facet.slug] = facet
                self.added |= {key_of(spelling): facet for spelling in spellings}
            elif _change_facet(self.change, facet, plan, self.report):
                self.report.changed += 1
            self.placed.setdefault(facet.pk, (facet, []))[1].extend(plan.tags)
            if plan.labels_repeat:
                self.by_name.add(facet.pk)
        self.report.facets = len(self.placed)

    def _new_facet(self, plan: FacetPlan) -> Facet | None:
        """Made, or brought back where an undo took it away; None where its owner retired it."""
        taken = self.taken
        before = taken.get(slug_of(plan.name, (), "facet"))
        if before is not None and before.retired_at is not None and _means(before, plan):
            if before.retired_at not in self.undone:
                self.report.say(own_problem("retired-facet", file="", line=0, column=plan.name, value=plan.name))
                return None
            self.change.change(before, retired_at=None)
            return before
        kind, unit = _kind_of(plan, self.report)
        facet = Facet.objects.create(
            catalogue=self.catalogue, slug=slug_of(plan.name, taken, "facet"), labels=dict(plan.labels),
            descriptions=dict(plan.descriptions), kind=kind or Facet.Kind.MULTI, unit=unit or "",
            variant_axis=bool(plan.variant_axis), required=bool(plan.required), categories=list(plan.categories or ()),
            position=len(taken),
        )  # fmt: skip
        self.change.made(facet)
        if facet.kind == Facet.Kind.BOOLEAN:
            yes_and_no(facet, self.change)
        return facet

    def portions(self, pace: bulk.Pace) -> Iterator[list[tuple[Facet, Sequence[TagPlan]]]]:
        """Facets with their tags, as many together as the pace says; a large facet in parts, parents before children."""
        some: list[tuple[Facet, Sequence[TagPlan]]] = []
        size = 0
        for facet, tags in self.placed.values():
            left = parents_first(facet, tags) if _is_divided(tags) else tags
            while left:
                part = left[: max(1, pace.rows - size)] if _is_divided(tags) else left
                left = left[len(part) :]
                some.append((facet, part))
                size += len(part)
                if size >= pace.rows:
                    yield some
                    some, size = [], 0
        if some:
            yield some

    def place_tags(self, facet: Facet, tags: Sequence[TagPlan]) -> None:
        if self.planned is None or self.planned.facet.pk != facet.pk:
            every = self.placed[facet.pk][1]
            self.planned = PlannedTags(
                facet, every=every, change=self.change, report=self.report, undone=self.undone,
                by_name=facet.pk in self.by_name, divided=_is_divided(every),
            )  # fmt: skip
        self.planned.place(tags, self.names if facet.pk in self.listed else None)

    def catch_up(self) -> None:
        """First in a transaction: from here nobody else changes the taxonomy, and what they changed since is known."""
        Catalogue.objects.select_for_update().get(pk=self.catalogue.pk)
        if revision_of(self.catalogue.pk) != self.known_at:
            self._read()

    def store(self) -> None:
        """What was remembered so far, with the transaction that did it."""
        entries = self.change.entries
        if len(entries) == self.stored:
            return
        self.stored = len(entries)
        if len(entries) > ENTRIES_MOST:
            self.revision.data["not_undoable"] = True
        self.revision.before = [] if self.revision.data.get("not_undoable") else entries
        self.revision.save(update_fields=["before", "data"])

    def end(self) -> None:
        """The counts, which hold for all attempts together, and who waits again."""
        made = [entry["id"] for entry in self.change.entries if entry["kind"] == "facet" and _is_new(entry)]
        self.report.new_facets = len(made)
        self.report.new_tags = Tag.objects.filter(
            facet__catalogue=self.catalogue, since=self.revision.number
        ).count()  # fmt: skip
        reopened = reopen(self.catalogue, list(Facet.objects.filter(pk__in=made)))
        counts = {name: getattr(self.report, name) for name in ("new_facets", "new_tags", "changed")}
        self.revision.report = {**counts, "reopened": reopened, "events": 1}
        self.revision.save(update_fields=["report"])
        learning.request_refit(catalogue=self.catalogue)  # the one asked for with the number may have run already


def _is_divided(tags: Sequence[TagPlan]) -> bool:
    return len(tags) > min(DIVIDED_FROM, TAGS_AT_ONCE)


def _is_new(entry: Mapping[str, Any]) -> bool:
    return "retired_at" in entry["now"] and entry["now"]["retired_at"] is None


def _means(facet: Facet, plan: FacetPlan) -> bool:
    known = {key_of(name) for name in (facet.slug, *facet.labels.values())}
    return any(key_of(name) in known for name in (plan.name, *plan.labels.values()))


def _kind_of(plan: FacetPlan, report: TagsImported, facet: Facet | None = None) -> tuple[str | None, str | None]:
    """The kind and unit that the facet may have; None: what it has, or nobody said. What can't be is a problem."""
    kind, unit = plan.kind, (plan.unit or "").strip()[:20] or None
    if kind == Facet.Kind.NUMERIC and not (unit or (facet and facet.unit)):
        report.say(own_problem("no-unit", file="", line=0, column=plan.name, value=plan.name))
        return None, None
    one_value = kind in Facet.ONE_VALUE and facet is not None and not facet.one_value
    if one_value and facet is not None and (several := with_several(facet)):
        report.say(own_problem("several-stand", file="", line=0, column=plan.name, value=plan.name, detail=several))
        return None, unit
    return kind, unit


def _categories(facet: Facet, plan: FacetPlan) -> list[str]:
    if plan.categories is None or (plan.widens and not facet.categories):
        return list(facet.categories)
    new = [path for path in plan.categories if not (plan.widens and below(path, facet.categories))]
    return [*facet.categories, *new] if plan.widens else new


def is_another(spellings: Iterable[str], plan: FacetPlan, named: Set[str]) -> bool:
    """Whether a facet with these names is not the one meant, though it shares a name with it: two facets of one list
    may be called alike in some language (gauges and meters in Spanish) and stay two. named: keys of all plans' names"""
    known = {key_of(spelling) for spelling in spellings}
    return key_of(plan.name) not in known and bool(known & named)


def _change_facet(change: Revising, facet: Facet, plan: FacetPlan, report: TagsImported) -> bool:
    kind, unit = _kind_of(plan, report, facet)
    wanted: dict[str, Any] = {
        "labels": {**plan.labels, **facet.labels},
        "descriptions": {**plan.descriptions, **facet.descriptions},
        "kind": facet.kind if kind is None else kind,
        "unit": facet.unit if unit is None else unit,
        "variant_axis": facet.variant_axis if plan.variant_axis is None else plan.variant_axis,
        "required": facet.required if plan.required is None else plan.required,
        "categories": _categories(facet, plan),
    }
    changed = {name: value for name, value in wanted.items() if getattr(facet, name) != value}
    if changed:
        change.change(facet, **changed)
    if "kind" in changed and facet.kind == Facet.Kind.BOOLEAN:
        yes_and_no(facet, change)
    return bool(changed)
