"""Tags by generation beside the tag head, held beside free, and drafts of texts beside the nearest product's text: Magento.

    python -m benchmarks.models generation

Everything from nothing but the catalogue, so that no checkpoint's knowledge is compared: the same blocks, width and epochs
for the writer and for the tag head's encoder, families split per seed, 30 % to measure on. The head and the instant tier
choose by the one threshold that is best on validation or on out-of-fold scores; a writer has none to choose.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models._kept import key_of
from benchmarks.models.table import Missing, Row
from ml.evaluation.generation import generation_scores
from ml.evaluation.metrics import micro
from ml.examples import Example, split_by_family, targets
from ml.generation import Control
from ml.schema import Schema

SHARED = Path(os.environ.get("TAGSTUDIO_SHARED") or Path(__file__).parents[3] / "shared")
SEEDS = (1, 2, 3, 4, 5)
TEXT_SEEDS = (1, 2, 3)
PLAN = {
    "base": "catalogue", "pretrain_steps": 1, "layers": 1, "width": 128, "vocabulary": 2000, "max_length": 128, "patience": 0,
    "generation_length": 96, "generation_epochs": 16, "generation_learning_rate": 2e-3, "epochs": 16, "learning_rate": 1e-3,
    "head_learning_rate": 1e-2, "threads": 1, "device": "cpu",
}  # fmt: skip
DATA = "magento_luma_en, 70 % of 149 families decided"
F1 = "micro-F1, points"
KINDS = ("title", "selling_points")


def rows(once: Any) -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    examples, schema = magento()
    runs = [
        once(key_of("tags", PLAN, f"seed {seed}"), 60.0, lambda seed=seed: _tags_of(examples, schema, seed))
        for seed in SEEDS
    ]
    found = {name: [run[name] for run in runs] for name in ("held", "greedy", "free", "head", "instant", "unknown")}
    seconds = sum(run.seconds for run in runs)
    held = found["held"]
    what = "tags written, held to the trie"
    yield Row(what, DATA, F1, "tag head", held, found["head"], seconds)
    yield Row(what, DATA, F1, "instant, lexical", held, found["instant"])
    note = f"of what free beams wrote {np.mean(found['unknown']):.1f} % names no tag"
    yield Row("held to the trie", DATA, F1, "free", held, found["free"], 0.0, note)
    yield Row("4 beams", DATA, F1, "greedy", held, found["greedy"])
    yield from text_rows(once, examples, schema)


def magento() -> tuple[list[Example], Schema]:
    from benchmarks.instant_vs_sklearn import load

    folder = SHARED / "data" / "magento_luma_en"
    if not folder.is_dir():
        raise Missing(f"no {folder}")
    return load(folder)


def parts(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example], list[Example]]:
    """``(train, validation, test)``, whole families."""
    from ml.training.inputs import split_exactly

    rest, test = split_by_family(examples, 0.3, f"generation {seed}")
    return *split_exactly(rest, 0.15, f"validation {seed}"), test


def _tags_of(examples: Sequence[Example], schema: Schema, seed: int) -> dict[str, float]:
    """Points, of each way by its name; ``unknown``: % of what free beams wrote that names no tag."""
    from ml.training.generation import GenerationTask, measure_tags, new_writer
    from ml.training.loop import Recipe, fit
    from ml.training.plan import Plan

    train, validation, test = parts(examples, seed)
    plan = Plan.from_json({**PLAN, "generation": "tags", "seed": seed})
    task = GenerationTask(plan, schema, new_writer(plan, schema, [*train, *validation]), train, validation)
    fit(task, Recipe(epochs=plan.generation_epochs, seed=seed))
    found = {}
    for name, width, held in (("held", 4, True), ("greedy", 1, True), ("free", 4, False)):
        said = measure_tags(task.generator, test, width=width, held=held)
        found[name] = 100 * said["tags_micro_f1"]
        if not held:
            found["unknown"] = 100 * said["tags_unknown"]
    found["head"] = 100 * _head(plan, schema, train, validation, test)
    found["instant"] = 100 * _instant(schema, examples, [*train, *validation], test)
    return found


def _head(plan, schema, train, validation, test) -> float:  # type: ignore[no-untyped-def]
    from ml.encoders.catalogue import new_encoder, train_tokenizer
    from ml.serving.decoding import probabilities
    from ml.text import render
    from ml.training.loop import Recipe, fit
    from ml.training.tasks import TagTask

    tokenizer = train_tokenizer([render(e).text for e in [*train, *validation]], plan.vocabulary)
    sizes = {"layers": plan.layers, "width": plan.width, "max_length": plan.max_length, "dropout": plan.dropout}
    task = TagTask(plan, schema, new_encoder(tokenizer, **sizes, seed=plan.seed), train, validation)
    progress = fit(task, Recipe(epochs=plan.epochs, seed=plan.seed))
    threshold = next(v["threshold"] for v in progress.validations if v["epoch"] == progress.best_epoch)
    tokens = task.model.encoder.tokenise([render(e).text for e in test])
    y, known = targets(schema, test)
    return micro(y, probabilities(schema, task.logits(tokens)) >= threshold, known)["f1"]


def _instant(schema: Schema, examples: Sequence[Example], decided: list[Example], test: list[Example]) -> float:
    from ml.encoders.lexical import LexicalEncoder
    from ml.instant.model import InstantModel

    model = InstantModel.fit(schema, decided, [LexicalEncoder.fit(examples)])
    y, known = targets(schema, test)
    return micro(y, model.scores(test) >= model.thresholds, known)["f1"]


def text_rows(once: Any, examples: Sequence[Example], schema: Schema) -> Iterator[Row]:
    """ROUGE-L of drafts against the catalogue's own texts, beside the text of the product with the likest tags."""
    runs = [
        once(key_of("texts", PLAN, f"seed {seed}"), 90.0, lambda seed=seed: _texts_of(examples, schema, seed))
        for seed in TEXT_SEEDS
    ]
    data = "magento_luma_en, one product a family, 70 % read"
    for number, kind in enumerate(KINDS):
        ours, near = ([run[f"{kind} {side}"] for run in runs] for side in ("ours", "near"))
        seconds = 0.0 if number else sum(run.seconds for run in runs)
        yield Row(
            f"{kind} written from tags", data, "ROUGE-L, points", "text of the nearest by tags", ours, near, seconds
        )


