"""A row is judged alike whether it comes in a file or is pushed by a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from annotations.actions.imports import import_products, upsert_products
from annotations.models import Product
from tests.annotations.conftest import World

ROWS: list[dict[str, Any]] = [
    {"id": "ok", "title": "Coat", "attributes": {"colour": ["Black"]}},
    {"title": "no id"},
    {"id": {"odd": 1}, "title": "an object for an id"},
    {"id": "x" * 201, "title": "long id"},
    {"id": "ok", "title": "twice"},
    {"id": "long", "title": "T", "family": "f" * 300},
    {"id": "blank"},
    {"id": "unknown", "title": "U", "attributes": {"colour": ["mauve"], "smell": ["rose"]}},
    {"id": "several", "title": "S", "attributes": {"colour": ["Black", "Red"]}},
    {"id": "span", "title": "S", "description": "wool", "spans": [{"start": 9, "end": 3, "facet": "material", "text": "x"}]},
    {"id": "cell", "title": "C", "description": "d" * 100_001},
]  # fmt: skip


def test_the_same_codes_for_a_file_and_for_a_push(world: World, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    lead = world.people["lead"]
    batch = import_products(catalogue=world.catalogue, path=file, user=lead, attributes_as="suggestions", dry_run=True)
    by_file: dict[int, list[tuple[str, str, str]]] = {}
    for problem in batch.problems.order_by("line", "id"):  # type: ignore[attr-defined]
        by_file.setdefault(problem.line, []).append((problem.code, problem.severity, problem.message))
    answers = upsert_products(catalogue=world.catalogue, rows=ROWS, user=lead, attributes_as="suggestions")
    assert len(answers) == len(ROWS)
    for line, answer in enumerate(answers, start=1):
        pushed = [(p["code"], p["severity"], p["message"]) for p in answer.problems]
        assert sorted(pushed) == sorted(by_file.get(line, [])), ROWS[line - 1]
        left_out = any(severity == "error" for _code, severity, _message in pushed)
        assert (answer.status == "refused") == left_out
    codes = {code for found in by_file.values() for code, _severity, _message in found}
    assert codes >= {
        "missing-id", "bad-value", "long-id", "duplicate-id", "blank-product", "unknown-tag", "unknown-facet",
        "several-values", "bad-span", "long-cell",
    }  # fmt: skip
    assert batch.created == sum(answer.status == "created" for answer in answers)
    assert Product.objects.filter(external_id="ok").get().title == "Coat"
