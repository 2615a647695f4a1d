"""What a generator reads to write drafts: products with their approved tags."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from annotations.bridge import shelf
from annotations.bridge.rows import Examples, schema_of
from annotations.models import Catalogue, ModelVersion
from annotations.queries import examples as questions
from ml.examples import write_jsonl


def write_draft_directory(
    catalogue: Catalogue, directory: Path, model: ModelVersion, products: Sequence[int], kinds: Sequence[str]
) -> None:
    """``config.json`` and ``examples.jsonl`` for ``python -m ml generate``. The bundle is fetched where it is not here."""
    directory.mkdir(parents=True, exist_ok=True)
    examples = Examples(schema_of(catalogue))
    write_jsonl(directory / "examples.jsonl", (examples.of(row) for row in questions.facts_of(catalogue, products)))
    bundle = shelf.at_hand(model.path, model.sha256)
    config = {"bundle": str(bundle), "kinds": list(kinds)}
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
