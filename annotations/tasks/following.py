"""A training child of a job: started on the slot that the job holds, and followed until it ends.

The child is ``python -m ml COMMAND JOBDIR``, which knows nothing of us; what it says goes to the job and to a listener.
"""

from __future__ import annotations

import logging
import math
import sys
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from annotations.actions.claims import Claim, JobCancelled, JobInterrupted, JobPaused, LeaseLost, TryAgain
from annotations.actions.errors import Refused
from annotations.tasks.watched import Watched

log = logging.getLogger(__name__)

STOPPED = 143
PYTHON: tuple[str, ...] = (sys.executable,)
SEVERAL = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")  # one process for each GPU of the slot
STAGES = {
    "pretrain": gettext_noop("pre-training"),
    "tags": gettext_noop("fine-tuning"),
    "generation": gettext_noop("learning to write"),
    "generate": gettext_noop("writing"),
}  # in the order they come
STAGE_APART = 10**12  # more steps than any stage has
SECONDS_TO_PAUSE = 120.0  # a checkpoint of a large model takes its time, and nobody waits at the page for this


class Listener(Protocol):
    """Keeps what a child says of its steps."""

    def on(self, event: dict[str, Any]) -> None:
        """What it computes on."""
        ...

    def add(self, event: dict[str, Any]) -> None:
        """A step, perhaps with a validation."""
        ...

    def write(self, *, now: bool = False) -> None: ...


def start_child(claim: Claim, command: str, directory: Path) -> Watched:
    """``python -m ml COMMAND`` on the slot that the job holds, behind everything else that this machine does."""
    slot = next((slot for slot in settings.TRAINING_SLOTS if slot.name == claim.job.slot), None)
    gpus = slot.gpus if slot else ()
    words = [*PYTHON, *(SEVERAL if len(gpus) > 1 else ()), *([str(len(gpus))] if len(gpus) > 1 else [])]
    words += ["-m", "ml", command, str(directory)]
    environment = slot.environment if slot else {}
    return Watched(words, folder=directory, environment=environment, nice=settings.TRAINING_NICE)


def follow(claim: Claim, child: Watched, listener: Listener) -> dict[str, Any]:
    """Pass on what the child says until it ends; returns its ``done`` event. Stops it when we have to stop.

    What the listener raises ends the child, too.
    """
    outcome: dict[str, Any] = {}
    try:
        while (code := child.ended) is None:
            for event in child.events(seconds=1.0):
                if event["event"] in ("done", "failed", "stopped"):
                    outcome = event
                else:
                    _pass_on(claim, listener, event)
            if child.silence() > settings.TRAINING_SILENCE_SECONDS:
                child.kill()
                raise TryAgain(
                    _("The training process said nothing for %d minutes and was stopped.")
                    % (settings.TRAINING_SILENCE_SECONDS // 60)
                )
            claim.look()
    except JobCancelled:
        (child.folder / "cancel").touch()
        child.stop()
        raise
    except JobPaused:
        child.stop(SECONDS_TO_PAUSE)
        for event in child.events(seconds=0):  # its last checkpoint may be the first of this attempt
            if event["event"] == "checkpoint":
                claim.keep(_position(event))
            elif event["event"] == "progress":
                listener.add(event)
        listener.write(now=True)
        raise
    except (JobInterrupted, LeaseLost):
        child.stop()
        raise
    finally:
        child.kill()
    listener.write(now=True)
    return _outcome(child, code, outcome)


def _outcome(child: Watched, code: int, said: dict[str, Any]) -> dict[str, Any]:
    if code == 0 and said.get("event") == "done":
        return said
    if said.get("event") == "failed":
        raise Refused(str(said.get("reason") or said.get("error") or _("Training failed.")), "training_failed")
    log.warning("training child %d ended with %d: %s", child.process.pid, code, child.last_words())
    if code == -9:
        raise TryAgain(
            _("The training process was killed. Most often there was not enough memory: try a smaller batch.")
        )
    if code in (STOPPED, -15) or said.get("event") == "stopped":
        raise TryAgain(_("The training process was stopped from outside."))
    words = child.last_words().splitlines()
    raise Refused(
        _("The training process ended with code %(code)d: %(words)s")
        % {"code": code, "words": words[-1][:300] if words else _("it said nothing")},
        "training_failed",
    )


def _pass_on(claim: Claim, listener: Listener, event: dict[str, Any]) -> None:
    if event["event"] == "checkpoint":
        claim.keep(_position(event))
        return
    if event["event"] == "log":
        claim.log(str(event.get("text", ""))[:1000])
        return
    if event["event"] == "device":
        listener.on(event)
        return
    if event["event"] != "progress":
        return
    step, total = number(event.get("step")), number(event.get("total"))
    left = number(event.get("eta_s"))
    rate = (total - step) / left if left > 0 and total > step else None
    stage, epoch, epochs = event.get("stage", ""), event.get("epoch"), event.get("epochs")
    words = STAGES.get(str(stage), str(stage))
    if event.get("folds", 1) > 1:
        words = _("%(stage)s, fold %(fold)s of %(folds)s") % {
            "stage": _(words), "fold": event.get("fold", 0) + 1, "folds": event["folds"]
        }  # fmt: skip
    if epochs:
        words = _("%(stage)s, epoch %(epoch)s of %(epochs)s") % {"stage": words, "epoch": epoch, "epochs": epochs}
    claim.progress(int(step), int(total), step=words, rate=rate)
    listener.add(event)


def _position(event: dict[str, Any]) -> int:
    """How far a checkpoint is, over all stages."""
    stages = list(STAGES)
    stage = str(event.get("stage"))
    place = (stages.index(stage) if stage in stages else len(stages)) + int(number(event.get("fold")))
    return place * STAGE_APART + int(number(event.get("step")))


def number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def finite(value: Any) -> Any:
    """JSON in a database knows no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    return [finite(part) for part in value] if isinstance(value, list) else value
