"""``score``: probabilities and decisions of a full bundle, with ONNX Runtime only.

``config.json`` names the ``bundle`` (a path, taken from the folder; default ``bundle``). Writes ``scores.jsonl``, a line
for each example: ``{"id", "tags": {facet: [tags it would choose]}, "scores": {facet: {tag: probability}}}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ml.commands.channel import Channel
from ml.examples import Example
from ml.serving.full import FullModel
from ml.training.errors import TrainingError
from ml.training.inputs import read_config, read_examples

CHUNK = 256
LEAST_SCORE = 0.01  # lower ones are not written


def run(folder: Path, channel: Channel) -> dict[str, object]:
    config = read_config(folder, needed=False)
    model = FullModel.load(folder / config.get("bundle", "bundle"))
    path = folder / "examples.jsonl"
    if not path.is_file():
        raise TrainingError(f"{path.name}: missing; one product a line, as ml.examples writes them")
    total = 0
    temporary = folder / "scores.jsonl.part"
    try:
        rows = read_examples(folder)
        with temporary.open("w", encoding="utf-8") as out:
            while chunk := list(islice(rows, CHUNK)):
                out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in scored(model, chunk))
                total += len(chunk)
                channel.emit({"event": "progress", "stage": "score", "step": total})
    except ValueError as error:
        raise TrainingError(f"examples cannot be read: {error}") from error
    temporary.replace(folder / "scores.jsonl")
    return {"products": total, "scores": "scores.jsonl"}


def scored(model: FullModel, examples: list[Example]) -> Iterator[dict[str, Any]]:
    """The lines of ``scores.jsonl``."""
    p = model.scores(examples)
    chosen = model.decide(p)
    for row, example in enumerate(examples):
        tags: dict[str, list[str]] = {}
        scores: dict[str, dict[str, float]] = {}
        for column, (facet, tag) in enumerate(model.schema.columns):
            if chosen[row, column]:
                tags.setdefault(facet, []).append(tag)
            if p[row, column] >= LEAST_SCORE:
                scores.setdefault(facet, {})[tag] = round(float(p[row, column]), 4)
        yield {"id": example.id, "tags": tags, "scores": scores}
