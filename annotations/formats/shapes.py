"""Exports that need more than a mapping: Shopify (a product over several rows), Magento, Google Merchant.

A shape does two things: it overrides the mapping of its columns, and it may join or annotate records before the mapping
is applied. Sources: Shopify's "Using CSV files to import and export products" (both generations of headers), Google's
"Product data specification", Magento's "Import/export data format".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from annotations.formats.headers import normal
from annotations.formats.mapping import Column
from annotations.formats.rows import Problem, Record

HELD_ROWS = 5_000
"""Magento lists a product's variants before the product itself; this many rows are held back to learn their family."""
METAFIELD = re.compile(r"\(\s*(?:product\.)?metafields\.([\w-]+)\.([\w-]+)\s*\)\s*$", re.IGNORECASE)
_SYSTEM = re.compile(
    r"^(has_options|required_options|quantity_and_stock_status|gift_message_available|options_container|"
    r"links_.*|shipment_type|weight_type|price_type|price_view|sku_type|msrp.*|ts_.*|custom_.*|is_.*|tax_class_id|"
    r"cost|mageworx.*)$"
)

_SHOPIFY = {
    "handle": "id", "url handle": "id", "title": "title", "body (html)": "description", "description": "description",
    "product category": "category", "type": "attribute", "vendor": "attribute", "tags": "attribute",
    "image src": "images", "product image url": "images", "variant image": "images", "variant image url": "images",
}  # fmt: skip
_MAGENTO = {
    "sku": "id", "name": "title", "description": "description", "short description": "description",
    "categories": "category", "base image": "images", "additional images": "images",
    "additional attributes": "attributes", "country of manufacture": "attribute",
}  # fmt: skip
_GOOGLE = {
    "id": "id", "title": "title", "description": "description", "link": "", "image link": "images",
    "additional image link": "images", "item group id": "family", "product type": "category",
    "google product category": "category", "brand": "attribute", "color": "attribute", "gender": "attribute",
    "age group": "attribute", "size": "attribute", "material": "attribute", "pattern": "attribute",
    "size type": "attribute", "size system": "attribute", "condition": "attribute", "product highlight": "description",
    "product detail": "attributes", "custom label 0": "attribute", "custom label 1": "attribute",
    "custom label 2": "attribute", "custom label 3": "attribute", "custom label 4": "attribute",
}  # fmt: skip
_SLASHED = ("color", "material")
_TABLES = {"shopify": _SHOPIFY, "magento": _MAGENTO, "google": _GOOGLE}


def shape_of(headers: Iterable[str]) -> str:
    """The export these headers are of, by columns that only it has."""
    headers = list(headers)
    names = {normal(h) for h in headers}
    if names & {"handle", "url handle"} and (
        {"option1 name", "body (html)", "variant sku", "product image url", "image src", "vendor", "tags"} & names
        or any(METAFIELD.search(h) for h in headers)
    ):
        return "shopify"
    if "sku" in names and {"additional attributes", "attribute set code", "configurable variations"} & names:
        return "magento"
    if "id" in names and len({"image link", "item group id", "google product category", "availability"} & names) >= 2:
        return "google"
    # a supplemental feed names products by id alone, and nothing that Google does not know
    if "id" in names and "title" not in names and len(names) > 2 and names <= _GOOGLE.keys():
        return "google"
    return ""


def shape_columns(shape: str, columns: Sequence[Column]) -> list[Column]:
    """Columns mapped as their export means them. Those the export's table does not name are kept unmapped."""
    table = _TABLES[shape]
    names = {normal(c.header) for c in columns}
    result = []
    for column in columns:
        name = normal(column.header)
        target, facet, separator = table.get(name, ""), "", ""
        if shape == "shopify" and (meta := METAFIELD.search(column.header)):
            # The part in parentheses is stable, the name before it is in the shop's language.
            target, facet, separator = "attribute", meta[2], ";"
        elif target == "attribute":
            # a feed in XML says age_group where a sheet says “age group”
            facet = name.replace(" ", "_") if shape == "google" else column.header
            separator = "," if name == "tags" else "/" if name in _SLASHED and shape == "google" else ""
        if name == "google product category" and "product type" in names:
            target = ""
        if name == "type" and shape == "shopify" and "product category" not in names:
            target, facet = "category", ""
        sure = 1.0 if target in ("id", "title") else 0.95
        sure = 0.9 if name in ("short description", "product highlight", "additional images") else sure
        result.append(
            replace(
                column, target=target, facet=facet, separator=separator,
                confidence=sure if target else 0.0, reason="shape" if target else "",
            )
        )  # fmt: skip
    return result


