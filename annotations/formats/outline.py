"""What a taxonomy file offers, before any of it is taken: its branches with their sizes, and its languages.

Of a published taxonomy the branches are its categories, with the facets that the products below them have; of a list of
tags they are its facets. An outline is small (a published taxonomy of 10,000 categories: 2 MB of JSON) and quick to
search, so that a page need not read the file again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotations.formats.headers import normal
from annotations.formats.rows import FileRefused, Limits, Problem
from annotations.formats.starter import STEP, Starter, read_starter
from annotations.formats.tags import TagRow, read_tags

STARTER, TAGS = "starter", "tags"


@dataclass(frozen=True, slots=True)
class Branch:
    """``names``: language to its own name; ``parent``: place of the branch above; ``facets``, ``values``: distinct ones
    in it and below; ``below``: branches below it."""

    id: str
    names: Mapping[str, str]
    parent: int | None
    facets: int
    values: int
    below: int = 0

    def label(self, language: str) -> str:
        return self.names.get(language) or self.names.get("en") or next(iter(self.names.values()), self.id)


@dataclass(frozen=True, slots=True)
class Outline:
    """``kind``: ``starter`` or ``tags``; ``languages``: codes, those of the most names first."""

    kind: str
    languages: tuple[str, ...]
    facets: int
    values: int
    branches: tuple[Branch, ...]

    @property
    def roots(self) -> list[Branch]:
        return [branch for branch in self.branches if branch.parent is None]

    def path(self, branch: Branch, language: str) -> str:
        steps = [branch.label(language)]
        above = branch.parent
        while above is not None and len(steps) < 40:
            steps.append(self.branches[above].label(language))
            above = self.branches[above].parent
        return STEP.join(reversed(steps))

    def chosen(self, ids: Collection[str]) -> list[Branch]:
        return [branch for branch in self.branches if branch.id in ids]

    def search(self, text: str, limit: int = 40) -> list[Branch]:
        """Branches whose name in any language has the text, those that begin with it first, then by depth. A text of
        several steps (``shoes > boots``) has to fit the path from its last step upwards."""
        *above, last = [normal(step) for step in text.replace("›", ">").split(">") if step.strip()] or [""]
        if not last:
            return []
        found = []
        for place, branch in enumerate(self.branches):
            names = [normal(name) for name in branch.names.values()]
            if any(last in name for name in names) and self._below(branch, above):
                begins = any(name.startswith(last) for name in names)
                found.append((not begins, self._depth(branch), place, branch))
        return [branch for *_order, branch in sorted(found, key=lambda row: row[:3])[:limit]]

    def _below(self, branch: Branch, steps: Sequence[str]) -> bool:
        for step in reversed(steps):
            if branch.parent is None:
                return False
            branch = self.branches[branch.parent]
            if not any(step in normal(name) for name in branch.names.values()):
                return False
        return True

    def _depth(self, branch: Branch) -> int:
        depth = 0
        while branch.parent is not None and depth < 40:
            depth, branch = depth + 1, self.branches[branch.parent]
        return depth

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "languages": list(self.languages), "facets": self.facets, "values": self.values,
            "branches": [list(asdict(branch).values()) for branch in self.branches],
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outline:
        branches = tuple(Branch(*row) for row in data["branches"])
        return cls(data["kind"], tuple(data["languages"]), data["facets"], data["values"], branches)

    @classmethod
    def load(cls, path: Path) -> Outline:
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")))


def outline_of(paths: Sequence[Path], *, names: Sequence[str] = (), language: str, limits: Limits) -> Outline:
    """Of one file, or of a published taxonomy's two. Raises FileRefused where it is neither a taxonomy nor a list."""
    try:
        return of_starter(read_starter(paths[0], paths[1] if len(paths) > 1 else None, names=names))
    except FileRefused as no_taxonomy:
        if len(paths) > 1 or no_taxonomy.code == "only-categories":
            raise
        try:
            found = of_tags(read_tags(paths[0], name=names[0] if names else "", language=language, limits=limits))
            if not found.facets:
                raise no_taxonomy
            return found
        except FileRefused as no_list:
            if no_list is no_taxonomy:
                raise
            # whoever sent JSON that says a taxonomy's words meant a taxonomy
            raise (
                no_taxonomy if no_taxonomy.code == "not-a-taxonomy" and no_list.code == "no-tags" else no_list
            ) from None


def of_starter(starter: Starter) -> Outline:
    base = {facet.handle: facet.handle for facet in starter.facets}
    base |= {narrower: facet.handle for facet in starter.facets for narrower in facet.extended}
    sizes = {facet.handle: len(facet.values) for facet in starter.facets}
    places = {category.id: place for place, category in enumerate(starter.categories)}
    parents = {child: places[c.id] for c in starter.categories for child in c.children if child in places}
    held: dict[str, tuple[frozenset[str], int]] = {}

    def below(pk: str) -> tuple[frozenset[str], int]:
        """Handles in a branch, and how many branches are below it."""
        if pk not in held:
            held[pk] = frozenset(), 0  # a tree that bites its tail
            category = starter.categories[places[pk]]
            parts = [below(child) for child in category.children if child in places]
            own = frozenset(base[h] for h in category.attributes if h in base)
            held[pk] = own.union(*(facets for facets, _n in parts)), len(parts) + sum(n for _facets, n in parts)
        return held[pk]

    branches = []
    for category in starter.categories:
        facets, n = below(category.id)
        names = {code: steps[-1] for code, steps in category.path.items()}
        values = sum(sizes[handle] for handle in facets)
        branches.append(Branch(category.id, names, parents.get(category.id), len(facets), values, n))
    spoken = Counter(code for facet in starter.facets for code in facet.labels)
    return Outline(STARTER, _by_use(spoken), len(sizes), sum(sizes.values()), tuple(branches))


def of_tags(rows: Iterable[TagRow | Problem]) -> Outline:
    names: dict[str, dict[str, str]] = {}
    called: dict[str, str] = {}
    tags: dict[str, set[str]] = {}
    spoken: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, Problem):
            continue
        key = normal(row.facet)
        called.setdefault(key, row.facet)
        names[key] = {**row.facet_labels, **names.get(key, {})}
        tags.setdefault(key, set())
        if row.tag:
            tags[key].add(normal(row.tag))
        spoken.update(row.labels.keys())
        spoken.update(row.synonyms.keys())
    branches = tuple(Branch(called[key], names[key], None, 1, len(listed)) for key, listed in tags.items())
    return Outline(TAGS, _by_use(spoken), len(tags), sum(map(len, tags.values())), branches)


def _by_use(spoken: Counter[str]) -> tuple[str, ...]:
    return tuple(code for code, _n in sorted(spoken.items(), key=lambda pair: (-pair[1], pair[0] != "en", pair[0])))
