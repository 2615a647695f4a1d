"""A mapping applied: a record's cells to a Row, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from annotations.formats.cells import GUARDED, as_text, as_values, facets_in, flat, unguard
from annotations.formats.checks import junk, supplier_of, without_shared
from annotations.formats.clean import clean_text, relocate
from annotations.formats.cleaning import SHARED, Cleaning
from annotations.formats.headers import OWN
from annotations.formats.mapping import Column, Mapping, is_blank
from annotations.formats.rows import Limits, Problem, Record, Row, kept_cells, problem
from annotations.formats.shapes import FAMILY, IMAGES, OPTIONS, ROWS, is_system, magento_category, tidy_raw

_VALUE_STEPS = ("control", "mojibake", "entities", "zero-width", "compatibility", "space")
_PATH = re.compile(r"\s*(?:>|»|›|→|\\)\s*")


class Applier:
    """Turns records of one file into rows.

    ``table``: cells are text of a table (formula guards are taken off); otherwise they are JSON values, whose keys may
    be any of our own names also where the mapping does not know them.
    """

    def __init__(
        self,
        mapping: Mapping,
        *,
        file: str,
        limits: Limits,
        table: bool,
        cleaning: Cleaning = Cleaning(),  # noqa: B008  frozen
    ) -> None:
        self.file, self.limits, self.shape, self._table = file, limits, mapping.shape, table
        self.cleaning, self.steps = cleaning, cleaning.steps
        self._value_steps = tuple(s for s in self.steps if s in _VALUE_STEPS)
        self._exact_steps = ("entities",) if cleaning.values else ()
        self._single = {
            t: cs[0].header for t in ("id", "language", "family", "category") if (cs := mapping.by_target(t))
        }
        self._titles = [c.header for c in mapping.by_target("title")]
        self._descriptions = [c.header for c in mapping.by_target("description")]
        self._images = [c.header for c in mapping.by_target("images")]
        self._facets = [c for c in mapping.columns if c.target == "attribute"]
        self._many = [c.header for c in mapping.by_target("attributes")]
        self._lists = {t: cs[0].header for t in ("spans", "absent") if (cs := mapping.by_target(t))}
        self._kept = frozenset(c.header for c in mapping.columns if not c.target)
        self._mapped = frozenset(c.header for c in mapping.columns if c.target)
        self._known = self._kept | self._mapped
        # a table without any text adds to products that are there: that a row adds nothing is no problem of it
        self.describes = bool(self._titles or self._descriptions) or not table

    def apply(self, record: Record, source_hash: str = "") -> tuple[Row | None, list[Problem]]:
        """``(row, problems)``; no row where a problem is an error, and no hash where there is any."""
        cells = record.cells
        if self._table and _may_be_guarded(cells):
            cells = {h: unguard(v) if type(v) is str and v.startswith(GUARDED) else v for h, v in cells.items()}
        work = _Work(self, record.line, cells)
        row = work.row(tidy_raw(record.cells) if self.shape else record.cells, source_hash)
        if row is None:
            _keep(record, work.problems)
        return row, work.problems

    def id_of(self, record: Record) -> str:
        """The id that :meth:`apply` finds, or something that is no product's id where it would find a problem."""
        header = self._single.get("id")
        if header is None and not self._table:
            header = next((name for name in record.cells if OWN.get(name) == "id"), None)
        value = record.cells.get(header or "")
        return (unguard(value) if type(value) is str and self._table else as_text(value)).strip()


def _may_be_guarded(cells: dict[str, Any]) -> bool:
    try:
        return "\0'" in "\0" + "\0".join(cells.values())  # no cell of a table holds a NUL
    except TypeError:  # lists, of a feed or of a product on several rows
        return True


def _keep(record: Record, problems: list[Problem]) -> None:
    """The row that is left out, kept with the first problem that says why."""
    at = next(n for n, p in enumerate(problems) if p.severity == "error")
    rows = record.cells.get(ROWS) or [tidy_raw(record.cells)]
    problems[at] = replace(problems[at], cells=kept_cells(rows))


