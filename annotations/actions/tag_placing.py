"""The planned tags of one facet, made true: matched with those that are there, added, brought back, joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from annotations.actions import tag_words
from annotations.actions.import_problems import own_problem, unreadable
from annotations.actions.naming import slug_of_tag
from annotations.actions.revisions import Revising
from annotations.models import Facet, Tag
from annotations.queries.taxonomy import Names, number_said, tag_key

if TYPE_CHECKING:
    from annotations.actions.tag_plans import TagPlan, TagsImported

WORDS = ("labels", "synonyms", "definitions", "threshold")


def parents_first(facet: Facet, plans: Sequence[TagPlan]) -> list[TagPlan]:
    """Plans of one facet so ordered that none comes before its parent, wherever they are cut then."""
    above = {tag_key(facet, plan.name): tag_key(facet, plan.parent) if plan.parent else "" for plan in plans}
    depths: dict[str, int] = {}

    def depth(key: str) -> int:
        way = []
        while key in above and key not in depths:
            way.append(key)
            depths[key] = 0  # for now: a tree that bites its tail ends here
            key = above[key]
        for n, step in enumerate(reversed(way), start=depths[key] + 1 if key in depths and key not in way else 0):
            depths[step] = n
        return depths[way[0] if way else key]

    return sorted(plans, key=lambda plan: depth(tag_key(facet, plan.name)))


class PlannedTags:
    """New ones go to the end, in the order of ``every``, all plans of the facet; words join those that are there;
    parents come last. May be placed in parts, each in a transaction (``parents_first``).

    undone:  the moments of undoings: what was retired in one comes back, what its owner retired does not
    by_name: tags are known by their plan's name alone, since labels repeat
    """

    def __init__(
        self, facet: Facet, *, every: Sequence[TagPlan], change: Revising, report: TagsImported,
        undone: frozenset[datetime] = frozenset(), by_name: bool = False, divided: bool = False,
    ) -> None:  # fmt: skip
        self.facet, self.change, self.report = facet, change, report
        self.undone, self.by_name = undone, by_name
        self.names: Names | None = None
        there = list(Tag.objects.filter(facet=facet))
        self.next = max((tag.position for tag in there), default=-1) + 1
        # parts come parents first; what is new keeps the list's order all the same
        self.places = {id(plan): self.next + n for n, plan in enumerate(every)} if divided else {}
        self.counted = 0
        self.taken = {tag.slug for tag in there}
        self.retired = {tag.slug: tag for tag in there if tag.retired_at is not None and tag.merged_into_id is None}
        self.known: dict[str, Tag] = {}
        self._forget()

    def _forget(self) -> None:
        """What the part at hand brought."""
        self.new: list[Tag] = []
        self.back: list[Tag] = []
        self.changed: dict[int, Tag] = {}
        self.was: dict[int, dict[str, Any]] = {}

    def place(self, plans: Sequence[TagPlan], names: Names | None) -> None:
        """``names`` of the catalogue; None where the facet had none of its tags when the change began."""
        self.names = names
        self._forget()
        if self.facet.kind == Facet.Kind.BOOLEAN:
            plans = self._yes_or_no(plans)
        plans = [plan for plan in plans if self._place(plan)]
        self._set_parents(plans)
        self._store()

    def _yes_or_no(self, plans: Sequence[TagPlan]) -> list[TagPlan]:
        kept = []
        answers = Names.of(self.facet.catalogue, self.facet)
        for plan in plans:
            if tag := next((t for s in (plan.name, *plan.labels.values()) if (t := answers.tag(self.facet, s))), None):
                self.known[tag_key(self.facet, plan.name)] = tag
                kept.append(plan)
            else:
                self.report.say(own_problem("not-boolean", file="", line=plan.line, column="tag", value=plan.name))
        return kept

    def _place(self, wanted: TagPlan) -> bool:
        facet, since = self.facet, self.change.revision.number
        spellings = (wanted.name,) if self.by_name else (wanted.name, *wanted.labels.values())
        tag = next((self.known[tag_key(facet, s)] for s in spellings if tag_key(facet, s) in self.known), None)
        if tag is None and self.names:
            tag = next((t for s in spellings if (t := self.names.tag(facet, s))), None)
        if tag is None:
            tag = self._retired_one(wanted)
            if tag is not None and tag.retired_at not in self.undone:
                self.report.say(own_problem("retired-tag", file="", line=wanted.line, column="tag", value=wanted.name))
                return False
            if tag is not None:
                tag.facet, tag.retired_at, tag.since = facet, None, since
                self.back.append(tag)
        if tag is None and facet.kind == Facet.Kind.NUMERIC and (no := unreadable(facet, wanted.name)):
            said = {"line": wanted.line, "column": "tag", "value": wanted.name, **no[1]}
            self.report.say(own_problem(no[0], file="", **said))
            return False
        if tag is None:
            slug = slug_of_tag(facet, wanted.name, self.taken)
            self.taken.add(slug)
            tag = Tag(
                facet=facet,
                slug=slug,
                labels=dict(wanted.labels),
                position=self.places.get(id(wanted), self.next),
                since=since,
            )
            self.next += 1
            tag.number = number_said(facet, tag)
            self.new.append(tag)
        was = {name: getattr(tag, name) for name in WORDS}
        if _join_words(tag, wanted) and tag.pk:
            self._touch(tag, was)
        for spelling in spellings:
            self.known.setdefault(tag_key(facet, spelling), tag)
        return True

    def _retired_one(self, wanted: TagPlan) -> Tag | None:
        tag = self.retired.get(slug_of_tag(self.facet, wanted.name, ()))
        return tag if tag is not None and tag.retired_at is not None else None

    def _touch(self, tag: Tag, was: Mapping[str, Any]) -> None:
        self.changed[tag.pk] = tag
        self.was[tag.pk] = {**was, **self.was.get(tag.pk, {})}

    def _set_parents(self, plans: Sequence[TagPlan]) -> None:
        for wanted in plans:
            if not wanted.parent:
                continue
            facet = self.facet
            tag, parent = self.known[tag_key(facet, wanted.name)], self.known.get(tag_key(facet, wanted.parent))
            if parent is None and self.names:
                parent = self.names.tag(facet, wanted.parent)
            if parent is None or _stands_below(parent, tag):
                problem = own_problem("bad-parent", file="", line=wanted.line, column="parent", value=wanted.parent)
                self.report.say(problem)
            elif tag.parent is not parent and (tag.pk is None or tag.parent_id != parent.pk):
                if tag.pk:
                    self._touch(tag, {"parent_id": tag.parent_id})
                tag.parent = parent

    def _store(self) -> None:
        for level in _levels(self.new):  # parents first, so that their children can name them
            for tag in level:
                tag.parent_id = tag.parent.pk if tag.parent else None
            Tag.objects.bulk_create(level)
        stored = [*self.changed.values(), *(tag for tag in self.back if tag.pk not in self.changed)]
        for tag in stored:
            tag.parent_id = tag.parent.pk if tag.parent else None
            tag.facet = self.facet
        Tag.objects.bulk_update(stored, [*WORDS, "parent", "retired_at", "since"], batch_size=200)
        came = {tag.pk for tag in self.back}
        for tag in self.changed.values():
            if tag.pk not in came:  # what comes back is known by its revision and goes as a whole
                was = self.was[tag.pk]
                self.change.remember(tag, was, {name: getattr(tag, name) for name in was})
        made = {tag.pk for tag in self.new}
        tag_words.index(self.new, new=True)
        tag_words.index([tag for tag in stored if tag.pk not in made])
        distinct = len({id(tag) for tag in self.known.values()})
        self.report.tags += distinct - self.counted
        self.counted = distinct
        self.report.changed += len(self.changed.keys() - made - came)


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
