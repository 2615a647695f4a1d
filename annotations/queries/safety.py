"""Which words are blocked in a catalogue, and what has them: tags and products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Max

from annotations.models import Catalogue, ImportProblem, Job, Tag, WordRule

if TYPE_CHECKING:
    from annotations.bridge.safety import WordList

BLOCKED_WORD, BLOCKED_TAG = "blocked-word", "blocked-tag"
KIND = "word_scan"
KEPT = 16
LISTED = 20

_lists: dict[tuple[Any, ...], WordList] = {}
_tags: dict[tuple[Any, ...], dict[int, str]] = {}


def _version(catalogue: Catalogue) -> tuple[Any, ...]:
    """Changes with every rule: those only come and go. One query."""
    found = WordRule.objects.filter(catalogue=catalogue).aggregate(n=Count("pk"), last=Max("pk"))
    return (catalogue.pk, catalogue.created_at, found["n"], found["last"])


def words_of(catalogue: Catalogue) -> WordList:
    """The catalogue's lists, made once for each state of the rules."""
    from annotations.bridge.safety import WordList  # the bridge asks these questions itself

    version = _version(catalogue)
    if version not in _lists:
        rows = WordRule.objects.filter(catalogue=catalogue).values_list("kind", "text") if version[2] else []
        by_kind: dict[str, list[str]] = {}
        for kind, text in rows:
            by_kind.setdefault(kind, []).append(text)
        _keep(_lists, version, WordList(by_kind.get(WordRule.Kind.BLOCK, []), by_kind.get(WordRule.Kind.ALLOW, [])))
    return _lists[version]


def blocked_tags(catalogue: Catalogue) -> Mapping[int, str]:
    """Live tags that nobody may suggest, each with the word it has: in a label of any language, a synonym or its slug.
    One query while rules and taxonomy stay as they are."""
    words = words_of(catalogue)
    if not words:
        return {}
    revision = Catalogue.objects.values_list("taxonomy_revision", flat=True).get(pk=catalogue.pk)
    version = (*_version(catalogue), revision)
    if version not in _tags:
        tags = Tag.objects.live().filter(facet__catalogue=catalogue, facet__retired_at=None)
        found = {tag.pk: word for tag in tags.iterator(chunk_size=2000) if (word := word_in_tag(words, tag))}
        _keep(_tags, version, found)
    return _tags[version]


def word_in_tag(words: WordList, tag: Tag) -> str:
    return words.first([*tag.words, tag.slug.replace("-", " ")])


def _keep(kept: dict[Any, Any], name: Any, value: Any) -> None:
    while len(kept) >= KEPT:
        kept.pop(next(iter(kept)))
    kept[name] = value


def forget() -> None:
    """For tests, whose catalogues share numbers."""
    _lists.clear()
    _tags.clear()


@dataclass(frozen=True, slots=True)
class Group:
    """A starter list or the own words: the rules of it, those to block and those to allow."""

    group: WordRule.Group
    blocked: tuple[WordRule, ...]
    allowed: tuple[WordRule, ...]


def groups(catalogue: Catalogue) -> list[Group]:
    rules = list(WordRule.objects.filter(catalogue=catalogue))

    def of(group: str, kind: str) -> tuple[WordRule, ...]:
        return tuple(rule for rule in rules if rule.group == group and rule.kind == kind)

    return [Group(g, of(g, WordRule.Kind.BLOCK), of(g, WordRule.Kind.ALLOW)) for g in WordRule.Group]


def tags_blocked(catalogue: Catalogue) -> list[tuple[Tag, str]]:
    """For the page, in the order of the taxonomy."""
    found = blocked_tags(catalogue)
    tags = Tag.objects.filter(pk__in=found).select_related("facet").order_by("facet__position", "position")
    return [(tag, found[tag.pk]) for tag in tags]


def imported(catalogue: Catalogue) -> list[ImportProblem]:
    """Blocked words that came in with files, the latest first."""
    rows = ImportProblem.objects.filter(
        batch__catalogue=catalogue, code__in=(BLOCKED_WORD, BLOCKED_TAG), batch__dry_run=False
    )
    return list(rows.select_related("batch").order_by("-pk")[:LISTED])


def last_scan(catalogue: Catalogue) -> Job | None:
    return Job.objects.filter(catalogue=catalogue, kind=KIND).order_by("-created_at").first()
