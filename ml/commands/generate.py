"""``generate``: what the generator of a full bundle writes about products: drafts of texts, or tags.

``config.json``: ``bundle`` (a path, taken from the folder; default ``bundle``), ``kinds`` (title, selling_points, keywords,
tags; default the texts that it has learned), ``language`` (default each product's own), ``beams`` (default the plan's), and
for tags ``facets``, ``count``, ``decoding``. Writes ``drafts.jsonl``, a line for each product and kind: ``{"id", "kind",
"language", "text"}``, or for tags ``{"id", "kind", "tags": {facet: [slugs]}, "unknown"}``. Needs torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.commands.channel import Channel
from ml.commands.train import check_installed
from ml.examples import Example, read_jsonl
from ml.generation import TAGS, TEXTS, Control
from ml.training.errors import TrainingError
from ml.training.inputs import read_config, seen_from
from ml.training.plan import Plan

if TYPE_CHECKING:
    from ml.heads.generation import Generator

CHUNK = 32


def run(folder: Path, channel: Channel) -> dict[str, object]:
    check_installed()
    from ml.heads.generation import Generator

    config = read_config(folder, needed=False)
    bundle = seen_from(folder, str(config.get("bundle", "bundle")))
    generator = Generator.load(bundle)
    kinds = [str(kind) for kind in config.get("kinds") or (k for k in generator.kinds if k != TAGS)]
    if wrong := [kind for kind in kinds if kind not in generator.kinds]:
        raise TrainingError(f"kinds: {wrong[0]!r} was not learned; this model writes {', '.join(generator.kinds)}")
    try:
        plan = Plan.load(bundle / "plan.json")
        examples = list(read_jsonl(folder / "examples.jsonl"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"examples or the bundle's plan cannot be read: {error}") from error
    settings = {"beams": plan.beams, "decoding": plan.decoding, **config}
    temporary, total, done = folder / "drafts.jsonl.part", len(kinds) * len(examples), 0
    with temporary.open("w", encoding="utf-8") as out:
        for kind in kinds:
            for start in range(0, len(examples), CHUNK):
                chunk = examples[start : start + CHUNK]
                try:
                    out.writelines(
                        json.dumps(r, ensure_ascii=False) + "\n" for r in lines(generator, chunk, kind, settings)
                    )
                except (KeyError, ValueError, TypeError) as error:
                    raise TrainingError(f"config.json: {error}") from error
                done += len(chunk)
                channel.emit({"event": "progress", "stage": "generate", "step": done, "total": total})
    temporary.replace(folder / "drafts.jsonl")
    return {"products": len(examples), "drafts": "drafts.jsonl"}


def lines(
    generator: Generator, examples: list[Example], kind: str, settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The lines of ``drafts.jsonl`` about these products."""
    width = int(settings["beams"])
    if kind in TEXTS:
        asked = settings.get("language") or ""
        spoken = [str(asked or e.language or generator.languages[0]) for e in examples]
        controls = [Control(kind, language=language) for language in spoken]
        written = generator.texts(examples, controls, width=width)
        for example, language, drafts in zip(examples, spoken, written, strict=True):
            if drafts:
                yield {"id": example.id, "kind": kind, "language": language, "text": drafts[0]}
        return
    control = Control(
        TAGS, tuple(settings.get("facets") or ()), int(settings.get("count") or 0),
        str(settings.get("language") or generator.languages[0]),
    )  # fmt: skip
    found = generator.tags(examples, control, width=width, held=settings["decoding"] == "held")
    for row, example in enumerate(examples):
        tags: dict[str, list[str]] = {}
        for column in found.chosen[row].nonzero()[0]:
            facet, tag = generator.schema.columns[column]
            tags.setdefault(facet, []).append(tag)
        yield {"id": example.id, "kind": TAGS, "tags": tags, "unknown": int(found.unknown[row])}
