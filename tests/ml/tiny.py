"""Tiny catalogues and checkpoints, made here, for tests of training: seconds, not minutes."""

from __future__ import annotations

import json
import random
from pathlib import Path

from ml.examples import Example, write_jsonl
from ml.schema import FacetSpec, Schema, TagSpec

COLOURS = ("black", "blue", "white")
USES = ("running", "office", "travel", "运动")
THINGS = ("shirt", "bag", "shoe", "手表")


def schema() -> Schema:
    return Schema(
        (
            FacetSpec("colour", tuple(TagSpec(c, {"en": c}) for c in COLOURS), single=True),
            FacetSpec("use", tuple(TagSpec(u, {"en": u}) for u in USES)),
        )
    )


def examples(count: int = 48, seed: int = 0, decided: bool = True) -> list[Example]:
    """Products whose text says their tags; two of each family."""
    rng = random.Random(seed)
    out = []
    for number in range(count):
        colour, use, thing = rng.choice(COLOURS), rng.choice(USES), rng.choice(THINGS)
        words = " ".join(rng.choices(("soft", "light", "new", "good", "strong"), k=rng.randint(0, 6)))
        out.append(
            Example(
                f"p{number}",
                {"title": f"{colour} {thing}", "description": f"{words} for {use}"},
                "Things",
                group=f"g{number // 2}",
                labels={"colour": frozenset({colour}), "use": frozenset({use})} if decided else {},
                complete=frozenset({"colour", "use"}) if decided else frozenset(),
            )
        )
    return out


def checkpoint(path: Path, layers: int = 2) -> Path:
    """A BERT of width 64 with random weights and a tokenizer of the tiny catalogue."""
    from ml.encoders.catalogue import new_encoder, train_tokenizer
    from ml.text import render

    tokenizer = train_tokenizer([render(e).text for e in examples(200)], vocabulary=300)
    new_encoder(tokenizer, layers=layers, width=64, max_length=32, dropout=0.1, seed=0).save(path)
    return path


def job(folder: Path, base: str, count: int = 48, **plan: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    schema().save(folder / "schema.json")
    write_jsonl(folder / "examples.jsonl", examples(count))
    settings = {
        "base": base,
        "epochs": 4,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-2,
        "max_length": 32,
        "threads": 1,
        "device": "cpu",
        "patience": 0,
    }
    (folder / "config.json").write_text(json.dumps({"plan": {**settings, **plan}}))
    return folder
