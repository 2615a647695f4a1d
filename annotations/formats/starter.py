"""A published product taxonomy as a starting point: its attributes with their values, and its tree of categories.

Read is the Shopify Standard Product Taxonomy, in the shape of its own ``dist`` files (``attributes.json`` and
``categories.json``, or both in ``taxonomy.json``; one language each) and as JSON lines with all languages in one row
(``name`` and ``full_name`` by language). The files are the reader's own; none is part of this package.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotations.formats.rows import FileRefused

MOST_BYTES = 400 * 1024**2
STEP = " > "


@dataclass(frozen=True, slots=True)
class StarterValue:
    handle: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StarterFacet:
    """``extended`` are handles of narrower attributes with the same values: a category may name one of these."""

    handle: str
    labels: Mapping[str, str]
    descriptions: Mapping[str, str] = field(default_factory=dict)
    extended: tuple[str, ...] = ()
    values: tuple[StarterValue, ...] = ()


@dataclass(frozen=True, slots=True)
class StarterCategory:
    """``path`` is language to the names from the root down; ``attributes`` are handles."""

    id: str
    path: Mapping[str, tuple[str, ...]]
    children: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()

    def label(self, language: str) -> str:
        return self.names(language)[-1]

    def names(self, language: str) -> tuple[str, ...]:
        return self.path.get(language) or self.path.get("en") or next(iter(self.path.values()))


@dataclass(frozen=True, slots=True)
class Starter:
    facets: tuple[StarterFacet, ...]
    categories: tuple[StarterCategory, ...] = ()

    def roots(self) -> list[StarterCategory]:
        return [category for category in self.categories if len(category.names("en")) == 1]


def read_starter(attributes: Path, categories: Path | None = None, *, names: Sequence[str] = ()) -> Starter:
    """Both files, whichever comes first; one that holds both is enough. ``names`` are what people call them.

    Raises FileRefused naming the file and what is wrong with it.
    """
    facets: list[StarterFacet] = []
    tree: list[StarterCategory] = []
    paths = [path for path in (attributes, categories) if path is not None]
    called = [*names, *(path.name for path in paths[len(names) :])]
    for path, name in zip(paths, called, strict=False):
        whole = _whole(path, name)
        for row in _rows(whole, "attributes", name):
            if "full_name" in row:
                tree.append(_category(row, name))
            else:
                facets.append(_facet(row, name))
        if isinstance(whole, dict) and "verticals" in whole:
            tree += [_category(row, name) for row in _rows(whole, "verticals", name)]
    if not facets:
        raise FileRefused("only-categories" if tree else "no-rows", called[0])
    return Starter(tuple(facets), tuple(tree))


def _whole(path: Path, name: str) -> Any:
    """What a file of JSON says, packed or not; the rows of one of JSON lines as a list."""
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise FileRefused("too-large", name, limit=MOST_BYTES)
        text = data.decode("utf-8-sig")
        try:
            return json.loads(text)
        except ValueError:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FileRefused("not-json", name, detail=str(error)[:100]) from None


def _rows(whole: Any, inside: str, name: str) -> list[dict[str, Any]]:
    """Objects of an array, or of ``{"attributes": [...]}``, ``{"categories": [...]}``, ``{"verticals": [...]}``."""
    rows = whole
    if isinstance(whole, dict) and inside == "verticals":
        verticals: list[Any] = whole["verticals"] if isinstance(whole["verticals"], list) else [None]
        if not all(isinstance(v, dict) and isinstance(v.get("categories", []), list) for v in verticals):
            raise FileRefused("not-a-taxonomy", name, detail="verticals")
        rows = [c for vertical in verticals for c in vertical.get("categories", ())]
    elif isinstance(whole, dict) and "attributes" not in whole and "verticals" in whole:
        rows = []
    elif isinstance(whole, dict) and "full_name" not in whole:
        rows = whole.get(inside, whole.get("categories", [whole]))
    elif isinstance(whole, dict):
        rows = [whole]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FileRefused("not-json", name, detail=type(rows).__name__)
    return rows


def _facet(row: Mapping[str, Any], file: str) -> StarterFacet:
    try:
        handle = str(row.get("handle") or row["id"])
        extended = [
            e if isinstance(e, str) else e.get("handle", "")
            for e in row.get("extended") or row.get("extended_attributes") or ()
        ]
        values = [StarterValue(_handle(v), _by_language(v["name"])) for v in row.get("values") or ()]
        return StarterFacet(
            handle,
            _by_language(row["name"]),
            _by_language(row.get("description") or {}),
            tuple(extended),
            tuple(values),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise FileRefused("not-a-taxonomy", file, detail=f"{error!r}"[:100]) from None


def _category(row: Mapping[str, Any], file: str) -> StarterCategory:
    try:
        path = {
            code: tuple(part.strip() for part in text.split(STEP))
            for code, text in _by_language(row["full_name"]).items()
        }
        children = [_last(c if isinstance(c, str) else c["id"]) for c in row.get("children") or ()]
        attributes = [a if isinstance(a, str) else a.get("handle") or a["id"] for a in row.get("attributes") or ()]
        return StarterCategory(_last(str(row["id"])), path, tuple(children), tuple(attributes))
    except (KeyError, TypeError, AttributeError) as error:
        raise FileRefused("not-a-taxonomy", file, detail=f"{error!r}"[:100]) from None


def _last(identifier: str) -> str:
    return identifier.rsplit("/", 1)[-1]


def _handle(value: Mapping[str, Any]) -> str:
    """``color__black`` is black; an id where there is no handle."""
    handle = str(value.get("handle") or _last(str(value["id"])))
    return handle.rsplit("__", 1)[-1]


CODES = {"zh-cn": "zh-hans", "zh-tw": "zh-hant", "pt-br": "pt", "pt-pt": "pt"}


def _by_language(said: str | Mapping[str, str]) -> dict[str, str]:
    if isinstance(said, str):
        return {"en": said.strip()} if said.strip() else {}
    found = {code.lower(): text.strip() for code, text in said.items() if isinstance(text, str) and text.strip()}
    return {CODES.get(code, code): text for code, text in found.items()}


def branch(categories: Iterable[StarterCategory], wanted: Iterable[str]) -> list[StarterCategory]:
    """Categories in or below the wanted ones, which are named by id or by path in any language; all where none is named."""
    asked = {_plain(name) for name in wanted if name.strip()}
    every = list(categories)
    if not asked:
        return every
    heads = {
        c.id for c in every if c.id.casefold() in asked or any(_plain(STEP.join(p)) in asked for p in c.path.values())
    }
    by_id = {c.id: c for c in every}
    found: dict[str, StarterCategory] = {}
    pending = list(heads)
    while pending:
        one = pending.pop()
        if one in by_id and one not in found:
            found[one] = by_id[one]
            pending += by_id[one].children
    return [c for c in every if c.id in found]


def _plain(name: str) -> str:
    return STEP.join(part.strip() for part in name.replace("›", ">").split(">")).casefold()
