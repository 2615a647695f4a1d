"""What a job's folder holds, read and checked: config, schema, and the examples by what they are for. No torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.examples import Example, family_hash, read_jsonl, split_by_family, targets
from ml.schema import Schema
from ml.training.errors import TrainingError
from ml.training.plan import Plan

LEAST_DECIDED = 8
LEAST_FAMILIES = 4
HELD_OUT = "held out for reports"  # a salt of its own: the same families in every run


@dataclass(frozen=True)
class Parts:
    """Decided products by what they are for; no family is in two of them."""

    train: list[Example]
    validation: list[Example]
    held_out: list[Example]
    undecided: list[Example]


def read_config(folder: Path, *, needed: bool = True) -> dict[str, Any]:
    """``config.json`` of the folder; empty where it is missing and not ``needed``.

    Raises TrainingError when it is missing or no JSON object.
    """
    path = folder / "config.json"
    if not needed and not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path.name}: cannot be read as JSON ({error})") from error
    if not isinstance(config, dict):
        raise TrainingError(f"{path.name}: must be a JSON object")
    return config


def read_schema(path: Path) -> Schema:
    """Raises TrainingError when it is missing, malformed or without tags."""
    try:
        schema = Schema.load(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path.name}: is not a schema ({error!r})") from error
    if not schema.columns:
        raise TrainingError(f"{path.name}: has no tags, so there is nothing to learn; add facets and tags first")
    return schema


def read_parts(folder: Path, schema: Schema, plan: Plan) -> Parts:
    """The examples by what they are for. Raises TrainingError when too few are decided."""
    try:
        examples = list(read_jsonl(folder / "examples.jsonl"))
        more = folder / "unlabelled.jsonl"
        extra = list(read_jsonl(more)) if more.is_file() else []
    except (OSError, ValueError) as error:
        raise TrainingError(f"examples cannot be read: {error}") from error
    known = targets(schema, examples)[1].any(axis=1)
    decided = [examples[row] for row in np.flatnonzero(known)]
    undecided = [examples[row] for row in np.flatnonzero(~known)]
    families = len({e.family for e in decided})
    if len(decided) < LEAST_DECIDED or families < LEAST_FAMILIES:
        raise TrainingError(
            f"{len(decided)} decided products of {families} families are too few to train on: at least {LEAST_DECIDED} "
            f"of {LEAST_FAMILIES} families are needed, and some hundred to gain from it; review more products first"
        )
    rest, held_out = split_by_family(decided, plan.heldout_share, HELD_OUT) if plan.heldout_share else (decided, [])
    if len({e.family for e in rest}) < 2:
        rest, held_out = decided, []
    train, validation = split_exactly(rest, plan.validation_share, f"validation {plan.seed}")
    taken = {family_hash(e.family) for e in held_out}
    free = [e for e in (*undecided, *extra) if family_hash(e.family) not in taken]
    return Parts(train, validation, held_out, free)


def split_exactly(examples: list[Example], share: float, salt: str) -> tuple[list[Example], list[Example]]:
    """``(rest, kept)``: whole families in a fixed pseudo-random order until ``share`` of them (at least one) are kept.

    Unlike ``split_by_family`` it never keeps none, and it depends on which other families there are.
    """
    order = sorted({e.family for e in examples}, key=lambda f: hashlib.sha256(f"{salt}\0{f}".encode()).digest())
    kept = set(order[: min(max(1, round(share * len(order))), len(order) - 1)])
    return [e for e in examples if e.family not in kept], [e for e in examples if e.family in kept]
