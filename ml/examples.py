"""Examples: what a model reads of a product, what people said about it, and what nobody said.

A tag is *yes*, *no* or *unknown* for a product. Unknown is the normal case (nobody has looked yet) and is
kept out of every loss and every measure by a mask.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ml.schema import Schema


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start:end`` of a text field that speak for a tag (code points, end exclusive)."""

    field: str
    start: int
    end: int
    facet: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One product.

    texts:    field name to text as the person sees it, e.g. ``{"title": ..., "description": ...}``
    labels:   facet slug to tag slugs known to be right
    rejected: facet slug to tag slugs known to be wrong
    complete: facets of which every tag not in ``labels`` is known to be wrong
    source:   facet slug to raw values that came with the product (a claim, not a label)
    group:    family id; examples of one group never stand on both sides of a split
    written:  kind of text (title, selling_points, keywords) to one that a person approved for it
    time:     order of the latest decision about it (a sequence number), 0 when never decided
    """

    id: str
    texts: Mapping[str, str]
    category: str = ""
    language: str = ""
    group: str = ""
    image: str = ""
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rejected: Mapping[str, frozenset[str]] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    source: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    time: int = 0
    written: Mapping[str, str] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """The group, or the product itself when it has none."""
        return self.group or self.id

    @property
    def decided(self) -> bool:
        return bool(self.labels or self.rejected or self.complete)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "texts": dict(self.texts),
            "category": self.category,
            "language": self.language,
            "group": self.group,
            "image": self.image,
            "labels": {f: sorted(t) for f, t in self.labels.items()},
            "rejected": {f: sorted(t) for f, t in self.rejected.items()},
            "complete": sorted(self.complete),
            "source": {f: list(v) for f, v in self.source.items()},
            "spans": [{k.name: getattr(s, k.name) for k in fields(Span)} for s in self.spans],
            "time": self.time,
            **({"written": dict(self.written)} if self.written else {}),  # without any, a snapshot keeps its hash
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Example:
        """The inverse of :meth:`to_json`. Raises KeyError or TypeError on a row of another shape."""
        return cls(
            id=str(row["id"]),
            texts=dict(row["texts"]),
            category=row.get("category", ""),
            language=row.get("language", ""),
            group=row.get("group", ""),
            image=row.get("image", ""),
            labels={f: frozenset(t) for f, t in row.get("labels", {}).items()},
            rejected={f: frozenset(t) for f, t in row.get("rejected", {}).items()},
            complete=frozenset(row.get("complete", ())),
            source={f: tuple(v) for f, v in row.get("source", {}).items()},
            spans=tuple(Span(**s) for s in row.get("spans", ())),
            time=row.get("time", 0),
            written=dict(row.get("written", {})),
        )


def write_jsonl(path: Path, examples: Iterable[Example]) -> int:
    """One example a line, UTF-8. Returns how many."""
    n = 0
    with path.open("w", encoding="utf-8") as out:
        for example in examples:
            out.write(json.dumps(example.to_json(), ensure_ascii=False) + "\n")
            n += 1
    return n


def read_jsonl(path: Path) -> Iterator[Example]:
    """Raises ValueError naming the line that is not an example."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield Example.from_json(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise ValueError(f"{path.name} line {number}: {error!r}") from error


def targets(schema: Schema, examples: Sequence[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and mask over the columns of the schema.

    Returns ``(y, known)``, both ``(n, len(schema.columns))``: y is float32 in {0, 1}, known is bool. Where known is
    False nobody has said, and y is 0. In a single-choice facet one right tag makes the others wrong. Tags and facets
    that the schema does not have are passed over (they were retired).
    """
    y = np.zeros((len(examples), len(schema.columns)), dtype=np.float32)
    known = np.zeros(y.shape, dtype=bool)
    for row, example in enumerate(examples):
        for facet in example.complete:
            known[row, schema.facet_columns.get(facet, [])] = True
        for facet, tags in example.rejected.items():
            for tag in tags:
                if (column := schema.column(facet, tag)) is not None:
                    known[row, column] = True
        for facet, tags in example.labels.items():
            columns = [c for tag in tags if (c := schema.column(facet, tag)) is not None]
            if columns and schema.facet(facet).single:
                known[row, schema.facet_columns[facet]] = True
            y[row, columns] = 1.0
            known[row, columns] = True
    return y, known


def in_fold(key: str, share: float, salt: str = "") -> bool:
    """True for a fixed pseudo-random ``share`` (0 to 1) of all keys: the same key always answers the same."""
    return draw_of(key, salt) < share


def draw_of(key: str, salt: str = "") -> float:
    """A number in [0, 1) drawn for the key, always the same: :func:`in_fold` takes the keys below its share."""
    digest = hashlib.sha256(f"{salt}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_by_family(examples: Sequence[Example], share: float, salt: str = "") -> tuple[list[Example], list[Example]]:
    """``(rest, held_out)``: about ``share`` of the families are held out, whole families at a time."""
    rest: list[Example] = []
    held: list[Example] = []
    for example in examples:
        (held if in_fold(example.family, share, salt) else rest).append(example)
    return rest, held


def fold_of(family: str, folds: int, salt: str = "") -> int:
    """The fold (0 .. folds - 1) of a family; stable over runs and machines."""
    digest = hashlib.sha256(f"{salt}\0{family}".encode()).digest()
    return int.from_bytes(digest[8:16], "big") % folds


def family_hash(family: str) -> str:
    """The name under which a bundle remembers a family it was trained on: it says whether, not which."""
    return hashlib.sha256(family.encode()).hexdigest()[:16]


def data_hash(examples: Iterable[Example]) -> str:
    """sha256 over the examples in the order given: the name of a snapshot."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(example.to_json(), ensure_ascii=False, sort_keys=True).encode())
        digest.update(b"\n")
    return digest.hexdigest()
