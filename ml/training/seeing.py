"""The plan's pictures: what reads them beside the text, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.encoders.fusion import FusedEncoder, ProductEncoder
from ml.encoders.hf import TextEncoder
from ml.encoders.vision import VisionEncoder, load_vision_encoder, new_vision_encoder
from ml.training.errors import TrainingError
from ml.training.inputs import seen_from
from ml.training.plan import NO_PICTURES, SMALL, Plan

TOLD = 20  # broken pictures that are named in the log


def with_pictures(plan: Plan, text: TextEncoder | None, folder: Path) -> ProductEncoder:
    """What the tag head is to sit on; ``text`` is None where the plan reads none. ``folder``: see ``seen_from``.

    Raises TrainingError for neither, EncoderError for a checkpoint that is no picture encoder.
    """
    if plan.pictures == NO_PICTURES:
        if text is None:
            raise TrainingError("base: 'none' without pictures leaves nothing to read")
        return text
    if text is None:
        return vision_of(plan, folder)
    return FusedEncoder(
        text, vision_of(plan, folder), kind=plan.fusion, modality_dropout=plan.modality_dropout, seed=plan.seed
    )


def vision_of(plan: Plan, folder: Path) -> VisionEncoder:
    if plan.pictures == SMALL:
        return new_vision_encoder(size=plan.picture_size, seed=plan.seed, augmentation=plan.picture_augment)
    return load_vision_encoder(
        seen_from(folder, plan.pictures), size=plan.picture_size, augmentation=plan.picture_augment,
        frozen=plan.picture_freeze == "encoder",
    )  # fmt: skip


def broken_pictures(task: Any) -> Iterator[str]:
    """Lines for a log: the pictures that a task could not read, by name. Their products are trained on without one."""
    read = (getattr(task, name, None) for name in ("tokens", "validation_tokens"))
    broken = [words for inputs in read for words in getattr(inputs, "broken", ())]
    yield from (f"picture left out: {words}" for words in broken[:TOLD])
    if len(broken) > TOLD:
        yield f"and {len(broken) - TOLD} more pictures"