class _Work:
    """One record on its way to a row."""

    def __init__(self, applier: Applier, line: int, cells: dict[str, Any]) -> None:
        self.a, self.line, self.cells = applier, line, cells
        self.problems: list[Problem] = []
        self.cleaned: dict[str, list[str]] = {}
        self.originals: dict[str, str] = {}

    def row(self, raw: dict[str, Any], source_hash: str) -> Row | None:
        a = self.a
        if not a._table:
            self._own_names()
        product_id = self._id()
        if not product_id:
            return None
        title = self._text("title", a._titles, single=True)
        description = self._description()
        attributes, absent = self._attributes(), self._absent()
        extra = self._extra()
        if a.cleaning.shared and description:
            description = self._without_shared(description, supplier_of(attributes, extra))
        images = self._all_images()
        category, language = self._category(), self._plain("language")
        family = as_text(self.cells.get(FAMILY, "")) or self._plain("family")
        self._check_lengths(category=category, language=language, family=family)
        if not (title or description or attributes or images) and a.describes:
            self._warn("blank-product", column=self._header("id"), value=product_id)
        if any(p.severity == "error" for p in self.problems):
            return None
        spans = self._spans(title, description)
        row = Row(
            line=self.line,
            id=product_id,
            title=title,
            description=description,
            category=category,
            language=language,
            family=family,
            attributes=attributes,
            absent=absent,
            spans=spans,
            images=images,
            extra=extra,
            raw=raw,
            cleaned=self.cleaned,
            originals=self.originals,
            source_hash="" if self.problems else source_hash,
        )
        found = junk(row, a.cleaning.checks)
        return replace(row, junk=found) if found else row

    def _without_shared(self, description: str, supplier: str) -> str:
        """The description without what many products of the supplier say."""
        kept = without_shared(description, self.a.cleaning.shared.get(supplier, ()))
        if kept != description:
            self._changed("description", description, [SHARED])
        return kept

    def _changed(self, name: str, original: str, steps: list[str]) -> None:
        """Remember what a field was and what changed it; a field of several cells has them one below the other."""
        known = self.cleaned.setdefault(name, [])
        known += [step for step in steps if step not in known]
        if steps != [SHARED] or name not in self.originals:
            before = self.originals.get(name)
            self.originals[name] = original if before is None else f"{before}\n{original}"

    def _check_lengths(self, **texts: str) -> None:
        """What is stored in columns of a fixed width must fit them."""
        for name, text in texts.items():
            limit = getattr(self.a.limits, f"{name}_chars")
            if len(text) > limit:
                self._error("long-cell", column=self._header(name), value=text, limit=limit)

    def _own_names(self) -> None:
        """JSON rows may bring keys the sample did not show; those of our own shape mean what they always mean."""
        unknown = self.cells.keys() - self.a._known
        self.own = {OWN[k]: k for k in unknown if k in OWN} if unknown else {}

    own: dict[str, str] = {}

    def _header(self, target: str) -> str:
        return self.a._single.get(target) or self.own.get(target, "")

    def _error(self, code: str, *, column: str, value: object, **params: Any) -> None:
        found = problem(code, file=self.a.file, line=self.line, column=column, value=value, severity="error", **params)
        self.problems.append(found)

    def _warn(self, code: str, *, column: str, value: object, **params: Any) -> None:
        self.problems.append(
            problem(code, file=self.a.file, line=self.line, column=column, value=value, severity="warning", **params)
        )

    def _id(self) -> str:
        header = self._header("id")
        value = self.cells.get(header)
        if isinstance(value, dict | list | bool):
            self._error("bad-value", column=header, value=value, detail="a text or a number")
            return ""
        text = as_text(value).strip()
        if not text:
            self._error(
                "missing-id", column=header or "id", value=next(filter(None, map(as_text, self.cells.values())), "")
            )
        elif len(text) > self.a.limits.id_chars:
            self._error("long-id", column=header, value=text, limit=self.a.limits.id_chars)
            return ""
        return text

    def _plain(self, target: str) -> str:
        text = as_text(self.cells.get(self._header(target))).strip()
        return "" if is_blank(text) else text

    def _clean(self, name: str, value: Any, *, single: bool = False) -> str:
        text = as_text(value)
        if is_blank(text):
            return ""
        original = text
        text, changed = clean_text(text, steps=self.a.steps, single=single)
        if changed:
            self._changed(name, original, changed)
        return "" if is_blank(text) else text

    def _long(self, header: str) -> bool:
        """True where a text of JSON is over the cell limit (tables say so earlier)."""
        value = self.cells.get(header)
        if isinstance(value, str) and len(value) > self.a.limits.cell_chars:
            self._error("long-cell", column=header, value=value, limit=self.a.limits.cell_chars)
            return True
        return False

    def _text(self, name: str, headers: list[str], *, single: bool) -> str:
        for header in headers or filter(None, [self.own.get(name)]):
            if self._long(header):
                return ""
            if text := self._clean(name, self.cells.get(header), single=single):
                return text
        return ""

    def _description(self) -> str:
        """All description columns that say something new, the surest first."""
        parts: list[str] = []
        for header in self.a._descriptions or filter(None, [self.own.get("description")]):
            if self._long(header):
                return ""
            value = self.cells.get(header)
            if isinstance(value, list):  # highlights: a line each
                value = "\n".join(map(as_text, value))
            text = self._clean("description", value)
            if text and not any(text in part for part in parts):
                parts.append(text)
        return "\n\n".join(parts)

    def _category(self) -> str:
        value = self.cells.get(self._header("category"))
        if isinstance(value, list) and value and all(isinstance(v, dict) and "name" in v for v in value):
            value = ">".join(as_text(v["name"]) for v in value)  # a path of named steps
        elif isinstance(value, list):
            value = next((v for v in value if v), "")  # several paths: the first is the main one
        text = as_text(value)
        if self.a.shape == "magento":
            text = magento_category(text)
        text = self._clean("category", text, single=True)
        return "/".join(filter(None, _PATH.split(text))) if _PATH.search(text) else text

    def _attributes(self) -> dict[str, list[str]]:
        a, cells = self.a, self.cells
        found: dict[str, list[str]] = {}
        for header in a._many or filter(None, [self.own.get("attributes")]):
            facets = facets_in(self.cells.get(header), shape=a.shape)
            if facets is None:
                self._warn(
                    "bad-value", column=header, value=as_text(self.cells.get(header)), detail="facets with values"
                )
                continue
            # An object in JSON names facets and tags; cells of a table are text that wants cleaning.
            exact = isinstance(self.cells.get(header), dict)
            for facet, values in facets.items():
                if a.shape != "magento" or not is_system(facet):
                    self._add(found, facet, values, exact=exact)
        for column in a._facets:
            value = cells.get(column.header)
            if value is not None and value != "":
                self._add(found, column.facet or column.header, as_values(value, column.separator))
        for facet, values in self.cells.get(OPTIONS, {}).items() if a.shape == "shopify" else ():
            self._add(found, facet, values)
        if sum(map(len, found.values())) > a.limits.values:
            self._error(
                "too-many-attributes", column=", ".join(a._many), value=next(iter(found)), limit=a.limits.values
            )
        return found

    def _add(self, found: dict[str, list[str]], facet: str, values: list[str], *, exact: bool = False) -> None:
        if not values:
            return
        known = found.setdefault(facet, [])
        for value in values:
            if len(value) > self.a.limits.cell_chars:
                self._error("long-cell", column=facet, value=value, limit=self.a.limits.cell_chars)
                return
            steps = self.a._exact_steps if exact else self.a._value_steps
            text, changed = clean_text(value, steps=steps) if steps else (value, [])
            if changed:
                self._changed(facet, value, changed)
            if text and text not in known:
                known.append(text)

    def _absent(self) -> list[str]:
        header = self.a._lists.get("absent") or self.own.get("absent", "")
        return as_values(self.cells.get(header), "|")

    def _all_images(self) -> list[str]:
        found: dict[str, None] = {}
        headers = [*self.a._images, *([self.own["images"]] if "images" in self.own else [])]
        for header in headers:
            value = self.cells.get(header)
            if isinstance(value, str) and not is_blank(value):
                for part in re.split(
                    r"\s*[|\n]\s*|\s*[,;，；]\s*(?=https?://|/|[\w./-]+\.(?:jpe?g|png|webp)\b)", value
                ):
                    found.setdefault(part.strip())
            elif isinstance(value, list | dict):
                for one in value if isinstance(value, list) else [value]:
                    # schema.org writes a picture as an object with its address.
                    name = one.get("url") or one.get("contentUrl") if isinstance(one, dict) else one
                    found.setdefault(as_text(name).strip())
        for name in self.cells.get(IMAGES, ()) if self.a.shape == "shopify" else ():
            found.setdefault(name)
        found.pop("", None)
        return list(found)

    def _spans(self, title: str, description: str) -> list[dict[str, Any]]:
        header = self.a._lists.get("spans") or self.own.get("spans", "")
        given = self.cells.get(header)
        if not given:
            return []
        if not isinstance(given, list):
            self._warn("bad-value", column=header, value=as_text(given), detail="a list of spans")
            return []
        first = {"title": self.a._titles, "description": self.a._descriptions}
        after = {"title": title, "description": description}
        kept = []
        for span in given:
            name = str(span.get("field", "description")) if isinstance(span, dict) else ""
            if name not in first:
                self._warn("bad-span", column=header, value=as_text(span))
                continue
            source = next(iter(first[name]), None) or self.own.get(name, name)
            try:
                before = as_text(self.cells.get(source))
                moved = relocate({**span, "field": name}, before, after[name], steps=self.a.steps)
            except ValueError:
                self._warn("bad-span", column=header, value=as_text(span))
                continue
            if moved is None:
                self._warn("lost-span", column=header, value=as_text(span))
            else:
                kept.append(moved)
        return kept

    def _extra(self) -> dict[str, str]:
        mapped, own = self.a._mapped, set(self.own.values())
        extra: dict[str, str] = {}
        for header, value in self.cells.items():
            if header in mapped or header in own or value in ("", None) or header[:1] == "\0":
                continue
            if type(value) is str:
                extra[header] = value
            else:
                extra.update(flat(header, value))
        return extra


def columns_of(records: Iterable[Record]) -> list[str]:
    """Every key of some records in order of first appearance."""
    return list(dict.fromkeys(header for record in records for header in record.cells))


__all__ = ["Applier", "Column", "columns_of"]
