"""Bytes in, rows and problems out."""

from __future__ import annotations

import io
from typing import Any

from annotations.formats.cleaning import Cleaning
from annotations.formats.products import read_products
from annotations.formats.rows import Problem, Row


def read(data: bytes, name: str = "file.csv", **options: Any) -> tuple[list[Row], list[Problem]]:
    if "steps" in options:
        options["cleaning"] = Cleaning(steps=options.pop("steps"))
    items = list(read_products(io.BytesIO(data), name=name, **options))
    return [i for i in items if isinstance(i, Row)], [i for i in items if isinstance(i, Problem)]
