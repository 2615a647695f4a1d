"""The project's own sample catalogue: products in English and Chinese, their taxonomy, the part that is already
approved, the whole truth for simulations, and the pictures, which are drawn.

Plain data and plain functions: no Django, no network. README.md says what is in the files and how to change them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PRODUCT_FILES = (HERE / "products_en.jsonl", HERE / "products_zh.jsonl")
TAXONOMY_FILE = HERE / "taxonomy.json"
APPROVED_FILE = HERE / "approved.jsonl"
TRUTH_FILE = HERE / "truth.jsonl"
PICTURES_FILE = HERE / "pictures.jsonl"
PICTURE_SIDE = 512
"""Pixels."""


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def products() -> Iterator[dict[str, Any]]:
    """Rows of the import shape, English ones first; ``image`` or ``images`` name files that ``draw_all`` makes."""
    for file in PRODUCT_FILES:
        yield from _lines(file)


def taxonomy() -> dict[str, Any]:
    """``{version, categories, facets: [{slug, labels, kind, variant_axis, categories, definitions, tags: [...]}]}``; a tag
    is ``{slug, labels, synonyms: {language: [...]}, parent?, definitions?}``."""
    found: dict[str, Any] = json.loads(TAXONOMY_FILE.read_text(encoding="utf-8"))
    return found


def approved() -> Iterator[dict[str, Any]]:
    """Decisions that the reviewer "sample" has taken, in the shape that ``decide`` reads: an accept for each tag of a
    product, then ``{product, complete: true}``. Families are approved whole or not at all."""
    return _lines(APPROVED_FILE)


def truth() -> dict[str, dict[str, list[str]]]:
    """Every right tag of every product: ``{product id: {facet: [tag, ...]}}``. A facet left out has no right tag."""
    return {row["id"]: row["tags"] for row in _lines(TRUTH_FILE)}


def pictures() -> Iterator[dict[str, Any]]:
    """What each picture shows: ``{image, kind, colour, accent?, pattern?, view?, colours?}``."""
    return _lines(PICTURES_FILE)


def draw_all(directory: Path, progress: Callable[[int, int], object] | None = None) -> None:
    """Draws every picture into the directory as a JPEG named in the products' rows; makes the directory.

    ``progress(done, total)`` is called after each picture. Drawing takes 30 ms a picture, so every core has its share;
    the processes are started afresh, for a fork would take the caller's threads and open files along.
    """
    directory.mkdir(parents=True, exist_ok=True)
    todo = [(directory, picture) for picture in pictures()]
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
        for done, _drawn in enumerate(pool.map(_draw, todo, chunksize=8), 1):
            if progress is not None:
                progress(done, len(todo))


def _draw(task: tuple[Path, dict[str, Any]]) -> None:
    from annotations.sample.drawing import draw  # Pillow and the drawing only where they are needed

    directory, picture = task
    draw(picture, PICTURE_SIDE).save(directory / picture["image"], quality=90)
