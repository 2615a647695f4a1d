"""Tag lists in: a row per tag (CSV, XLSX, JSONL), or facets with their tags inside (JSON, YAML, JSONL)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotations.formats.apply import columns_of
from annotations.formats.cells import as_text, as_values, unguard
from annotations.formats.clean import clean_text
from annotations.formats.detect import detect
from annotations.formats.headers import normal
from annotations.formats.mapping import is_blank
from annotations.formats.products import open_records
from annotations.formats.rows import FileRefused, Limits, Problem, Record, problem
from annotations.formats.source import Readable, Source
from annotations.formats.trees import TREE_FACET, Node, is_tree, path_of, whole
from annotations.formats.yamls import looks_like_yaml, yaml_records

KINDS = {
    "multi": "multi", "multiple": "multi", "many": "multi", "several": "multi", "多选": "multi", "mehrfach": "multi",
    "single": "single", "one": "single", "单选": "single", "einfach": "single", "select": "single",
    "boolean": "boolean", "bool": "boolean", "yes/no": "boolean", "yes or no": "boolean", "是否": "boolean",
    "ja/nein": "boolean", "numeric": "numeric", "number": "numeric", "数值": "numeric", "数字": "numeric",
    "zahl": "numeric", "open": "open", "text": "open", "开放": "open", "offen": "open",
}  # fmt: skip
_YES = frozenset(("1", "true", "yes", "y", "ja", "x", "是", "wahr"))
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[ -][a-z0-9]{2,8})*")
_HEADERS = {
    "facet": "facet|attribute|property|facet name|attribute name|merkmal|eigenschaft|facette|属性|属性名|属性名称|维度",
    "facet slug": "facet slug|facet id|facet handle|attribute handle|attribute id|属性编号",
    "facet definition": "facet definition|facet description|attribute description|属性说明|属性描述",
    "kind": "kind|facet kind|type|selection|类型|选择方式",
    "unit": "unit|einheit|unit of measure|单位|计量单位",
    "variant": "variant axis|variant|变体|规格属性",
    "required": "required|pflicht|必填",
    "categories": "categories|category|category paths|kategorien|类目|分类|适用类目",
    "tag": "tag|value|label|name|tag name|wert|begriff|标签|标签名|属性值|值|取值",
    "slug": "slug|tag slug|handle|tag handle",
    "id": "id|tag id|value id|nr|编号|标签编号",
    "parent": "parent|parent tag|broader|oberbegriff|父标签|上级|上级标签",
    "synonyms": "synonyms|synonym|aliases|alias|synonyme|同义词|别名",
    "definition": "definition|description|tag description|beschreibung|说明|定义|标签说明",
}
_KNOWN = {normal(name): part for part, names in _HEADERS.items() for name in names.split("|")}
_PREFIXES = {
    "英文": "en",
    "中文": "zh-hans",
    "德文": "de",
    "法文": "fr",
    "日文": "ja",
    "西班牙文": "es",
    "繁体": "zh-hant",
}
_NAMED = {"english": "en", "chinese": "zh-hans", "german": "de", "french": "fr", "japanese": "ja", "spanish": "es"}


@dataclass(frozen=True, slots=True)
class TagRow:
    """One tag of a list; ``tag`` is empty where the list names a facet without any.

    facet, tag, parent: what the list calls them: the slug where it gives one, else the name
    labels, facet_labels, definitions, facet_definitions: language code to text; synonyms: language code to words
    kind:       ``multi``, ``single``, ``boolean``, ``numeric``, ``open``, or empty where nobody said
    unit:       what the tags of a facet of numbers count, or empty where nobody said
    variant_axis, required, categories: None where nobody said
    extra:      what else the list says, as text
    """

    line: int
    facet: str
    tag: str = ""
    parent: str = ""
    facet_labels: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    synonyms: Mapping[str, list[str]] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)
    facet_definitions: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    unit: str = ""
    variant_axis: bool | None = None
    required: bool | None = None
    categories: list[str] | None = None
    threshold: float | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def read_tags(
    readable: Readable,
    *,
    name: str = "",
    language: str = "en",
    limits: Limits = Limits(),  # noqa: B008  frozen
) -> Iterator[TagRow | Problem]:
    """Tags and problems of a list. ``language`` is what names without a language are in (Chinese ones are seen to be).

    Raises FileRefused at once, when called, and never while iterating.
    """
    source = Source(readable, name=name, limits=limits)
    try:
        if looks_like_yaml(source):
            records: Iterator[Record | Problem] = yaml_records(source, limits)
        else:
            _, records = open_records(source, detect(source), limits, {})
        first = [item for _, item in zip(range(50), records, strict=False)]
        cells = [item for item in first if isinstance(item, Record)]
        if is_tree([r.cells for r in cells]):
            return _tree(source, first, records, language)
        reader = _Reader(source.name, language, columns_of(cells), nested=any(_nested(r.cells) for r in cells))
        if not cells and not first:
            raise FileRefused("no-rows", source.name)
    except BaseException:
        source.close()
        raise
    return _tags(source, reader, first, records)


def _tags(
    source: Source, reader: _Reader, first: list[Record | Problem], rest: Iterator[Record | Problem]
) -> Iterator[TagRow | Problem]:
    with source:
        for items in (first, rest):
            for item in items:
                if isinstance(item, Problem):
                    yield item
                else:
                    yield from reader.read(item)


def _tree(
    source: Source, first: list[Record | Problem], rest: Iterator[Record | Problem], language: str
) -> Iterator[TagRow | Problem]:
    """The nodes of a tree of categories as tags of one facet. Held as a whole: a label has to be the only one."""
    with source:
        nodes: list[Node] = []
        for item in (*first, *rest):
            if isinstance(item, Problem):
                yield item
            elif path := path_of(item.cells):
                nodes.append(Node(item.line, path))
            else:
                yield problem("missing-tag", file=source.name, line=item.line, column="path", value=as_text(item.cells))
        for node in whole(nodes):
            label = node.label or node.path[-1]
            yield TagRow(
                line=node.line,
                facet=TREE_FACET,
                tag=node.name,
                parent=node.parent,
                facet_labels={"en": "Category", "zh-hans": "类目"},
                labels={_language_of(label, language): label},
            )


def _nested(cells: Mapping[str, Any]) -> bool:
    return any(isinstance(cells.get(key), list) for key in ("tags", "values", "options"))


class _Reader:
    """Records of one list to tags. Raises FileRefused when made where there is no column to take tags from."""

    def __init__(self, file: str, language: str, headers: list[str], *, nested: bool) -> None:
        self.file, self.language, self.nested = file, language, nested
        self.parts: dict[str, list[tuple[str, str]]] = {}
        self.unknown: list[str] = []
        for header in headers:
            part, code = _part_of(header)
            if part:
                self.parts.setdefault(part, []).append((header, code))
            else:
                self.unknown.append(header)
        if not nested and not {"tag", "slug"} & self.parts.keys():
            raise FileRefused("no-tags", file, detail=", ".join(headers)[:200])
        if not nested and not {"facet", "facet slug"} & self.parts.keys():
            raise FileRefused("no-tags", file, detail=", ".join(headers)[:200])

    def read(self, record: Record) -> Iterator[TagRow | Problem]:
        return self._facet_object(record) if self.nested else self._line(record)

    # -- a row per tag ------------------------------------------------------------------------------------------

    def _texts(self, record: Record, part: str) -> dict[str, str]:
        """Language to text of all columns of a part."""
        found: dict[str, str] = {}
        for header, code in self.parts.get(part, ()):
            text = _clean(unguard(as_text(record.cells.get(header))))
            if text:
                found.setdefault(code or _language_of(text, self.language), text)
        return found

    def _text(self, record: Record, part: str) -> str:
        return next(iter(self._texts(record, part).values()), "")

    def _line(self, record: Record) -> Iterator[TagRow | Problem]:
        facet_labels, labels = self._texts(record, "facet"), self._texts(record, "tag")
        facet = self._text(record, "facet slug") or next(iter(facet_labels.values()), "")
        tag = self._text(record, "slug") or next(iter(labels.values()), "")
        kind = self._text(record, "kind")
        for value, code, part in ((facet, "missing-facet", "facet"), (tag, "missing-tag", "tag")):
            if not value and not (part == "tag" and kind):  # a row that says what its facet is may name no tag
                column = (self.parts.get(part) or [(part, "")])[0][0]
                seen = next(filter(None, map(as_text, record.cells.values())), "")
                yield problem(code, file=self.file, line=record.line, column=column, value=seen)
                return
        if kind and kind.casefold() not in KINDS:
            column = self.parts["kind"][0][0]
            yield problem(
                "unknown-kind",
                file=self.file,
                line=record.line,
                column=column,
                value=kind,
                severity="warning",
                detail=kind,
            )
        synonyms: dict[str, list[str]] = {}
        for header, code in self.parts.get("synonyms", ()):
            for word in _words(record.cells.get(header)):
                synonyms.setdefault(code or _language_of(word, self.language), []).append(word)
        extra = {h: t for h in self.unknown if (t := as_text(record.cells.get(h)))}
        if identifier := self._text(record, "id"):
            extra["id"] = identifier
        yield TagRow(
            line=record.line,
            facet=facet,
            tag=tag,
            parent=self._text(record, "parent"),
            facet_labels=facet_labels,
            labels=labels,
            synonyms=synonyms,
            definitions=self._texts(record, "definition"),
            facet_definitions=self._texts(record, "facet definition"),
            kind=KINDS.get(kind.casefold(), ""),
            unit=self._text(record, "unit"),
            variant_axis=_flag(self._text(record, "variant")),
            required=_flag(self._text(record, "required")),
            categories=_words(self._text(record, "categories")) or None,
            extra=extra,
        )

    # -- facets with their tags inside --------------------------------------------------------------------------

    def _facet_object(self, record: Record) -> Iterator[TagRow | Problem]:
        cells = record.cells
        labels = self._names(cells)
        facet = _slug(cells) or next(iter(labels.values()), "")
        if not facet:
            yield problem("missing-facet", file=self.file, line=record.line, value=as_text(cells))
            return
        kind = as_text(cells.get("kind")).casefold()
        if kind and kind not in KINDS:
            yield problem(
                "unknown-kind",
                file=self.file,
                line=record.line,
                column="kind",
                value=kind,
                severity="warning",
                detail=kind,
            )
        common: dict[str, Any] = {
            "line": record.line,
            "facet": facet,
            "facet_labels": labels,
            "facet_definitions": self._by_language(cells, "definition", "definitions", "description", "descriptions"),
            "kind": KINDS.get(kind, ""),
            "unit": _clean(as_text(cells.get("unit"))),
            "variant_axis": _flag(as_text(cells.get("variant_axis"))),
            "required": _flag(as_text(cells.get("required"))),
            "categories": _words(cells.get("categories")) if "categories" in cells else None,
        }
        inside: list[Any] = next(
            (cells[key] for key in ("tags", "values", "options") if isinstance(cells.get(key), list)), []
        )
        if not inside:
            yield TagRow(**common)
        for value in inside:
            yield self._tag_object(value, common, record.line)

    def _tag_object(self, value: Any, common: dict[str, Any], line: int) -> TagRow | Problem:
        if isinstance(value, str):
            value = {"name": value}
        labels = self._names(value) if isinstance(value, dict) else {}
        tag = (_slug(value) if isinstance(value, dict) else "") or next(iter(labels.values()), "")
        if not tag:
            return problem("missing-tag", file=self.file, line=line, column=common["facet"], value=as_text(value))
        threshold = value.get("threshold")
        taken = {
            "slug", "handle", "name", "names", "label", "labels", "synonyms", "parent", "threshold", "definition",
            "definitions", "description",
        }  # fmt: skip
        return TagRow(
            **common,
            tag=tag,
            parent=as_text(value.get("parent")).strip(),
            labels=labels,
            synonyms=self._synonyms(value.get("synonyms")),
            definitions=self._by_language(value, "definition", "definitions", "description"),
            threshold=float(threshold) if isinstance(threshold, int | float) and 0 <= threshold <= 1 else None,
            extra={k: t for k, v in value.items() if k not in taken and (t := as_text(v))},
        )

    def _names(self, cells: Mapping[str, Any]) -> dict[str, str]:
        return self._by_language(cells, "labels", "label", "names", "name", "title")

    def _by_language(self, cells: Mapping[str, Any], *keys: str) -> dict[str, str]:
        for key in keys:
            value = cells.get(key)
            if isinstance(value, dict):
                return {_code(k): t for k, v in value.items() if (t := _clean(as_text(v)))}
            if isinstance(value, str) and (text := _clean(value)):
                return {_language_of(text, self.language): text}
        return {}

    def _synonyms(self, value: Any) -> dict[str, list[str]]:
        if isinstance(value, dict):
            return {_code(k): words for k, v in value.items() if (words := _words(v))}
        found: dict[str, list[str]] = {}
        for word in _words(value):
            found.setdefault(_language_of(word, self.language), []).append(word)
        return found


def _part_of(header: str) -> tuple[str, str]:
    """``(part, language)`` of a column: ``label_de``, ``Synonyms (zh-hans)``, ``英文标签``, ``tag`` alone."""
    name = normal(header)
    if name in _KNOWN:
        return _KNOWN[name], ""
    for prefix, code in (*_PREFIXES.items(), *_NAMED.items()):
        if name.startswith(prefix) and (part := _KNOWN.get(name.removeprefix(prefix).strip())):
            return part, code
    match = re.fullmatch(r"(.+?)\s*[\s(\[]\s*([a-z]{2,3}(?:[ -][a-z0-9]{2,8})?)\s*[)\]]?", name)
    if match and (part := _KNOWN.get(match[1].strip())):
        return part, _code(match[2])
    return "", ""


def _code(text: str) -> str:
    """A language code in one spelling: small letters, hyphens, and Chinese by its script."""
    code = text.strip().lower().replace("_", "-").replace(" ", "-")
    return {"zh-cn": "zh-hans", "zh-tw": "zh-hant", "zh-sg": "zh-hans", "zh-hk": "zh-hant", "zh": "zh-hans"}.get(
        code, code
    )


def _language_of(text: str, otherwise: str) -> str:
    """Chinese is seen by its characters; anything else is in the language the list is said to be in."""
    if not re.search(r"[\u4e00-\u9fff]", text) or re.search(r"[\u3040-\u30ff]", text):
        return otherwise
    return otherwise if otherwise.startswith(("zh", "ja")) else "zh-hans"


def _slug(cells: Mapping[str, Any]) -> str:
    return next((t for key in ("slug", "handle") if (t := as_text(cells.get(key)).strip())), "")


def _clean(text: str) -> str:
    return "" if is_blank(text) and len(text) > 1 else clean_text(text, single=True)[0]


def _words(value: Any) -> list[str]:
    """Words of a list or of a cell, whatever stands between them."""
    if isinstance(value, list):
        return [w for v in as_values(value) if (w := _clean(v))]
    return [w for v in re.split(r"[|;；、\n]|,(?!\d)|，", as_text(value)) if (w := _clean(v.strip()))]


def _flag(text: str) -> bool | None:
    return text.strip().casefold() in _YES if text.strip() else None
