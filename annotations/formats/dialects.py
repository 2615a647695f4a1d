"""Records of other tools as rows of ours: Label Studio tasks, doccano lines, schema.org products.

Each is JSON whose fields lie inside one another; here they become the cells of a plain record (``id``, ``title``,
``description``, ``attributes``, ``spans`` …), which a mapping can then be proposed for. What a tool says of a product
and we have no name for stays beside it under the tool's own name.

Sources: Label Studio, "Task format" (``data``, ``annotations[].result[]``, ``predictions[]``); doccano's exports
(``label``, or ``entities`` with ``start_offset`` and ``end_offset``, or ``cats``); schema.org ``Product``,
``ProductGroup``, ``PropertyValue``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from annotations.formats.cells import as_text
from annotations.formats.rows import Problem, Record

Cells = dict[str, Any]
TITLES = ("title", "name", "product_name", "headline")
TEXTS = ("description", "text", "body", "content", "html")
_FACETS = ("color", "material", "pattern", "size", "brand", "audience", "countryOfOrigin", "keywords", "award", "model")


def dialect_of(records: Sequence[Record]) -> str:
    """``labelstudio``, ``doccano``, ``jsonld`` or empty, by what most of the first records look like."""
    for name, looks in (("labelstudio", _is_task), ("jsonld", _is_jsonld), ("doccano", _is_doccano)):
        if records and sum(looks(record.cells) for record in records) * 2 > len(records):
            return name
    return ""


def _is_task(cells: Cells) -> bool:
    return isinstance(cells.get("data"), dict) and any(
        isinstance(cells.get(key), list) for key in ("annotations", "predictions", "completions")
    )


def _is_jsonld(cells: Cells) -> bool:
    return "@type" in cells or "@graph" in cells


def _is_doccano(cells: Cells) -> bool:
    text = cells.get("text", cells.get("data"))
    return isinstance(text, str) and any(isinstance(cells.get(k), list | dict) for k in ("label", "entities", "cats"))


def flatten(dialect: str, items: Iterable[Record | Problem]) -> Iterator[Record | Problem]:
    """Records with plain cells, in order; of ``jsonld`` one per product that can be bought."""
    change = _DIALECTS[dialect]
    for item in items:
        if isinstance(item, Problem):
            yield item
        else:
            yield from (Record(item.line, cells) for cells in change(item.cells))


def _by_text(*texts: str) -> str:
    """An id for a record that has none: the same text is the same product, in whatever file it comes."""
    return "text-" + hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _at(text: str, start: int, end: int, said: str) -> tuple[int, int] | None:
    """Where ``said`` stands, nearest to the place given: some tools count UTF-16 units, we count characters."""
    if not said or text[start:end] == said:
        return (start, end) if 0 <= start < end <= len(text) else None
    best = min(_places(text, said), key=lambda at: abs(at - start), default=None)
    return None if best is None else (best, best + len(said))


def _places(text: str, said: str) -> Iterator[int]:
    at = text.find(said)
    while at >= 0:
        yield at
        at = text.find(said, at + 1)


def _add(facets: dict[str, list[str]], name: str, values: Iterable[str]) -> None:
    known = facets.setdefault(name, [])
    known += [value for value in values if value and value not in known]


# -- Label Studio ---------------------------------------------------------------------------------------------------


def _task(cells: Cells) -> Iterator[Cells]:
    """What people annotated becomes ``attributes``; what a model predicted stays apart under ``predictions``."""
    data: Cells = cells["data"]
    title = next((key for key in TITLES if isinstance(data.get(key), str)), "")
    body = next((key for key in TEXTS if isinstance(data.get(key), str)), "")
    text = as_text(data.get(body)) if body else ""
    out: Cells = {key: value for key, value in data.items() if key not in (title, body)}
    # our own export joins title and description into one text; both are there by themselves as well
    out["title"] = data.get(title, "") if title else ""
    out["description"] = data["description"] if isinstance(data.get("description"), str) else text
    out["id"] = next(
        (as_text(v) for v in (data.get("id"), data.get("sku"), cells.get("id")) if v not in (None, "")), ""
    )
    done = [a for a in (cells.get("annotations") or cells.get("completions") or ()) if isinstance(a, dict)]
    results = [a.get("result") or () for a in done if not a.get("was_cancelled")]
    out["attributes"], out["spans"] = _results(results[-1:] or [()], {body: text, **_texts(data)}, out)
    if said := [p.get("result") or () for p in cells.get("predictions") or () if isinstance(p, dict)]:
        out["predictions"] = _results(said, {body: text, **_texts(data)}, out)[0]
    yield out


def _texts(data: Cells) -> dict[str, str]:
    return {key: value for key, value in data.items() if isinstance(value, str)}


def _results(results: Iterable[Any], texts: dict[str, str], out: Cells) -> tuple[dict[str, list[str]], list[Cells]]:
    """Choices and labels of some results as facets with values, and the labels' places as spans."""
    facets: dict[str, list[str]] = {}
    spans: list[Cells] = []
    for one in chain.from_iterable(results):
        value = one.get("value") if isinstance(one, dict) else None
        if not isinstance(value, dict):
            continue
        name = as_text(one.get("from_name"))
        for kind in ("choices", "taxonomy", "textarea"):
            found = value.get("text") if kind == "textarea" and one.get("type") == "textarea" else value.get(kind)
            if isinstance(found, list) and name:
                _add(facets, name, (as_text(v[-1] if isinstance(v, list) and v else v) for v in found))
        for label in value.get("labels") or value.get("hypertextlabels") or ():
            _label(as_text(label), one, value, texts, out, facets, spans)
    return facets, spans


