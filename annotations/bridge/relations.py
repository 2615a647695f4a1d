"""Relations between tags that the decisions speak for."""

from __future__ import annotations

from dataclasses import dataclass

from annotations.bridge.rows import Examples, schema_of
from annotations.models import Catalogue
from annotations.queries import examples as questions
from ml.examples import targets
from ml.instant.model import applicable
from ml.knowledge import learn

MOST = 20_000  # decided products that are looked at, the latest


@dataclass(frozen=True, slots=True)
class Relation:
    """As ``ml.knowledge.Learned``, with (facet, tag) slugs in place of columns."""

    kind: str
    first: tuple[str, str]
    second: tuple[str, str] | None
    categories: tuple[str, ...]
    both: int
    n: int
    expected: float


def learned_relations(catalogue: Catalogue) -> list[Relation]:
    """Strongest first within implications, exclusions, categories, and tags that often come together."""
    schema = schema_of(catalogue)
    decided = Examples(schema).all(questions.decided_facts(catalogue, newest=MOST))
    if not decided:
        return []
    y, known = targets(schema, decided)
    known &= applicable(schema, decided)
    return [
        Relation(
            r.kind, schema.columns[r.first], schema.columns[r.second] if r.second >= 0 else None, r.categories, r.both, r.n,
            round(r.expected, 1),
        )
        for r in learn(schema, y, known, [e.category for e in decided])
    ]  # fmt: skip