def prepare(shape: str, records: Iterable[Record | Problem]) -> Iterator[Record | Problem]:
    """Records as one product each, in the shape's own cells (keys that begin with ``\\0`` can't clash with headers)."""
    if shape == "shopify":
        return _shopify(records)
    if shape == "magento":
        return _magento(records)
    return iter(records)


FAMILY = "\0family"
OPTIONS = "\0options"
IMAGES = "\0images"
ROWS = "\0rows"
"""The rows that a product was put together from."""


def _shopify(records: Iterable[Record | Problem]) -> Iterator[Record | Problem]:
    """Rows in a row with one handle are one product: its fields stand on the first, variants and pictures on all."""
    held: Record | None = None
    keys: dict[str, str] = {}
    for item in records:
        if isinstance(item, Problem):
            yield item
            continue
        if not keys:
            keys = {normal(h): h for h in item.cells}
        id_key = keys.get("handle") or keys.get("url handle") or ""
        handle = str(item.cells.get(id_key) or "").strip()
        if held is None or (handle and handle != str(held.cells.get(id_key) or "").strip()):
            if held is not None:
                yield held
            held = Record(item.line, {**item.cells, OPTIONS: {}, IMAGES: [], "\0variants": [], ROWS: []})
        if len(held.cells[ROWS]) < HELD_ROWS:
            held.cells[ROWS].append(item.cells)
        _shopify_variant(held, item, keys)
    if held is not None:
        yield held


def _shopify_variant(product: Record, row: Record, keys: dict[str, str]) -> None:
    cells = row.cells

    def cell(*names: str) -> str:
        return next((str(cells[keys[n]]).strip() for n in names if n in keys and cells.get(keys[n])), "")

    product_cell = product.cells
    for n in ("1", "2", "3"):
        name = cell(f"option{n} name") or product_cell.get(f"\0name{n}", "")
        product_cell[f"\0name{n}"] = name
        value = cell(f"option{n} value")
        if name and value and (name, value) != ("Title", "Default Title"):
            values = product_cell[OPTIONS].setdefault(name, [])
            if value not in values:
                values.append(value)
    for picture in (cell("image src", "product image url"), cell("variant image", "variant image url")):
        if picture and picture not in product_cell[IMAGES]:
            product_cell[IMAGES].append(picture)
    if sku := cell("variant sku", "sku"):
        product_cell["\0variants"].append(sku)


def _magento(records: Iterable[Record | Problem]) -> Iterator[Record | Problem]:
    """Variants learn their family from the configurable product that follows and names them.

    Rows that can't be bought by themselves are held back until then, at most HELD_ROWS of them.
    """
    held: list[Record] = []
    for item in records:
        if isinstance(item, Problem):
            yield item
            continue
        variations = str(item.cells.get("configurable_variations") or "")
        if variations:
            parent = str(item.cells.get("sku") or "").strip()
            members = set(re.findall(r"(?:^|\|)sku=([^,|]+)", variations))
            for record in held:
                if str(record.cells.get("sku") or "").strip() in members:
                    record.cells[FAMILY] = parent
            item.cells[FAMILY] = parent
            yield from held
            held.clear()
            yield item
        elif str(item.cells.get("visibility") or "").strip() == "Not Visible Individually":
            held.append(item)
            if len(held) > HELD_ROWS:
                yield held.pop(0)
        else:
            yield from held
            held.clear()
            yield item
    yield from held


def is_system(facet: str) -> bool:
    """Magento's own switches among ``additional_attributes``."""
    return bool(_SYSTEM.match(facet))


def magento_category(cell: str) -> str:
    """The first full path of ``Default Category/Men/Tops,Default Category``, without the root."""
    paths = [p.strip() for p in re.split(r",(?=[^,/]*/|Default Category)", cell) if p.strip()]
    trimmed = [p.removeprefix("Default Category").lstrip("/") for p in paths]
    return next((p for p in trimmed if p), "")


def tidy_raw(cells: dict[str, Any]) -> dict[str, Any]:
    """The cells as the file had them, without those added here."""
    return {h: v for h, v in cells.items() if not h.startswith("\0")}
