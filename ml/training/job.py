"""A full training run in a folder: from ``config.json``, ``schema.json``, ``examples.jsonl`` to ``bundle/``, ``report.json``.

Every step can be killed and done again: what is finished is found finished, and the loop goes on from its newest
checkpoint. What is not for the reader lies in ``work/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tokenizers
import torch
import transformers
from safetensors.numpy import save_file

from ml.bundle import read_bundle, write_bundle
from ml.encoders.catalogue import new_encoder, train_tokenizer
from ml.encoders.export import export_text_encoder
from ml.encoders.hf import TextEncoder, licence_of, load_text_encoder
from ml.encoders.packaged import check_packaged, packaged_folder
from ml.examples import data_hash, family_hash
from ml.serving.decoding import calibrate
from ml.text import render
from ml.training.checkpoints import Checkpoints
from ml.training.errors import TrainingError
from ml.training.inputs import read_config, read_parts, read_schema
from ml.training.loop import Progress, Recipe, Task, fit
from ml.training.plan import CATALOGUE, PACKAGED, Plan
from ml.training.report import build_report
from ml.training.tasks import MaskedTask, TagTask
from ml.training.tuning import fold

UNSHAPING = ("device", "threads", "checkpoint_every_s")  # plan fields that may change between attempts


class Watch(Protocol):
    """Whoever watches a job; ``ml.commands.channel.Channel`` is one, a notebook may bring its own."""

    stopping: str

    def emit(self, event: dict[str, Any]) -> None: ...

    def log(self, text: str) -> None: ...

    def patient(self, work: Callable[[], Any]) -> Any:
        """Run ``work``, which looks at ``stopping`` itself."""
        ...


class Unwatched:
    """Nobody looks and nobody stops it, as in a notebook."""

    stopping = ""

    def emit(self, event: dict[str, Any]) -> None:
        pass

    def log(self, text: str) -> None:
        pass

    def patient(self, work: Callable[[], Any]) -> Any:
        return work()


class Job:
    """Raises PlanError, TrainingError, EncoderError or BundleError with words for people when it cannot be done."""

    def __init__(self, folder: Path, watch: Watch | None = None) -> None:
        self.folder, self.work, self.watch = folder, folder / "work", watch or Unwatched()
        self.started = time.monotonic()

    def run(self) -> dict[str, object]:
        """Returns what the ``done`` event says: where bundle and report are, and the main measures."""
        self.plan = Plan.from_json(read_config(self.folder).get("plan", {"preset": "quick"}))
        self.schema = read_schema(self.folder / "schema.json")
        self.parts = read_parts(self.folder, self.schema, self.plan)
        self.work.mkdir(exist_ok=True)
        self._claim()
        report_path = self.folder / "report.json"
        if not report_path.is_file():
            report = self._train_and_measure()
            temporary = self.work / "report.json"
            temporary.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
            temporary.replace(report_path)
        report = json.loads(report_path.read_text(encoding="utf-8"))
        bundle = read_bundle(self.folder / "bundle")
        return {"bundle": "bundle", "hash": bundle.hash, "report": "report.json", "metrics": report["metrics"]}

    def _train_and_measure(self) -> dict[str, Any]:
        parts, plan, watch = self.parts, self.plan, self.watch
        torch.set_num_threads(plan.threads or min(os.cpu_count() or 1, torch.get_num_threads()))
        device, precision = choose_device(plan)
        watch.log(
            f"{len(parts.train)} products to train on, {len(parts.validation)} to stop by, {len(parts.held_out)} held "
            f"out for the report, {len(parts.undecided)} undecided; {len(self.schema.columns)} tags; on {device}, {precision}"
        )
        encoder = self._encoder().to(device)
        if plan.pretrain_steps:
            task = MaskedTask(plan, encoder, self._texts())
            self._fit(
                task,
                self._recipe(precision, epochs=task.epochs, steps=plan.pretrain_steps, patience=0, adversarial=0.0),
            )
        tags = TagTask(plan, self.schema, encoder, parts.train, parts.validation)
        progress = self._fit(tags, self._recipe(precision))
        if not (self.folder / "bundle").exists():
            self._write_bundle(tags, progress)
        watch.log("measuring on products that no training has read" if parts.held_out else "measuring")
        seconds = round(time.monotonic() - self.started, 1)
        return build_report(
            self.folder, plan, self.schema, parts, progress, seconds=seconds, data=self.identity["data"]
        )

    def _fit(self, task: Task, recipe: Recipe) -> Progress:
        watch = self.watch
        watch.log(f"{task.name}: starting")
        checkpoints = Checkpoints(self.work / "checkpoints" / task.name)
        progress: Progress = watch.patient(
            lambda: fit(task, recipe, checkpoints=checkpoints, emit=watch.emit, stop=lambda: bool(watch.stopping))
        )
        best = f", best after epoch {progress.best_epoch + 1}" if progress.best is not None else ""
        watch.log(f"{task.name}: {progress.step} steps done{best}")
        return progress

    def _recipe(self, precision: str, **changes: Any) -> Recipe:
        plan = self.plan
        same = (
            "epochs",
            "schedule",
            "warmup_share",
            "clip_norm",
            "adversarial",
            "patience",
            "seed",
            "checkpoint_every_s",
        )
        return Recipe(**{**{name: getattr(plan, name) for name in same}, "precision": precision, **changes})

    def _texts(self) -> list[str]:
        """Every text at hand, decided or not. Held-out products are left out even here."""
        parts = self.parts
        return [render(e).text for e in (*parts.train, *parts.validation, *parts.undecided)]

    def _base_folder(self) -> Path | None:
        """The checkpoint that the run starts from; None where it makes its own."""
        if self.plan.base == CATALOGUE:
            return None
        if self.plan.base == PACKAGED:
            return packaged_folder()
        path = Path(self.plan.base).expanduser()
        return path if path.is_absolute() else self.folder / path

    def _encoder(self) -> TextEncoder:
        plan = self.plan
        sizes = {"max_length": plan.max_length, "dropout": plan.dropout}
        if (folder := self._base_folder()) is not None:
            if plan.base == PACKAGED:
                check_packaged(folder)
            return load_text_encoder(folder, **sizes)  # type: ignore[arg-type]
        kept = self.work / "tokenizer.json"
        if not kept.is_file():  # made once: a second making might break ties another way
            self.watch.log("making a tokenizer from the catalogue")
            temporary = kept.with_suffix(".part")
            train_tokenizer(self._texts(), plan.vocabulary).save(str(temporary))
            temporary.replace(kept)
        tokenizer = tokenizers.Tokenizer.from_file(str(kept))
        return new_encoder(
            tokenizer, layers=plan.layers, width=plan.width, max_length=plan.max_length, dropout=plan.dropout,
            seed=plan.seed,
        )  # fmt: skip

    def _claim(self) -> None:
        """Raises TrainingError when the folder's checkpoints belong to another plan, schema or set of examples."""
        shaping = {name: value for name, value in self.plan.to_json().items() if name not in UNSHAPING}
        parts = self.parts
        self.identity = {
            "plan": hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest(),
            "schema": self.schema.hash,
            "data": data_hash((*parts.train, *parts.validation, *parts.held_out, *parts.undecided)),
        }
        path = self.work / "identity.json"
        if path.is_file():
            former = json.loads(path.read_text(encoding="utf-8"))
            if changed := [name for name, value in self.identity.items() if former.get(name) != value]:
                raise TrainingError(
                    f"{self.folder}: was begun with another {' and '.join(changed)}; use a new folder, "
                    "or delete its work, bundle and report.json to begin again"
                )
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(self.identity), encoding="utf-8")
        temporary.replace(path)

    def _write_bundle(self, task: TagTask, progress: Progress) -> None:
        self.watch.log("writing the bundle")
        y, known = task.validation_targets
        model, plan = task.model.eval(), self.plan
        fold(model.encoder)
        calibration = calibrate(self.schema, task.logits(task.validation_tokens), y, known)
        weight, bias = model.head.exported()
        families = sorted({family_hash(e.family) for e in (*self.parts.train, *self.parts.validation)})
        model.to("cpu")
        model.encoder.backbone.set_attn_implementation("eager")  # what the ONNX exporter traces without surprises

        def fill(directory: Path) -> None:
            model.encoder.save(directory / "torch")
            export_text_encoder(
                model.encoder.backbone, model.encoder.tokenizer, directory / "encoder",
                max_length=model.encoder.max_length, origin=f"fine-tuned from {plan.base}",
            )  # fmt: skip
            save_file({"weight": weight, "bias": bias}, directory / "head.safetensors")
            self.schema.save(directory / "schema.json")
            for name, content in {
                "calibration": calibration.to_json(), "families": families, "plan": plan.to_json()
            }.items():  # fmt: skip
                (directory / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")

        card = {
            "base": plan.base,
            "licence": licence_of(self._base_folder()),
            "seed": plan.seed,
            **self.identity,
            "validation": {"primary": progress.best, "epoch": progress.best_epoch + 1},
            "libraries": {
                "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
                "transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
            },
        }  # fmt: skip
        for left in self.folder.glob(".bundle-*"):
            shutil.rmtree(left, ignore_errors=True)
        write_bundle(self.folder / "bundle", "full", card, fill)


def choose_device(plan: Plan) -> tuple[torch.device, str]:
    """``(device, precision)``. Raises TrainingError when the plan asks for what is not there."""
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device: 'cuda', but torch finds no GPU here; use 'auto' or 'cpu'")
    device = torch.device("cuda" if plan.device != "cpu" and torch.cuda.is_available() else "cpu")
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return device, ("bf16" if able else "fp32") if plan.precision == "auto" else plan.precision
