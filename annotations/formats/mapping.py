"""Which column means what: a proposal from known names, then from contents; editable, saved as JSON."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace
from typing import Any

from annotations.formats.headers import NOT_FACETS, TARGETS, known_target, normal
from annotations.formats.rows import FileRefused

SAMPLES = 5
SEPARATORS = ("|", "；", ";", "、", "\n", ",", "/")
LIST_CHARS = 1000
"""A longer cell is a text and says nothing about how lists are written."""
_BLANK = frozenset(("", "n/a", "#n/a", "na", "null", "nan", "none", "-", "--", "—", "/", "\\n"))
"""Cells that say nothing, folded. In attributes and texts they count as empty; ids are taken as they stand."""
_SINGLE = frozenset(("id", "title", "language", "family", "category", "attributes", "spans", "absent"))
_PAIRS = re.compile(r"[^=:：;；,|\n]{1,60}\s*[=:：]\s*[^=:：;；|\n]+")


NOTES = ("tagstudio_line", "tagstudio_problem")
"""Columns that we add to rows sent back to be mended: where they stood and what was wrong. Never data."""


def signature(headers: Iterable[str]) -> str:
    """Names a set of columns, whatever their order and however they are spaced or capitalised."""
    names = sorted({normal(h) for h in headers} - {normal(h) for h in NOTES})
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogatepass")).hexdigest()


def is_blank(text: str) -> bool:
    return len(text) < 5 and (not text or text.strip().casefold() in _BLANK)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file and what it means.

    target:     one of ``TARGETS``; empty keeps the column with the product, mapped to nothing
    facet:      the facet's name where target is ``attribute``
    separator:  what stands between several values in one cell; empty: the cell is one value
    confidence: 0 to 1; ``reason`` says from what (``name``, ``shape``, ``contents``, ``person``)
    """

    header: str
    target: str = ""
    facet: str = ""
    separator: str = ""
    confidence: float = 0.0
    reason: str = ""
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """Columns in the file's order, and how the file is to be read where that should not be guessed again.

    shape:   ``shopify``, ``magento``, ``google`` or empty: exports whose rows or cells need more than a mapping
    options: any of ``encoding``, ``delimiter``, ``path`` (of the list in JSON), ``sheet``
    """

    columns: tuple[Column, ...]
    shape: str = ""
    options: Dict[str, str] = field(default_factory=dict)

    def by_target(self, target: str) -> list[Column]:
        """The columns of one target, surest first."""
        return sorted((c for c in self.columns if c.target == target), key=lambda c: -c.confidence)

    @property
    def has_id(self) -> bool:
        return any(c.target == "id" for c in self.columns)

    def change(self, header: str, target: str, *, facet: str = "", separator: str | None = None) -> Mapping:
        """The mapping with one column set by a person. A target that one column only can have leaves the other one."""
        if header not in {c.header for c in self.columns}:
            raise FileRefused("mapping", detail=f"there is no column “{header[:60]}”")
        _check_target(target)
        columns = []
        for c in self.columns:
            if c.header == header:
                kept = c.separator if separator is None else separator
                name = (facet or c.facet or header) if target == "attribute" else ""
                c = replace(c, target=target, facet=name, separator=kept, confidence=1.0, reason="person")  # noqa: PLW2901
            elif target in _SINGLE and c.target == target:
                c = replace(c, target="", facet="", reason="person")  # noqa: PLW2901
            columns.append(c)
        return replace(self, columns=tuple(columns))

    def to_json(self) -> dict[str, Any]:
        return {
            "version": 1,
            "shape": self.shape,
            "options": dict(self.options),
            "columns": [
                {
                    "header": c.header,
                    "target": c.target,
                    "facet": c.facet,
                    "separator": c.separator,
                    "confidence": round(c.confidence, 3),
                    "reason": c.reason,
                    "samples": list(c.samples),
                }
                for c in self.columns
            ],
        }

    @classmethod
    def from_json(cls, data: Any) -> Mapping:
        """The inverse of :meth:`to_json`; ``{"header": "target"}`` is taken too. Raises FileRefused for anything else."""
        try:
            if isinstance(data, dict) and "columns" not in data:
                data = {"columns": [{"header": h, "target": t} for h, t in data.items()]}
            columns = tuple(_column(c) for c in data["columns"])
            options = {str(k): str(v) for k, v in dict(data.get("options") or {}).items()}
            shape = str(data.get("shape") or "")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileRefused("mapping", detail="it should be a list of columns with header and target") from error
        if len({c.header for c in columns}) != len(columns):
            raise FileRefused("mapping", detail="a column is named twice")
        return cls(columns, shape, options)


def _column(data: dict[str, Any]) -> Column:
    header, target = str(data["header"]), str(data.get("target") or "")
    if target.startswith("attribute:"):
        target, _, facet = target.partition(":")
    else:
        facet = str(data.get("facet") or "")
    _check_target(target)
    return Column(
        header,
        target,
        (facet or header) if target == "attribute" else "",
        str(data.get("separator") or ""),
        float(data.get("confidence", 1.0)),
        str(data.get("reason") or "person"),
        tuple(map(str, data.get("samples", ()))),
    )


def _check_target(target: str) -> None:
    if target not in TARGETS:
        raise FileRefused(
            "mapping", detail=f"“{target[:40]}” is no target; use one of {', '.join(filter(None, TARGETS))}"
        )


