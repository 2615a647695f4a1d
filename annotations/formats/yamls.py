"""YAML as records: tag lists are often kept in it. Safe loading, no aliases, limited in size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from annotations.formats.jsonl import as_record, pick
from annotations.formats.rows import FileRefused, Limits, Problem, Record
from annotations.formats.source import Source

YAML_BYTES = 16 * 1024**2


def looks_like_yaml(source: Source) -> bool:
    """By name, or by a first line that only YAML has."""
    if source.name.lower().removesuffix(".gz").endswith((".yaml", ".yml")):
        return True
    return re.match(rb"(?:\xef\xbb\xbf)?(?:#[^\n]*\n)*(?:---\s*\n|facets:\s*\n)", source.head(4096)) is not None


def yaml_records(source: Source, limits: Limits) -> Iterator[Record | Problem]:
    """Records of the longest list of objects. Raises FileRefused at once."""
    try:
        import yaml
    except ImportError as error:
        raise FileRefused("needs-package", source.name, detail="YAML") from error
    data = source.head(min(YAML_BYTES, limits.json_bytes) + 1)
    if len(data) > min(YAML_BYTES, limits.json_bytes):
        raise FileRefused("too-large", source.name, limit=YAML_BYTES)
    if not data.strip():
        raise FileRefused("empty", source.name)
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        # A few lines of aliases can stand for billions of nodes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, Loader=loader)):
            raise FileRefused("unreadable", source.name, detail="YAML with aliases (*name) is not taken")
        value = yaml.load(data, Loader=loader)  # noqa: S506  the safe loader, in C where there is one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark: Any = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else str(error)[:80]
        raise FileRefused("unreadable", source.name, detail=f"YAML: {where}") from error
    elements = pick(value, None)
    if elements is None:
        raise FileRefused("no-list", source.name)
    return (
        as_record(_plain(element), repr(element), n, file=source.name) for n, element in enumerate(elements, start=1)
    )


def _plain(value: Any) -> Any:
    """Dates and other YAML values as text, keys as text: what JSON could have said."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
