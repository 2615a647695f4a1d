"""The project's own sample catalogue, brought in with the verbs that any other catalogue is brought in with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from annotations import sample
from annotations.actions.catalogues import create_catalogue
from annotations.actions.decide_lines import decide_lines
from annotations.actions.import_tags import import_tags
from annotations.actions.imports import import_products
from annotations.models import Catalogue, Decision

Say = Callable[[str, int, int], object]
"""``say(step, done, total)``"""


@dataclass(frozen=True, slots=True)
class Loaded:
    catalogue: Catalogue
    products: int
    tags: int
    decisions: int
    problems: int


def load_sample(*, slug: str = "sample", say: Say = lambda step, done, total: None) -> Loaded:
    """Taxonomy, products with their drawn pictures, and the decisions already taken. Loading it again adds nothing."""
    catalogue = Catalogue.objects.filter(slug=slug).first() or create_catalogue(
        slug=slug, name="Sample", languages=["en", "zh-hans"]
    )
    tags = import_tags(catalogue=catalogue, path=sample.TAXONOMY_FILE, user=None)
    with tempfile.TemporaryDirectory(prefix="tagstudio-sample-") as folder:
        sample.draw_all(Path(folder, "pictures"), lambda done, total: say("pictures", done, total))
        file = Path(folder, "sample.jsonl")
        with file.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in sample.products())
        batch = import_products(
            catalogue=catalogue,
            path=file,
            pictures=Path(folder, "pictures"),
            progress=lambda done, total, step: say("products", done, total),
        )
    decisions = 0
    if not Decision.objects.filter(catalogue=catalogue).exists():
        decided = decide_lines(catalogue=catalogue, lines=sample.approved())
        decisions = decided.decisions
    return Loaded(catalogue, batch.rows, tags.tags, decisions, batch.problem_count + tags.problems)
