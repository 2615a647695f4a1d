"""What a job's folder holds, read and checked: config, schema, and the examples by what they are for. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.examples import Example, family_hash, in_fold, read_jsonl, split_by_family, targets
from ml.pictures import located
from ml.schema import Schema
from ml.training.errors import TrainingError
from ml.training.plan import Plan

LEAST_DECIDED = 8
LEAST_FAMILIES = 4
HELD_OUT = "held out for reports"  # a salt of its own: the same families in every run
BLIND_HELD_OUT = 0.5  # share of the blind families: what nobody was led in deciding measures best


@dataclass(frozen=True)
class Parts:
    """Decided products by what they are for; no family is in two of them."""

    train: list[Example]
    validation: list[Example]
    held_out: list[Example]
    undecided: list[Example]


def seen_from(folder: Path, said: str) -> Path:
    """A path that a plan names; what is not absolute is seen from the job's folder."""
    path = Path(said).expanduser()
    return path if path.is_absolute() else folder / path


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
        examples = list(read_examples(folder))
        extra = list(read_examples(folder, "unlabelled.jsonl")) if (folder / "unlabelled.jsonl").is_file() else []
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
    rest, held_out = hold_out(decided, plan.heldout_share, read_blind(folder))
    if len({e.family for e in rest}) < 2:
        rest, held_out = decided, []
    train, validation = split_exactly(rest, plan.validation_share, f"validation {plan.seed}")
    taken = {family_hash(e.family) for e in held_out}
    free = [e for e in (*undecided, *extra) if family_hash(e.family) not in taken]
    return Parts(train, validation, held_out, free)


def read_examples(folder: Path, name: str = "examples.jsonl") -> Iterator[Example]:
    """The examples of a job, their pictures' paths whole: they lie in the folder that ``config.json`` names as
    ``pictures``, or in ``pictures/`` of the job.

    Raises OSError, or ValueError naming the line or the picture.
    """
    named = read_config(folder, needed=False).get("pictures", "pictures")
    return located(read_jsonl(folder / name), folder / str(named))


def replayed(folder: Path, plan: Plan, train: list[Example]) -> list[Example]:
    """What is read when training goes on from a bundle: all that is new to it and, against forgetting (replay, Robins
    1995), ``plan.replay_share`` of the families it was trained on, the same ones for a seed.

    Raises TrainingError when a part is to be replayed and the base is not the checkpoint of a bundle, which knows them.
    """
    if plan.replay_share >= 1:
        return train
    path = seen_from(folder, plan.base).parent / "families.json"
    try:
        former = frozenset(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(
            "replay_share: below 1 it needs a base that is the 'torch' folder of a full bundle; take 1 otherwise"
        ) from error
    kept = [
        e for e in train
        if family_hash(e.family) not in former or in_fold(e.family, plan.replay_share, f"replay {plan.seed}")
    ]  # fmt: skip
    if not kept:
        raise TrainingError("replay_share: nothing is new, and nothing is to be replayed; raise it")
    return kept


def pictures_of(folder: Path) -> dict[str, str]:
    """What the ``config.json`` of a part of the job in another folder says, so that it finds the same pictures."""
    named = read_config(folder, needed=False).get("pictures", "pictures")
    return {"pictures": str((folder / str(named)).resolve())}


def read_blind(folder: Path) -> frozenset[str]:
    """Ids of products that were decided without suggestions: ``blind.json``, a list; empty where it is missing."""
    try:
        return frozenset(json.loads((folder / "blind.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return frozenset()


def hold_out(decided: list[Example], share: float, blind: frozenset[str]) -> tuple[list[Example], list[Example]]:
    """``(rest, held out)`` by whole families, the same ones every time: ``share`` of them, of families with a product
    that was decided blind at least ``BLIND_HELD_OUT``. With a share of 0 nothing is held out."""
    if not share:
        return decided, []
    drawn = {e.family for e in decided if e.id in blind}
    kept: set[str] = set()
    for families, part in ((False, share), (True, max(share, BLIND_HELD_OUT))):
        some = [e for e in decided if (e.family in drawn) is families]
        kept.update(e.family for e in split_by_family(some, part, HELD_OUT)[1])
    return [e for e in decided if e.family not in kept], [e for e in decided if e.family in kept]


def split_exactly(examples: list[Example], share: float, salt: str) -> tuple[list[Example], list[Example]]:
    """``(rest, kept)``: whole families in a fixed pseudo-random order until ``share`` of them (at least one) are kept.

    Unlike ``split_by_family`` it never keeps none, and it depends on which other families there are.
    """
    order = sorted({e.family for e in examples}, key=lambda f: hashlib.sha256(f"{salt}\0{f}".encode()).digest())
    kept = set(order[: min(max(1, round(share * len(order))), len(order) - 1)])
    return [e for e in examples if e.family not in kept], [e for e in examples if e.family in kept]
