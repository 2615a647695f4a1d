"""One cell to values: text, lists, and many facets in one cell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from annotations.formats.mapping import is_blank

_MAGENTO_SPLIT = re.compile(r",(?=[A-Za-z_]\w*=)")
_KEY = re.compile(r"\s*([^:：=；;。！？!?\n]{1,40}?)\s*[:：=]\s*(.*)", re.DOTALL)
_GOOGLE_DETAIL = re.compile(r",(?=[^,:]*:[^,:]+:)")
GUARDED = ("'=", "'+", "'-", "'@", "'\t", "'\r")
"""How spreadsheets' formula guard looks in a table: the apostrophe is not part of the text."""


def as_text(value: Any) -> str:
    """A cell as one text. Lists of plain values are joined by ``|``; objects are JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and not any(isinstance(v, dict | list) for v in value):
        return "|".join(as_text(v) for v in value)
    return json.dumps(value, ensure_ascii=False, default=str)


def unguard(cell: str) -> str:
    return cell[1:] if cell.startswith(GUARDED) else cell


def as_values(value: Any, separator: str = "") -> list[str]:
    """A cell as values without blanks and repeats, in order."""
    if type(value) is str and "|" not in value and (not separator or separator not in value):
        return [] if is_blank(value := value.strip()) else [value]
    if isinstance(value, list):
        parts: Iterable[str] = (as_text(v) for v in value)
    else:
        text = as_text(value)
        if is_blank(text):
            return []  # before it is split: n/a is no list of n and a
        if separator and separator in text:
            # A separator written as \| belongs to the value.
            parts = (
                (p.replace("\\|", "|") for p in re.split(r"(?<!\\)\|", text))
                if separator == "|"
                else text.split(separator)
            )
        else:
            parts = (text.replace("\\|", "|") if "\\|" in text else text,)
    return list(dict.fromkeys(p for part in parts if not is_blank(p := part.strip())))


def flat(key: str, value: Any, depth: int = 3) -> Iterator[tuple[str, str]]:
    """A column nobody mapped, as text; objects become a column per key (``dimensions.width``)."""
    if isinstance(value, dict) and depth and value:
        for inner, v in value.items():
            yield from flat(f"{key}.{inner}", v, depth - 1)
    elif value not in (None, "", [], {}):
        yield key, as_text(value)


def facets_in(value: Any, *, shape: str = "") -> dict[str, list[str]] | None:
    """Many facets in one cell: an object, a list of name and value, ``k=v,k=v|v``, or ``k：v；k：v``.

    None where the cell is something else.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if value is None or (isinstance(value, str) and is_blank(value)):
        return {}
    if isinstance(value, str):
        return _pairs(value.strip(), shape)
    if isinstance(value, dict) and {"attribute_name", "attribute_value"} <= value.keys():
        value = [value]  # one product_detail of a feed
    if isinstance(value, dict):
        return {k.strip(): vs for k, v in value.items() if k.strip() and (vs := as_values(v))}
    if isinstance(value, list) and all(isinstance(v, dict) for v in value):
        return _named_values(value)
    return None


def _named_values(items: list[dict[str, Any]]) -> dict[str, list[str]] | None:
    result: dict[str, list[str]] = {}
    for item in items:
        name = next(
            (item[k] for k in ("name", "key", "label", "attribute", "facet", "attribute_name") if item.get(k)), None
        )
        found = next(
            (item[k] for k in ("values", "value", "tag", "tags", "attribute_value") if item.get(k) is not None), None
        )
        if name is None or found is None:
            return None
        values = result.setdefault(as_text(name).strip(), [])
        values += [v for v in as_values(found) if v not in values]
    return {k: v for k, v in result.items() if k and v}


def _pairs(text: str, shape: str) -> dict[str, list[str]] | None:
    if shape == "google":
        # section:name:value, several separated by commas (Google, product_detail)
        return _collect(part.split(":", 2)[1:] for part in _GOOGLE_DETAIL.split(text) if part.count(":") >= 2)
    if re.match(r'"?[A-Za-z_]\w*=', text):
        parts = (part.strip().strip('"').partition("=")[::2] for part in _MAGENTO_SPLIT.split(text))
        return _collect(parts, separator="|")
    return _colon_pairs(text)


def _colon_pairs(text: str) -> dict[str, list[str]] | None:
    """A piece without a name belongs to the value before it: long values hold semicolons of their own."""
    sign = next((s for s in ("；", ";", "\n", "|") if s in text), "\n")
    pairs: list[list[str]] = []
    for piece in text.split(sign):
        if found := _KEY.fullmatch(piece):
            pairs.append([found[1], found[2]])
        elif pairs:
            pairs[-1][1] += sign + piece
        elif piece.strip():
            return None
    return _collect(pairs)


def _collect(pairs: Iterable[Iterable[str]], separator: str = "") -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for name, value in pairs:
        if (name := name.strip()) and (values := as_values(value.strip(), separator)):
            known = result.setdefault(name, [])
            known += [v for v in values if v not in known]
    return result