def _texts_of(examples: Sequence[Example], schema: Schema, seed: int) -> dict[str, float]:
    from ml.training.generation import GenerationTask, new_writer
    from ml.training.loop import Recipe, fit
    from ml.training.pairs import written_text
    from ml.training.plan import Plan

    train, validation, test = parts(_one_of_each_family(examples), seed)
    plan = Plan.from_json({**PLAN, "generation": "texts", "seed": seed, "generation_epochs": 40})
    task = GenerationTask(plan, schema, new_writer(plan, schema, [*train, *validation]), train, validation)
    fit(task, Recipe(epochs=plan.generation_epochs, seed=seed))
    found = {}
    for kind in KINDS:
        have = [e for e in test if written_text(e, kind, {})]
        wanted = [written_text(e, kind, {}) for e in have]
        drafts = [d[0] if d else "" for d in task.generator.texts(have, Control(kind))]
        copied = [
            written_text(e, kind, {}) for e in nearest(schema, have, [e for e in train if written_text(e, kind, {})])
        ]
        for side, texts in (("ours", drafts), ("near", copied)):
            found[f"{kind} {side}"] = 100 * generation_scores(wanted, texts).rouge_l
    return found


def nearest(schema: Schema, wanted: Sequence[Example], known: Sequence[Example]) -> list[Example]:
    """For each the one of ``known`` that shares most of its tags (Jaccard), of its own category where there is one."""
    a, b = (targets(schema, part)[0] > 0.5 for part in (wanted, known))
    both = a.astype(float) @ b.T.astype(float)
    alike = both / np.maximum(a.sum(1)[:, None] + b.sum(1)[None] - both, 1)
    alike += np.array([[e.category == k.category for k in known] for e in wanted])
    return [known[place] for place in alike.argmax(1)]


def _one_of_each_family(examples: Sequence[Example]) -> list[Example]:
    """Variants share their texts, so one of them says all."""
    return list({e.family: e for e in reversed(examples)}.values())[::-1]
