"""What a search over plans may vary: for each field of a plan what is usually tried, or why no search can tell.

Whoever offers fields to people (a form, a command, a program) asks here, so that all offer the same. Usual spaces are
wide enough to hold what papers and ``benchmarks/README.md`` found good on small catalogues, and narrow enough that most
of their plans learn something; a search may say its own instead.

People write a space as ``0.1..0.5`` (``/4``: four points of a grid) or as values with commas between: :func:`written`
and :func:`read` go both ways.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

USUAL_WORD = "usual"
"""Stands for a field's usual space where a search says its space."""

GRID_POINTS = 4  # of a range that says none
Space = list[Any] | dict[str, Any]


def _log(low: float, high: float) -> dict[str, Any]:
    return {"low": low, "high": high, "log": True, "points": GRID_POINTS}


def _even(low: float, high: float) -> dict[str, Any]:
    return {"low": low, "high": high, "points": GRID_POINTS}


USUAL: dict[str, Space] = {
    # pictures
    "pictures": ["none", "small"],
    "picture_size": [48, 64, 96],
    "picture_learning_rate": _log(2e-4, 5e-3),
    "picture_freeze": ["none", "encoder"],
    "picture_augment": ["none", "crops", "colour"],
    "fusion": ["concatenation", "attention"],
    "modality_dropout": _even(0.0, 0.3),
    # steps
    "max_length": [32, 64, 128, 256],
    "epochs": _even(4, 20),
    "batch_size": [8, 16, 32],
    "learning_rate": _log(2e-5, 5e-4),
    "head_learning_rate": _log(1e-3, 2e-2),
    "schedule": ["linear", "cosine", "constant"],
    "warmup_share": _even(0.0, 0.3),
    "weight_decay": _log(1e-3, 0.1),
    "clip_norm": [0.0, 1.0, 5.0],
    "dropout": _even(0.0, 0.3),
    "optimiser": ["adamw", "adafactor"],  # SGD wants rates that suit nothing else
    # loss
    "loss": ["cross-entropy", "focal", "asymmetric"],
    "focus": _even(1.0, 4.0),
    "label_smoothing": _even(0.0, 0.1),
    "adversarial": [0.0, 0.3, 1.0],
    # tuning
    "tuning": ["full", "lora", "adalora", "ia3", "adapters", "prefix"],
    "rank": [4, 8, 16, 32],
    "freeze": ["none", "embeddings", "all but last 2", "encoder"],
    # changed texts
    "token_drop": _even(0.0, 0.2),
    "synonym_swap": _even(0.0, 0.5),
    "shuffle_fields": _even(0.0, 0.5),
    "masked_replace": _even(0.0, 0.15),
    # little data
    "contrastive_steps": [0, 60, 200],
    "contrastive": ["supervised", "pairs"],
    "contrastive_batch": [16, 32, 64],
    "contrastive_temperature": _log(0.05, 0.5),
    "pseudo_rounds": [0, 1, 2],
    "pseudo_confidence": _even(0.8, 0.98),
    "generator_weight": [0.0, 0.1, 0.3],
    "generator_learning_rate": _log(1e-4, 3e-3),
    "members": [1, 3],
    "combine": ["weights", "scores"],
    # continual
    "replay_share": [0.0, 0.3, 1.0],
    # small and fast
    "teacher_weight": _even(0.3, 0.9),
    "teacher_temperature": _even(1.0, 4.0),
    "keep_blocks": [0, 1, 2, 4],
    "prune_heads": [0.0, 0.25, 0.5],
    "prune_neurons": [0.0, 0.25, 0.5],
    "recover_epochs": _even(1, 5),
    # pre-training
    "pretrain_steps": [0, 200, 600, 2000],
    "pretrain_learning_rate": _log(5e-5, 1e-3),
    "pretrain_batch_tokens": [1024, 4096],
    "mask_share": _even(0.1, 0.4),
    "vocabulary": [2000, 8000, 16000],
    "layers": [2, 4, 6],
    "width": [128, 256, 384],
    # words that name values
    "span_layer": ["softmax", "crf"],
    "span_features": ["none", "dictionary"],
    "value_swap": _even(0.0, 0.5),
}
"""Field to what is usually tried: values, or ``{"low", "high", "log", "points"}``. The defaults of a plan lie within."""

SAID_ALONE: dict[str, str] = {
    "base": "which encoders there are only the machine's owner knows",
    "teacher": "which bundles there are only the machine's owner knows",
    "batch_unit": "batch_size means something else by it, so the two have to be chosen together",
    "patience": "more of it never lowers the best validation, which is what a trial is judged by",
}
"""Fields that a search may vary among values that it says, with why there are no usual ones."""

_NOWHERE = "no matter of the result"
_JUDGED = "what trials are judged by would differ between them"
_WRITER = "a trial trains no writer, so its score would not change"
NEVER: dict[str, str] = {
    **dict.fromkeys(("device", "precision", "threads", "checkpoint_every_s"), _NOWHERE),
    **dict.fromkeys(("heldout_share", "validation_share", "seed", "spans", "tag_weight", "span_weight"), _JUDGED),
    **dict.fromkeys(
        (
            "generation", "generation_base", "generation_epochs", "generation_learning_rate", "generation_length",
            "control_share", "beams", "decoding",
        ),
        _WRITER,
    ),
}  # fmt: skip
"""Fields that no search can vary, with why. A plan with spans is judged by tags and spans together, as its weights say."""

_RANGE = re.compile(r"\s*([-+.\deE]+)\s*(?:\.\.|…|–|~)\s*([-+.\deE]+)\s*(?:/\s*(\d+)\s*)?")


def logarithmic(name: str) -> bool:
    """Whether ranges of this field are drawn evenly in their logarithms."""
    usual = USUAL.get(name)
    return isinstance(usual, Mapping) and bool(usual.get("log"))


def written(space: Space) -> str:
    """As people write it."""
    if isinstance(space, Mapping):
        points = space.get("points", GRID_POINTS)
        return f"{_short(space['low'])}..{_short(space['high'])}" + (f"/{points}" if points != GRID_POINTS else "")
    return ", ".join(_short(value) for value in space)


def read(name: str, text: str) -> Space:
    """What people wrote for this field, its values not checked: see :class:`ml.search.Search`. Raises ValueError for a
    range whose ends are no numbers."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return [_value(word.strip()) for word in text.replace("，", ",").split(",") if word.strip()]
    low, high = float(found[1]), float(found[2])
    log = {"log": True} if logarithmic(name) and low > 0 else {}
    return {"low": low, "high": high, **log, "points": int(found[3] or GRID_POINTS)}


def _short(value: Any) -> str:
    """A number in as few digits as say it, and never in powers of ten, which few people read."""
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _value(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
