"""Trees of categories: nodes that each say the way from the root to themselves, as shops' category lists do.

``{"name": "Him", "path": [{"name": "Gift Ideas"}, {"name": "Him"}]}``, or the way as one text (``Gift Ideas > Him``).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotations.formats.cells import as_text
from annotations.formats.clean import clean_text
from annotations.formats.headers import normal

TREE_FACET = "category"
PATHS = ("path", "full_name", "full name", "breadcrumb", "breadcrumbs", "category path", "类目路径")
NAME_CHARS = 100
_STEP = re.compile(r"\s*(?:>|»|›|→|\\)\s*")


@dataclass(frozen=True, slots=True)
class Node:
    """A category. ``label`` is what it is called alone, where no other is called so."""

    line: int
    path: tuple[str, ...]
    label: str = ""

    @property
    def name(self) -> str:
        """Its path as a text that no other node has, as long as names may be."""
        return _joined(self.path)

    @property
    def parent(self) -> str:
        return _joined(self.path[:-1])


def _joined(path: Sequence[str]) -> str:
    text = " / ".join(path)
    if len(text) <= NAME_CHARS:
        return text
    return text[9 - NAME_CHARS :] + "~" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def is_tree(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether most rows say a path and name neither a facet nor a tag of one."""
    if not rows or any({"facet", "tag", "attribute"} & {normal(key) for key in row} for row in rows):
        return False
    return sum(bool(path_of(row)) for row in rows) * 2 > len(rows)


def path_of(cells: Mapping[str, Any]) -> tuple[str, ...]:
    """Names from the root to the node; empty where the row says no path."""
    for key, value in cells.items():
        if normal(key) not in PATHS:
            continue
        if isinstance(value, list):
            steps = [as_text(step.get("name")) if isinstance(step, Mapping) else as_text(step) for step in value]
        else:
            steps = _STEP.split(value) if isinstance(value, str) and _STEP.search(value) else []
            own = as_text(cells.get("name")).strip()
            steps = steps or ([value] if isinstance(value, str) and value and own in ("", value) else [])
        cleaned = [clean_text(step, single=True)[0] for step in steps]
        if cleaned and all(cleaned):
            return tuple(cleaned)
    return ()


def whole(nodes: Iterable[Node]) -> Iterator[Node]:
    """Each node once and with all above it, parents first; labels told apart by the parent's where they must be."""
    found: dict[tuple[str, ...], int] = {}
    for node in nodes:
        for depth in range(1, len(node.path) + 1):
            found.setdefault(node.path[:depth], node.line)
    alone = Counter(normal(path[-1]) for path in found)
    below = Counter(normal(_below(path)) for path in found)
    for path in sorted(found, key=lambda p: (len(p), found[p])):
        short = path[-1] if alone[normal(path[-1])] == 1 else _below(path) if below[normal(_below(path))] == 1 else ""
        yield replace(Node(found[path], path), label=short or _joined(path))


def _below(path: tuple[str, ...]) -> str:
    return f"{path[-1]} ({path[-2]})" if len(path) > 1 else path[-1]
