"""What the products of a pool are asked: which tags are a question at all, and which facets their source came with a
value for. The first goes by the category, the second by the claimed facets, and of either few are different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.examples import Example
from ml.instant.model import applies_to, claims_of
from ml.schema import Schema


@dataclass(slots=True)
class _Table:
    """Distinct values with a number each."""

    values: list[object] = field(default_factory=list)
    number: dict[object, int] = field(default_factory=dict)

    def code(self, value: object) -> int:
        if value not in self.number:
            self.number[value] = len(self.values)
            self.values.append(value)
        return self.number[value]


class Asked:
    """By the pool's row."""

    def __init__(self) -> None:
        self._category, self._claims = _Table(), _Table()
        self._category_of = np.zeros(0, dtype=np.int32)
        self._claims_of = np.zeros(0, dtype=np.int32)
        self._made: tuple[Schema, tuple[int, int], np.ndarray, np.ndarray] | None = None

    def grow(self, rows: int) -> None:
        """Make room for so many rows in all."""
        more = np.zeros(rows - len(self._category_of), dtype=np.int32)
        self._category_of = np.concatenate([self._category_of, more])
        self._claims_of = np.concatenate([self._claims_of, more])

    def read(self, rows: np.ndarray, examples: Sequence[Example]) -> None:
        for row, example in zip(rows.tolist(), examples, strict=True):
            self._category_of[row] = self._category.code(example.category)
            self._claims_of[row] = self._claims.code(tuple(sorted(f for f, values in example.source.items() if values)))

    def of_rows(self, rows: np.ndarray, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
        """``applies, claimed``, each ``(n, T)`` bool: see :class:`ml.instant.model.Features`."""
        categories, claims = self.tables(schema)
        return categories[self._category_of[rows]], claims[self._claims_of[rows]]

    def tables(self, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
        """``(categories, T)`` where a tag is a question at all, ``(claims, T)`` where the source came with a value.

        Kept until the schema or the values change.
        """
        have = (len(self._category.values), len(self._claims.values))
        if self._made is None or self._made[0] is not schema or self._made[1] != have:
            categories = np.stack([applies_to(schema, str(c)) for c in self._category.values or [""]])
            claims = np.stack([claims_of(schema, c) for c in self._claims.values or [()]])  # type: ignore[arg-type]
            self._made = (schema, have, categories, claims)
        return self._made[2:]
