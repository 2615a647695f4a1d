"""``python -m ml tensorboard RUN_DIR``: the log of a run as TensorBoard reads it.

Reads ``log.jsonl`` (and those of the trials of a search below it), writes ``RUN_DIR/tensorboard/``. A step that was taken
again after a kill is there once, as it was the last time. May be repeated while the run goes on.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ml.commands.channel import LOG, Channel
from ml.training.errors import TrainingError

SCALARS = ("loss", "learning_rate", "rate", "tokens_per_s", "memory")
FOLDER = "tensorboard"


def run(folder: Path, channel: Channel) -> dict[str, object]:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise TrainingError("this needs tensorboardX: pip install 'tagstudio[tensorboard]'") from error
    logs = sorted(path for path in folder.rglob(LOG) if path.stat().st_size and FOLDER not in path.parts)
    logs = [path for path in logs if any(True for _ in scalars(path.open(encoding="utf-8")))]
    if not logs:
        raise TrainingError(f"{folder}: no {LOG} with a step in it; is this the folder of a run?")
    target = folder / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    count = 0
    for path in logs:
        with path.open(encoding="utf-8") as lines, SummaryWriter(str(target / path.parent.relative_to(folder))) as out:
            for (name, step), (value, at) in latest(scalars(lines)).items():
                out.add_scalar(name, value, step, walltime=at)
                count += 1
    return {"tensorboard": str(target), "runs": len(logs), "points": count}


def scalars(lines: Iterable[str]) -> Iterator[tuple[str, int, float, float]]:
    """``(name, step, value, time)`` of every number in the log; lines that are cut short are passed over."""
    for line in lines:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        if event.get("event") != "progress" or "step" not in event:
            continue
        stage, step, at = event.get("stage", ""), int(event["step"]), float(event.get("time", 0))
        if "fold" in event:
            stage = f"{stage}-{event['fold']}"
        found = {name: event.get(name) for name in SCALARS if "val" not in event}
        found |= {f"validation/{name}": value for name, value in (event.get("val") or {}).items()}
        for name, value in found.items():
            if isinstance(value, int | float) and math.isfinite(value):
                yield f"{stage}/{name}", step, float(value), at


def latest(points: Iterable[tuple[str, int, float, float]]) -> dict[tuple[str, int], tuple[float, float]]:
    """Each point as it was said last, in order of steps."""
    found = {(name, step): (value, at) for name, step, value, at in points}
    return dict(sorted(found.items()))
