"""Training runs: ``python -m ml train JOBDIR`` as a child process, watched from here until it has ended.

The child knows nothing of us, and can be run by hand in the same directory. Whatever kills it or us, the next attempt
goes on in the same directory from its newest checkpoint; a model comes of a run once.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from annotations.actions import training
from annotations.actions.claims import Claim, JobCancelled, TryAgain
from annotations.actions.errors import Refused
from annotations.models import Catalogue, TrainingRun
from annotations.tasks.following import finite, follow, number, start_child
from annotations.tasks.registry import handles

log = logging.getLogger(__name__)

SECONDS_BETWEEN_CURVES = 2.0
POINTS_KEPT = 600


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
        shutil.rmtree(training.folder_of(run) / "work", ignore_errors=True)
        raise


def bundle_name(run: TrainingRun) -> str:
    """Where the model of a run lies below MODELS_ROOT: the same at every attempt."""
    return f"full/{run.catalogue_id}-{run.number}-{str(run.job_id)[:8]}"


def _train(claim: Claim, run: TrainingRun) -> dict[str, Any]:
    directory = training.folder_of(run)
    if not (directory / "done.json").is_file():
        if not (directory / "config.json").is_file():
            _prepare(claim, run, directory)
        done = follow(claim, start_child(claim, "train", directory), Curve(claim, run))
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
    return None if found is None else dict(finite(found))


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


class Curve:
    """Loss and validation over the steps, written every few seconds; thinned when it grows long."""

    def __init__(self, claim: Claim, run: TrainingRun) -> None:
        self.claim, self.run = claim, run
        self.points: list[dict[str, Any]] = list(run.curve)
        self.device: dict[str, Any] = dict(run.device)
        self.written_at = 0.0
        self.changed = False

    def on(self, event: dict[str, Any]) -> None:
        """What it computes on, as it says itself."""
        said = {name: value for name, value in event.items() if name != "event"}
        self.device = {**self.device, **said, "slot": self.claim.job.slot or ""}
        self.changed = True

    def add(self, event: dict[str, Any]) -> None:
        self._measure(event)
        point = {name: event[name] for name in ("stage", "step", "epoch", "loss", "val") if event.get(name) is not None}
        if "step" not in point:
            return
        # resumed from a checkpoint: what came after it is trained, and told, again
        stage, step = point.get("stage"), point["step"]
        while self.points and self.points[-1].get("stage") == stage and self.points[-1]["step"] >= step:
            self.points.pop()
        self.points.append(finite(point))
        if len(self.points) > POINTS_KEPT:
            self.points = [p for n, p in enumerate(self.points) if n % 2 == 0 or "val" in p]
        self.changed = True
        self.write()

    def _measure(self, event: dict[str, Any]) -> None:
        """How fast each stage goes (``rate`` products, ``tokens_per_s``), and the most memory it took (``peak``)."""
        if "val" in event:
            return
        speeds = {name: number(event.get(name)) for name in ("rate", "tokens_per_s")}
        stages = {**self.device.get("stages", {}), str(event.get("stage", "")): speeds}
        peak = max(number(self.device.get("peak")), number(event.get("memory")))
        self.device = {**self.device, "stages": stages, "peak": int(peak)}

    def write(self, *, now: bool = False) -> None:
        if self.changed and (now or time.monotonic() - self.written_at >= SECONDS_BETWEEN_CURVES):
            training.store_curve(claim=self.claim, run=self.run, curve=self.points, device=self.device)
            self.written_at, self.changed = time.monotonic(), False


def _adopt(claim: Claim, run: TrainingRun, directory: Path) -> dict[str, Any]:
    """Move the bundle to the models and make it a candidate. Done twice, it is done once."""
    done = json.loads((directory / "done.json").read_text(encoding="utf-8"))
    report = finite(json.loads((directory / str(done.get("report", "report.json"))).read_text(encoding="utf-8")))
    name = bundle_name(run)
    bundle = Path(settings.MODELS_ROOT) / name
    move(directory / str(done.get("bundle", "bundle")), bundle)
    claim.progress(step=_("Comparing it with the model in use"))
    report["comparison"] = compare(
        Catalogue.objects.select_related("encoder").get(pk=run.catalogue_id), directory, bundle
    )
    share(name)
    card = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    model = training.adopt(
        claim=claim, run=run, path=name, sha256=str(done.get("hash", "")), report=report, bundle_card=card
    )  # fmt: skip
    shutil.rmtree(directory / "work", ignore_errors=True)  # checkpoints are large
    return {"run": run.number, "model": model.name, "metrics": model.metrics}


def share(name: str) -> None:
    """Where other machines find it too; what is there is left. A storage that is away is tried again."""
    from annotations import bridge

    try:
        bridge.share(name)
    except OSError as error:
        log.warning("%s could not be shared: %s", name, error)
        raise TryAgain(_("The shared storage of models cannot be reached.")) from error


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