def propose(headers: Sequence[str], sample_rows: Sequence[Dict[str, Any]]) -> Mapping:
    """A mapping from the headers and some rows (by header). Never raises; what is unclear stays unmapped."""
    from annotations.formats.shapes import shape_columns, shape_of

    shape = shape_of(headers)
    samples = {h: _samples(h, sample_rows) for h in headers}
    named = [_by_name(h, samples[h], sample_rows) for h in headers]
    columns = shape_columns(shape, named) if shape else named
    columns = _settle(columns)
    if not shape and any(c.target == "attributes" and _is_own(c.header, sample_rows) for c in columns):
        # Our own shape says itself what is a facet; its other keys are kept as they are.
        columns = [replace(c, target="", facet="", confidence=0.0) if c.target == "attribute" else c for c in columns]
    # Where a column already carries all the facets, guessing more of them from bookkeeping columns only adds noise.
    if not shape and not any(c.target == "attributes" for c in columns):
        columns = [_by_contents(c, sample_rows) if not c.target else c for c in columns]
    columns = [
        replace(c, separator=c.separator or find_separator(_texts(c.header, sample_rows)))
        if c.target == "attribute" and c.reason != "shape"
        else c
        for c in columns
    ]
    return Mapping(tuple(columns), shape)


def _texts(header: str, rows: Sequence[Dict[str, Any]]) -> list[str]:
    values = (row.get(header) for row in rows)
    texts = (v if isinstance(v, str) else str(v) for v in values if isinstance(v, str | int | float))
    return [t.strip() for t in texts if not is_blank(t)]


def _samples(header: str, rows: Sequence[Dict[str, Any]]) -> tuple[str, ...]:
    """The first different values, as text, cut to what a table cell shows."""
    seen: dict[str, None] = {}
    for row in rows:
        value = row.get(header)
        text = value if isinstance(value, str) else "" if value is None else str(value)
        if not is_blank(text):
            seen.setdefault(" ".join(text.split())[:80])
        if len(seen) == SAMPLES:
            break
    return tuple(seen)


def _by_name(header: str, samples: tuple[str, ...], rows: Sequence[Dict[str, Any]]) -> Column:
    found = known_target(header)
    if not found and normal(header) in ("path", "breadcrumb", "breadcrumbs") and _holds_names(header, rows):
        return Column(header, "category", "", "", 0.8, "contents", samples)
    if not found:
        return Column(header, samples=samples)
    target, rank = found
    confidence = 1.0 if rank < 3 else 0.95 - 0.002 * rank
    if target == "attributes" and not _holds_pairs(header, rows):
        # “规格” or “specifications” may hold one plain value instead of a list of pairs.
        target, confidence = "attribute", 0.6
    if target == "attribute" and any(isinstance(r.get(header), dict) for r in rows):
        return Column(header, samples=samples)  # {"size": {"w": 1}} is a measure, not a facet's value
    if target in ("spans", "absent") and not any(isinstance(r.get(header), list) for r in rows):
        return Column(header, samples=samples)
    return Column(header, target, header if target == "attribute" else "", "", confidence, "name", samples)


def _holds_names(header: str, rows: Sequence[Dict[str, Any]]) -> bool:
    """A path written as a list of named objects, or of texts."""
    values = [v for row in rows if (v := row.get(header))]
    return bool(values) and all(
        isinstance(v, list) and all(isinstance(p, str) or (isinstance(p, dict) and "name" in p) for p in v)
        for v in values
    )


def _is_own(header: str, rows: Sequence[Dict[str, Any]]) -> bool:
    return any(isinstance(row.get(header), dict) for row in rows)


def _holds_pairs(header: str, rows: Sequence[Dict[str, Any]]) -> bool:
    values = [v for r in rows if (v := r.get(header)) not in (None, "", {}, [])]
    if not values:
        return True
    return sum(isinstance(v, dict) or (isinstance(v, str) and bool(_PAIRS.match(v))) for v in values) * 2 > len(values)


def _settle(columns: list[Column]) -> list[Column]:
    """One column for each target that can have one only: the surest, the first of equals. The others are kept."""
    best: dict[str, Column] = {}
    for c in columns:
        if c.target in _SINGLE and (c.target not in best or c.confidence > best[c.target].confidence):
            best[c.target] = c
    return [
        c if c.target not in _SINGLE or best[c.target] is c else replace(c, target="", facet="", confidence=0.0)
        for c in columns
    ]


def _by_contents(column: Column, rows: Sequence[Dict[str, Any]]) -> Column:
    """An unknown column as a facet if it holds few, short, repeated words."""
    texts = _texts(column.header, rows)
    if len(texts) < 5 or NOT_FACETS.search(column.header) or normal(column.header).startswith("column "):
        return column
    distinct = set(texts)
    wordy = sum(bool(re.search(r"[^\W\d_]{2}|[\u4e00-\u9fff]", t)) for t in distinct)
    if (
        2 <= len(distinct) <= min(60, len(texts) * 0.4)
        and max(map(len, distinct)) <= 40
        and wordy * 4 >= len(distinct) * 3
        and not any(re.search(r"https?://|/.*/|@|<", t) for t in distinct)
    ):
        confidence = round(0.3 + 0.3 * (1 - len(distinct) / len(texts)), 3)
        return replace(column, target="attribute", facet=column.header, confidence=confidence, reason="contents")
    return column


def find_separator(texts: Sequence[str]) -> str:
    """The separator whose parts recur over cells, so that ``S|M|L`` is three values and ``Salt, coarse`` is one."""
    texts = [t for t in texts if len(t) <= LIST_CHARS]
    for sign in SEPARATORS:
        parts = Counter(p.strip() for t in texts if sign in t for p in t.split(sign))
        if not parts or any(len(p) > 60 for p in parts):
            continue
        if sign == "|":
            return sign
        alone = {t for t in texts if sign not in t}
        recurring = sum(n for p, n in parts.items() if n > 1 or p in alone)
        fraction = sign == "/" and any(c.isdecimal() for p in parts for c in p)
        if "" not in parts and recurring * 2 > parts.total() and not fraction:
            return sign
    return ""
