"""Junk rows, and who sends them: checks on a finished row, each with a name so that it can be listed and switched off.

A check says only what no product can be: a word too many here would set real products aside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotations.formats.rows import Row

_PLACEHOLDER = re.compile(
    r"(?:test|testing|tests|dummy|sample|example|demo|placeholder|untitled|lorem ipsum|asdf+|qwerty?|foo|bar|foobar|"
    r"tbd|tba|todo|n/?a|none|null|nil|undefined|nan|xx+|do not use|delete(?: me)?|deleted|"
    r"测试|测试商品|测试产品|示例|样例|无|暂无|占位|删除|请勿购买)"
    r"(?:[\s_-]*(?:product|item|article|title|name|商品|产品))?[\s_#.-]*\d{0,6}",
    re.IGNORECASE,
)
_WORDLESS = re.compile(r"[\d\W_]{1,12}")
_SAME = re.compile(r"(.)\1{2,}")
_SHEET_ERROR = re.compile(r"#(?:REF|N/A|VALUE|NAME|DIV/0|NULL|NUM|SPILL|CALC)[!?]?|#+", re.IGNORECASE)
_HEADERS = frozenset(
    ("title", "name", "product name", "product title", "item name", "标题", "商品名称", "产品名称", "名称", "titel", "bezeichnung")
)  # fmt: skip
_ID_HEADERS = frozenset(
    ("id", "sku", "product id", "item id", "external id", "handle", "货号", "编号", "商品编号", "artikelnummer")
)


def blank(row: Row) -> bool:
    """Nothing that anybody could look at or read."""
    return not (row.title or row.description or row.attributes or row.images)


def placeholder(row: Row) -> bool:
    """A title that somebody typed to try something (``test 3``, ``测试``, ``111``), and no description beyond it."""
    title = row.title
    if not title or len(title) > 40 or len(row.description) > 40:
        return False
    if _PLACEHOLDER.fullmatch(title):
        return True
    # a number may be a name ("501"): only one digit over and over, or nothing but signs, and nothing said besides
    return bool(_WORDLESS.fullmatch(title) and (_SAME.fullmatch(title) or not any(map(str.isdigit, title)))) and (
        not row.description or row.description == title
    )


def header(row: Row) -> bool:
    """The headings once more in the middle of a file, as glued sheets have them."""
    return row.title.casefold() in _HEADERS and row.id.casefold() in _ID_HEADERS


def sheet_error(row: Row) -> bool:
    """``#REF!`` and its kin where the title should be."""
    return row.title[:1] == "#" and bool(_SHEET_ERROR.fullmatch(row.title))


CHECKS: dict[str, Callable[[Row], bool]] = {
    "blank": blank,
    "placeholder": placeholder,
    "header": header,
    "sheet_error": sheet_error,
}


def junk(row: Row, checks: Collection[str] = tuple(CHECKS)) -> str:
    """The first check that takes the row for junk; empty when none does."""
    return next((name for name in checks if CHECKS[name](row)), "")


_SUPPLIERS = (
    "supplier", "vendor", "brand", "manufacturer", "marke", "hersteller", "lieferant", "品牌", "供应商", "制造商", "厂商",
    "brand name", "brandname", "品牌名称",
)  # fmt: skip
SUPPLIER_CHARS = 200


def supplier_of(attributes: Mapping[str, Collection[str]], extra: Mapping[str, str]) -> str:
    """Who sends or makes the product, by the first of the usual names that the row has; empty when none is named."""
    named = {name.casefold(): name for name in (*extra, *attributes)}
    for wanted in _SUPPLIERS:
        name = named.get(wanted)
        if name is not None:
            value = next(iter(attributes.get(name, ())), "") or str(extra.get(name, ""))
            if value:
                return value.strip()[:SUPPLIER_CHARS]
    return ""


def lines_of(description: str) -> list[str]:
    """The lines that shared text is looked for in; as they are compared."""
    return [line.strip() for line in description.split("\n")]


def without_shared(description: str, shared: Collection[str]) -> str:
    """The description without the lines that many products of its supplier have. Empty lines do not pile up."""
    if not any(line in shared for line in lines_of(description)):
        return description
    kept = [line for line in description.split("\n") if line.strip() not in shared]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
