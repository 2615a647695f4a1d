"""Training runs: ``python -m ml train JOBDIR`` as a child process, watched from here until it has ended.

The child knows nothing of us, and can be run by hand in the same directory. Whatever kills it or us, the next attempt
goes on in the same directory from its newest checkpoint; a model comes of a run once.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from annotations.actions import training
from annotations.actions.claims import Claim, JobCancelled, JobInterrupted, LeaseLost, TryAgain
from annotations.actions.errors import Refused
from annotations.models import Catalogue, TrainingRun
from annotations.tasks.registry import handles
from annotations.tasks.watched import Watched

log = logging.getLogger(__name__)

SECONDS_BETWEEN_CURVES = 2.0
POINTS_KEPT = 600
STOPPED = 143
COMMAND = (sys.executable, "-m", "ml", "train")
STAGES = {"pretrain": gettext_noop("pre-training"), "tags": gettext_noop("fine-tuning")}


@handles(training.KIND)
def train(claim: Claim) -> dict[str, Any]:
    """Prepare the directory, watch the child, and make its bundle a candidate."""
    run = TrainingRun.objects.select_related("catalogue", "user").get(job=claim.job)
    try:
        return _train(claim, run)
    except Refused as refusal:
        training.note_end(run=run, outcome="failed", error=refusal.message[:500])
        raise
    except JobCancelled:
        training.note_end(run=run, outcome="cancelled")
        shutil.rmtree(directory_of(run) / "work", ignore_errors=True)
        raise


def directory_of(run: TrainingRun) -> Path:
    return Path(settings.JOBS_ROOT) / f"train-{run.job_id}"


def bundle_name(run: TrainingRun) -> str:
    """Where the model of a run lies below MODELS_ROOT: the same at every attempt."""
    return f"full/{run.catalogue_id}-{run.number}-{str(run.job_id)[:8]}"


def _train(claim: Claim, run: TrainingRun) -> dict[str, Any]:
    directory = directory_of(run)
    if not (directory / "done.json").is_file():
        if not (directory / "config.json").is_file():
            _prepare(claim, run, directory)
        done = _watch(claim, run, Watched([*COMMAND, str(directory)], folder=directory))
        _write(directory / "done.json", done)
    return _adopt(claim, run, directory)


def write_directory(catalogue: Catalogue, directory: Path, plan: dict[str, Any]) -> dict[str, Any]:
    from annotations import bridge  # loads numpy and more: only when there is something to train

    return bridge.write_job_directory(catalogue, directory, plan)


def compare(catalogue: Catalogue, directory: Path, bundle: Path) -> dict[str, Any] | None:
    """For the report. A model that cannot be compared is a model all the same, so nothing that goes wrong ends the run."""
    from annotations import bridge

    try:
        found = bridge.comparison(catalogue, directory, bundle)
    except Exception:
        log.exception("%s could not be compared", bundle.name)
        return None
    return None if found is None else dict(_finite(found))


def _prepare(claim: Claim, run: TrainingRun, directory: Path) -> None:
    """Write the directory beside its place and move it there whole."""
    claim.progress(step=_("Collecting what was decided"))
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".train-", dir=directory.parent))
    try:
        catalogue = Catalogue.objects.get(pk=run.catalogue_id)
        facts = write_directory(catalogue, temporary, run.plan)
        training.store_facts(claim=claim, run=run, facts=facts)
        shutil.rmtree(directory, ignore_errors=True)  # left by an attempt that came before the config
        temporary.chmod(0o755)
        temporary.rename(directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _watch(claim: Claim, run: TrainingRun, child: Watched) -> dict[str, Any]:
    """Pass on what the child says until it ends; returns its ``done`` event. Stops it when we have to stop."""
    curve = Curve(claim, run)
    outcome: dict[str, Any] = {}
    try:
        while (code := child.ended) is None:
            for event in child.events(seconds=1.0):
                if event["event"] in ("done", "failed", "stopped"):
                    outcome = event
                else:
                    _pass_on(claim, curve, event)
            if child.silent_for > settings.TRAINING_SILENCE_SECONDS:
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
    except (JobInterrupted, LeaseLost):
        child.stop()
        raise
    finally:
        child.kill()
    curve.write(now=True)
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
    if code in (STOPPED, -15):
        raise TryAgain(_("The training process was stopped from outside."))
    words = child.last_words().splitlines()
    raise Refused(
        _("The training process ended with code %(code)d: %(words)s")
        % {"code": code, "words": words[-1][:300] if words else _("it said nothing")},
        "training_failed",
    )


def _pass_on(claim: Claim, curve: Curve, event: dict[str, Any]) -> None:
    if event["event"] == "log":
        claim.log(str(event.get("text", ""))[:1000])
        return
    if event["event"] != "progress":
        return
    step, total = _number(event.get("step")), _number(event.get("total"))
    left = _number(event.get("eta_s"))
    rate = (total - step) / left if left > 0 and total > step else None
    stage, epoch, epochs = event.get("stage", ""), event.get("epoch"), event.get("epochs")
    words = STAGES.get(str(stage), str(stage))
    if epochs:
        words = _("%(stage)s, epoch %(epoch)s of %(epochs)s") % {"stage": words, "epoch": epoch, "epochs": epochs}
    claim.progress(int(step), int(total), step=words, rate=rate)
    curve.add(event)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


class Curve:
    """Loss and validation over the steps, written every few seconds; thinned when it grows long."""

    def __init__(self, claim: Claim, run: TrainingRun) -> None:
        self.claim, self.run = claim, run
        self.points: list[dict[str, Any]] = list(run.curve)
        self.written_at = 0.0
        self.changed = False

    def add(self, event: dict[str, Any]) -> None:
        point = {name: event[name] for name in ("stage", "step", "epoch", "loss", "val") if event.get(name) is not None}
        if "step" not in point:
            return
        # resumed from a checkpoint: what came after it is trained, and told, again
        stage, step = point.get("stage"), point["step"]
        while self.points and self.points[-1].get("stage") == stage and self.points[-1]["step"] >= step:
            self.points.pop()
        self.points.append(_finite(point))
        if len(self.points) > POINTS_KEPT:
            self.points = [p for n, p in enumerate(self.points) if n % 2 == 0 or "val" in p]
        self.changed = True
        self.write()

    def write(self, *, now: bool = False) -> None:
        if self.changed and (now or time.monotonic() - self.written_at >= SECONDS_BETWEEN_CURVES):
            training.store_curve(claim=self.claim, run=self.run, curve=self.points)
            self.written_at, self.changed = time.monotonic(), False


def _finite(value: Any) -> Any:
    """JSON in a database knows no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list) else value


