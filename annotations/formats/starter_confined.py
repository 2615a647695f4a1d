"""Taxonomy files that somebody sent, read in a child process with limits (``sandbox.py``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from annotations.formats.outline import Outline, outline_of
from annotations.formats.rows import Limits
from annotations.formats.sandbox import Encoded, run_limited, stream_limited
from annotations.formats.starter import Starter, StarterCategory, StarterFacet, StarterValue, read_starter

SECONDS, MEGABYTES = 300, 1024
AT_ONCE = 100
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def outline_confined(
    paths: Sequence[Path], *, names: Sequence[str], language: str, limits: Limits, seconds: float = SECONDS
) -> Outline:
    """``outline_of`` of files on disk. Raises FileRefused like it."""
    said = run_limited(
        _outline, [str(p) for p in paths], list(names), language, asdict(limits), seconds=seconds, megabytes=MEGABYTES
    )
    return Outline.from_json(said)


def _outline(paths: list[str], names: list[str], language: str, limits: dict[str, Any]) -> dict[str, Any]:
    return outline_of([Path(p) for p in paths], names=names, language=language, limits=Limits(**limits)).to_json()


def read_starter_confined(paths: Sequence[Path], *, names: Sequence[str] = (), seconds: float = SECONDS) -> Starter:
    """``read_starter`` of one file or two. Raises FileRefused like it."""
    facets: list[StarterFacet] = []
    categories: list[StarterCategory] = []
    for kind, rows in stream_limited(
        _starter, [str(p) for p in paths], list(names), seconds=seconds, megabytes=MEGABYTES
    ):
        if kind == "facets":
            facets += (
                StarterFacet(handle, labels, texts, tuple(extended), tuple(StarterValue(*v) for v in values))
                for handle, labels, texts, extended, values in rows
            )
        else:
            categories += (
                StarterCategory(pk, {c: tuple(p) for c, p in path.items()}, tuple(children), tuple(attributes))
                for pk, path, children, attributes in rows
            )
    return Starter(tuple(facets), tuple(categories))


def _starter(paths: list[str], names: list[str]) -> Iterator[Encoded]:
    """In the child: the parts of the taxonomy in blocks."""
    found = read_starter(Path(paths[0]), Path(paths[1]) if len(paths) > 1 else None, names=names)
    for start in range(0, len(found.facets), AT_ONCE):
        block = [
            [f.handle, f.labels, f.descriptions, f.extended, [[v.handle, v.labels] for v in f.values]]
            for f in found.facets[start : start + AT_ONCE]
        ]
        yield Encoded(_ENCODER.encode(["facets", block]))
    for start in range(0, len(found.categories), AT_ONCE):
        some = [[c.id, c.path, c.children, c.attributes] for c in found.categories[start : start + AT_ONCE]]
        yield Encoded(_ENCODER.encode(["categories", some]))
