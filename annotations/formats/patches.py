"""What a patch for a shop says of a product, cell by cell: for the writers, and to know such a patch when it comes back.

Sources: Shopify, "Using CSV files to import and export products" (both generations of headers; metafields are named by
the part in parentheses; lists are written with semicolons); Google, "Product data specification" (at most three colours
or materials joined by ``/`` and 100 characters; gender is male, female or unisex; age_group newborn to adult).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from annotations.formats.exporting import ExportRow, ExportTag
from annotations.formats.headers import normal

GOOGLE_COLUMNS = ("color", "gender", "age_group", "material", "pattern", "size")
GOOGLE_CHARS = 100
GOOGLE_VALUES = 3
_GOOGLE_NAMES = {
    "color": "color|colour|colors|farbe|颜色",
    "gender": "gender|sex|geschlecht|性别|department|audience|适用性别|人群",
    "age_group": "age group|age|altersgruppe|年龄|适用年龄",
    "material": "material|materials|材质|面料",
    "pattern": "pattern|muster|图案",
    "size": "size|größe|尺码|尺寸",
}
_GOOGLE_FACETS = {normal(name): column for column, names in _GOOGLE_NAMES.items() for name in names.split("|")}
_GENDERS = {
    "men": "male", "man": "male", "male": "male", "mens": "male", "boys": "male", "herren": "male", "男": "male",
    "男士": "male", "women": "female", "woman": "female", "female": "female", "womens": "female", "girls": "female",
    "damen": "female", "女": "female", "女士": "female", "unisex": "unisex", "男女": "unisex", "中性": "unisex",
}  # fmt: skip
_AGES = {
    "newborn": "newborn", "新生儿": "newborn", "infant": "infant", "baby": "infant", "babies": "infant", "婴儿": "infant",
    "toddler": "toddler", "幼儿": "toddler", "kids": "kids", "children": "kids", "child": "kids", "kinder": "kids",
    "儿童": "kids", "adult": "adult", "adults": "adult", "erwachsene": "adult", "成人": "adult",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metafield:
    """A metafield column of a shop: its header as the shop wrote it, the key in it, and the facet that fills it."""

    header: str
    key: str
    facet: str


@dataclass(frozen=True, slots=True)
class ShopLayout:
    """How a shop names its columns: ``Handle`` in the first generation of its export, ``URL handle`` in the second."""

    handle: str = "Handle"
    title: str = "Title"
    tags: str = "Tags"
    metafields: tuple[Metafield, ...] = ()


def google_cells(row: ExportRow) -> dict[str, list[str]]:
    """Column to the values that Google would be told; a column without any is left out."""
    cells: dict[str, list[str]] = {}
    for facet, tags in row.approved().items():
        column = _GOOGLE_FACETS.get(normal(facet.replace("-", " ")))
        if column and column not in cells:
            found = _google_values(column, [_label(tag) for tag in tags])
            if found:
                cells[column] = found
    return cells


def _google_values(column: str, labels: list[str]) -> list[str]:
    if column in ("gender", "age_group"):
        words = _GENDERS if column == "gender" else _AGES
        found = {words[key] for label in labels if (key := label.casefold().replace("'", "").strip()) in words}
        if column == "gender" and found >= {"male", "female"}:
            return ["unisex"]
        return [*found] if len(found) == 1 else []
    if column in ("size", "pattern"):
        return [" ".join(labels[0][:GOOGLE_CHARS].split())] if len(labels) == 1 else []
    kept: list[str] = []
    for label in labels[:GOOGLE_VALUES]:
        plain = " ".join(label.replace("/", " ").split())
        if len("/".join([*kept, plain])) <= GOOGLE_CHARS:
            kept.append(plain)
    return kept


def shopify_tags(row: ExportRow) -> list[str]:
    """The tags that the product came with and the approved labels, merged: Shopify replaces the cell as a whole."""
    merged = dict.fromkeys(_came(row, "tags"))
    known = {tag.casefold() for tag in merged}
    for tags in row.approved().values():
        for tag in tags:
            label = _label(tag).replace(",", " ")
            if label.casefold() not in known:
                known.add(label.casefold())
                merged[label] = None
    return list(merged)


def shopify_metafield(row: ExportRow, field: Metafield) -> list[str]:
    """The approved labels of the metafield's facet; where nothing is decided, what the shop had."""
    approved = row.approved().get(field.facet)
    return [_label(tag).replace(";", " ") for tag in approved] if approved else _came(row, field.key)


def _came(row: ExportRow, name: str) -> list[str]:
    wanted = normal(name)
    return next((list(values) for key, values in row.source.items() if normal(key) == wanted), [])


def _label(tag: ExportTag) -> str:
    return tag.label or tag.slug


def same_values(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two cells say the same, whatever the order, case or spacing of their values."""
    return {" ".join(v.casefold().split()) for v in one} == {" ".join(v.casefold().split()) for v in other}