def _adopt(claim: Claim, run: TrainingRun, directory: Path) -> dict[str, Any]:
    """Move the bundle to the models and make it a candidate. Done twice, it is done once."""
    done = json.loads((directory / "done.json").read_text(encoding="utf-8"))
    report = _finite(json.loads((directory / str(done.get("report", "report.json"))).read_text(encoding="utf-8")))
    name = bundle_name(run)
    bundle = Path(settings.MODELS_ROOT) / name
    move(directory / str(done.get("bundle", "bundle")), bundle)
    claim.progress(step=_("Comparing it with the model in use"))
    report["comparison"] = compare(
        Catalogue.objects.select_related("encoder").get(pk=run.catalogue_id), directory, bundle
    )
    card = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    model = training.adopt(
        claim=claim, run=run, path=name, sha256=str(done.get("hash", "")), report=report, bundle_card=card
    )  # fmt: skip
    shutil.rmtree(directory / "work", ignore_errors=True)  # checkpoints are large
    return {"run": run.number, "model": model.name, "metrics": model.metrics}


def move(source: Path, target: Path) -> None:
    """Put a finished bundle in its place, across file systems too. Where it lies already nothing is done."""
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            if target.is_dir():  # an attempt that lost its lease was quicker
                return
            raise
        half = target.with_name(f".{target.name}")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(source, half)
        half.rename(target)


def _write(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