def _label(
    label: str, one: Cells, value: Cells, texts: dict[str, str], out: Cells,
    facets: dict[str, list[str]], spans: list[Cells],
) -> None:  # fmt: skip
    text = next((t for key, t in texts.items() if key == one.get("to_name")), next(iter(texts.values()), ""))
    said = as_text(value.get("text")).replace("\\n", "\n")
    start, end = value.get("start"), value.get("end")
    if not isinstance(start, int) or not isinstance(end, int):
        return
    words = said or text[start:end]
    _add(facets, label, [words])
    for field in ("description", "title"):
        whole = as_text(out.get(field))
        if (place := _at(whole, start, end, words)) is not None:
            found = {"start": place[0], "end": place[1], "facet": label, "text": words, "field": field}
            if found not in spans:
                spans.append(found)
            return


# -- doccano --------------------------------------------------------------------------------------------------------


def _doccano(cells: Cells) -> Iterator[Cells]:
    key = "text" if isinstance(cells.get("text"), str) else "data"
    text = cells[key]
    out: Cells = {k: v for k, v in cells.items() if k not in (key, "label", "entities", "cats", "id")}
    facets: dict[str, list[str]] = {}
    spans: list[Cells] = []
    for start, end, label in _doccano_spans(cells):
        if 0 <= start < end <= len(text):
            _add(facets, label, [text[start:end]])
            spans.append({"start": start, "end": end, "facet": label, "text": text[start:end], "field": "description"})
    classes = [v for name in ("label", "cats") for v in _plain_labels(cells.get(name))]
    if classes:
        _add(facets, "label", classes)
    given = cells.get("id")
    out |= {"id": as_text(given) if given not in (None, "") else _by_text(text), "title": as_text(cells.get("title"))}
    yield {**out, "description": text, "attributes": facets, "spans": spans}


def _doccano_spans(cells: Cells) -> Iterator[tuple[int, int, str]]:
    for one in cells.get("label") or ():
        if isinstance(one, list) and len(one) == 3 and isinstance(one[0], int) and isinstance(one[1], int):
            yield one[0], one[1], as_text(one[2])
    for one in cells.get("entities") or ():
        start, end = (one.get("start_offset"), one.get("end_offset")) if isinstance(one, dict) else (None, None)
        if isinstance(start, int) and isinstance(end, int):
            yield start, end, as_text(one.get("label"))


def _plain_labels(value: Any) -> list[str]:
    if isinstance(value, dict):  # {"class": probability or 1}
        return [as_text(k) for k, v in value.items() if v]
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


# -- schema.org -----------------------------------------------------------------------------------------------------


def _jsonld(cells: Cells) -> Iterator[Cells]:
    if isinstance(graph := cells.get("@graph"), list):
        for node in graph:
            if isinstance(node, dict):
                yield from _jsonld(node)
        return
    kinds = cells.get("@type")
    kinds = {as_text(k).rpartition("/")[2] for k in (kinds if isinstance(kinds, list) else [kinds])}
    if "ProductGroup" in kinds and isinstance(cells.get("hasVariant"), list):
        family = as_text(cells.get("productGroupID") or cells.get("@id") or cells.get("sku"))
        shared = {
            k: v for k, v in cells.items() if k in ("name", "description", "brand", "category", "image", *_FACETS)
        }
        for variant in cells["hasVariant"]:
            if isinstance(variant, dict):
                yield _schema_product({**shared, **variant}, family)
    elif kinds & {"Product", "ProductModel", "IndividualProduct", "ProductGroup", "SomeProducts"}:
        group = cells.get("isVariantOf")
        family = as_text(group.get("productGroupID") or group.get("@id")) if isinstance(group, dict) else ""
        yield _schema_product(cells, family or as_text(cells.get("inProductGroupWithID")))
    elif "ListItem" in kinds and isinstance(cells.get("item"), dict):
        yield from _jsonld(cells["item"])
    elif isinstance(items := cells.get("itemListElement"), list):
        for item in items:
            if isinstance(item, dict):
                yield from _jsonld(item)


def _schema_product(cells: Cells, family: str) -> Cells:
    facets: dict[str, list[str]] = {}
    for name in _FACETS:
        for value in _list(cells.get(name)):
            _add(facets, name, [_named(value)])
    for extra in _list(cells.get("additionalProperty")):
        if isinstance(extra, dict) and extra.get("name"):
            unit = as_text(extra.get("unitText") or "")
            values = (f"{as_text(v)} {unit}".strip() for v in _list(extra.get("value")))
            _add(facets, as_text(extra["name"]), values)
    taken = {*_FACETS, "@type", "@context", "@id", "name", "description", "category", "image", "additionalProperty",
             "isVariantOf", "hasVariant", "inProductGroupWithID", "productID", "sku"}  # fmt: skip
    category = cells.get("category")
    return {
        **{k: v for k, v in cells.items() if k not in taken},
        "id": next((as_text(v) for k in ("sku", "productID", "mpn", "@id", "url") if (v := cells.get(k))), ""),
        "title": as_text(cells.get("name")),
        "description": as_text(cells.get("description")),
        "category": _named(next(iter(_list(category)), "")),
        "family": family,
        "attributes": facets,
        "images": [_address(image) for image in _list(cells.get("image"))],
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def _named(value: Any) -> str:
    """A text, or the name of a thing: a brand, an audience, a defined term."""
    if isinstance(value, dict):
        return as_text(value.get("name") or value.get("suggestedGender") or value.get("codeValue") or value.get("@id"))
    return as_text(value)


def _address(value: Any) -> str:
    return as_text(value.get("contentUrl") or value.get("url")) if isinstance(value, dict) else as_text(value)


_DIALECTS: dict[str, Callable[[Cells], Iterator[Cells]]] = {
    "labelstudio": _task,
    "doccano": _doccano,
    "jsonld": _jsonld,
}
