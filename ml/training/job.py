"""A full training run in a folder: from ``config.json``, ``schema.json``, ``examples.jsonl`` to ``bundle/``, ``report.json``.

Every step can be killed and done again: what is finished is found finished, and the loop goes on from its newest
checkpoint. What is not for the reader lies in ``work/``.
"""

from __future__ import annotations

import copy
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
from ml.compression import compact, keep_blocks
from ml.encoders.catalogue import new_encoder, train_tokenizer
from ml.encoders.export_pictures import export_encoder
from ml.encoders.fusion import ProductEncoder
from ml.encoders.hf import TextEncoder, licence_of, load_text_encoder
from ml.encoders.lstm import new_lstm
from ml.encoders.packaged import check_packaged, packaged_folder
from ml.examples import data_hash, family_hash
from ml.heads.generation import FOLDER, Generator
from ml.heads.masked import MaskedModel
from ml.serving.decoding import calibrate
from ml.serving.full import FullModel
from ml.text import render
from ml.training.checkpoints import Checkpoints
from ml.training.devices import choose_device, described
from ml.training.distil import bundled_teacher
from ml.training.distributed import ALONE, joined
from ml.training.errors import TrainingError
from ml.training.generation import measure_generation, trained_writer
from ml.training.inputs import read_config, read_parts, read_schema, replayed, seen_from
from ml.training.loop import Progress, Recipe, Task, fit
from ml.training.plan import CATALOGUE, LSTM, NO_TEXT, PACKAGED, Plan
from ml.training.report import build_report
from ml.training.seeing import broken_pictures, with_pictures
from ml.training.span_task import SpanTask
from ml.training.stages import Helpers, Read, fine_tune
from ml.training.tasks import MaskedTask, TagTask
from ml.training.tuning import fold

UNSHAPING = ("device", "threads", "checkpoint_every_s")  # plan fields that may change between attempts


class Watch(Protocol):
    """Whoever watches a job; ``ml.commands.channel.Channel`` is one, a notebook may bring its own."""

    @property
    def stopping(self) -> str:
        """Why it is to stop; empty while it is not."""
        ...

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
        self.team = ALONE
        self.masked: MaskedModel | None = None  # as pre-training left it, where something asks it later
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
            if report is None:  # the first of the team goes on alone
                return {}
            temporary = self.work / "report.json"
            temporary.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
            temporary.replace(report_path)
        report = json.loads(report_path.read_text(encoding="utf-8"))
        bundle = read_bundle(self.folder / "bundle")
        return {"bundle": "bundle", "hash": bundle.hash, "report": "report.json", "metrics": report["metrics"]}

    def _train_and_measure(self) -> dict[str, Any] | None:
        parts, plan, watch = self.parts, self.plan, self.watch
        device, precision = self._settle_on_device()
        watch.log(
            f"{len(parts.train)} products to train on, {len(parts.validation)} to stop by, {len(parts.held_out)} held "
            f"out for the report, {len(parts.undecided)} undecided; {len(self.schema.columns)} tags; on {device}, {precision}"
        )
        with joined(cuda=device.type == "cuda") as self.team:
            encoder = self._pretrained(device, precision)
            read = Read(replayed(self.folder, plan, parts.train), parts.validation, parts.undecided)
            tags, progress = self._fine_tuned(encoder, read, precision)
            writer = self._writer(device, precision)
        if not self.team.first:
            return None
        if not (self.folder / "bundle").exists():
            self._write_bundle(tags, progress, writer)
        watch.log("measuring on products that no training has read" if parts.held_out else "measuring")
        seconds = round(time.monotonic() - self.started, 1)
        report = build_report(
            self.folder, plan, self.schema, parts, progress, seconds=seconds, data=self.identity["data"]
        )
        if writer is not None:
            watch.log("writing for products that no training has read, to measure it")
            judged = parts.held_out or parts.validation
            report["generation"] = measure_generation(writer, judged, width=plan.beams, held=plan.decoding == "held")
        return report

    def _writer(self, device: torch.device, precision: str) -> Generator | None:
        """The trained generator; None where the plan wants none."""
        plan, parts = self.plan, self.parts
        if plan.generation == "none":
            return None
        base = None if plan.generation_base == CATALOGUE else seen_from(self.folder, plan.generation_base)
        return trained_writer(
            plan, self.schema, parts, base, device,
            made_once=lambda make: self._made_once("writer-tokenizer", make),
            fit_one=lambda task: self._fit(task, self._recipe(precision, epochs=plan.generation_epochs)),
        )  # fmt: skip

    def _settle_on_device(self) -> tuple[torch.device, str]:
        """Where and how precisely to compute; tells it, too."""
        torch.set_num_threads(self.plan.threads or min(os.cpu_count() or 1, torch.get_num_threads()))
        device, precision = choose_device(self.plan)
        self.watch.emit({"event": "device", **described(device, precision)})
        return device, precision

    def _pretrained(self, device: torch.device, precision: str) -> ProductEncoder:
        """The encoder that fine-tuning starts from: its text pre-trained where the plan says so, its pictures beside."""
        plan = self.plan
        encoder = None if plan.base == NO_TEXT else self._pretrained_text(device, precision)
        return with_pictures(plan, encoder, self.folder).to(device)

    def _pretrained_text(self, device: torch.device, precision: str) -> TextEncoder:
        plan, encoder = self.plan, self._encoder().to(device)
        if plan.pretrain_steps:
            task = MaskedTask(plan, encoder, self._texts())
            steps = {"epochs": task.epochs, "steps": plan.pretrain_steps, "patience": 0, "adversarial": 0.0}
            self._fit(task, self._recipe(precision, **steps))
            if plan.masked_replace:
                self.masked = copy.deepcopy(task.model).requires_grad_(False)
        return encoder

    def _fine_tuned(self, encoder: ProductEncoder, read: Read, precision: str, **told: Any) -> tuple[TagTask, Progress]:
        """told: ``place`` and ``emit``, where a plan is followed more than once."""
        place, emit = told.get("place", "tags"), told.get("emit")
        teacher = None
        if self.plan.teacher:
            self.watch.log("asking the teacher")
            teacher = bundled_teacher(FullModel.load(seen_from(self.folder, self.plan.teacher)), self.schema)

        def fit_one(task: Task, place: str, **changes: Any) -> Progress:
            for words in broken_pictures(task):
                self.watch.log(words)
            return self._fit(task, self._recipe(precision, **changes), place=place, emit=emit)

        return fine_tune(
            self.plan, self.schema, encoder, read, fit_one, helpers=Helpers(teacher, self.masked), place=place
        )

    def _fit(
        self, task: Task, recipe: Recipe, *, place: str = "", emit: Callable[[dict[str, Any]], None] | None = None
    ) -> Progress:
        """place: the name of its checkpoints, where a task is trained more than once; emit: who hears its events."""
        watch = self.watch
        watch.log(f"{place or task.name}: starting")
        checkpoints = Checkpoints(self.work / "checkpoints" / (place or task.name))
        progress: Progress = watch.patient(
            lambda: fit(
                task,
                recipe,
                checkpoints=checkpoints,
                emit=emit or watch.emit,
                stop=lambda: bool(watch.stopping),
                team=self.team,
            )
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
            "optimiser",
            "checkpoint_every_s",
        )
        return Recipe(**{**{name: getattr(plan, name) for name in same}, "precision": precision, **changes})

    def _texts(self) -> list[str]:
        """Every text at hand, decided or not. Held-out products are left out even here."""
        parts = self.parts
        return [render(e).text for e in (*parts.train, *parts.validation, *parts.undecided)]

    def _base_folder(self) -> Path | None:
        """The checkpoint that the run starts from; None where it makes its own."""
        if self.plan.base in (CATALOGUE, LSTM, NO_TEXT):
            return None
        if self.plan.base == PACKAGED:
            return packaged_folder()
        return seen_from(self.folder, self.plan.base)

    def _encoder(self) -> TextEncoder:
        plan = self.plan
        sizes = {"max_length": plan.max_length, "dropout": plan.dropout}
        if (folder := self._base_folder()) is not None:
            if plan.base == PACKAGED:
                check_packaged(folder)
            encoder = load_text_encoder(folder, **sizes)  # type: ignore[arg-type]
            if plan.keep_blocks:
                keep_blocks(encoder, plan.keep_blocks)
            return encoder
        tokenizer = self._made_once("tokenizer", lambda: train_tokenizer(self._texts(), plan.vocabulary))
        new = new_lstm if plan.base == LSTM else new_encoder
        return new(
            tokenizer, layers=plan.layers, width=plan.width, max_length=plan.max_length, dropout=plan.dropout,
            seed=plan.seed,
        )  # fmt: skip

    def _made_once(self, name: str, make: Callable[[], tokenizers.Tokenizer]) -> tokenizers.Tokenizer:
        """A tokenizer kept in ``work/``: a second making might break ties another way."""
        kept = self.work / f"{name}.json"
        if not kept.is_file() and self.team.first:
            self.watch.log("making a tokenizer from the catalogue")
            temporary = kept.with_suffix(".part")
            make().save(str(temporary))
            temporary.replace(kept)
        self.team.wait()
        return tokenizers.Tokenizer.from_file(str(kept))

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
        if os.environ.get("RANK", "0") == "0":
            temporary = path.with_suffix(".part")
            temporary.write_text(json.dumps(self.identity), encoding="utf-8")
            temporary.replace(path)

    def _write_bundle(self, task: TagTask, progress: Progress, writer: Generator | None) -> None:
        self.watch.log("writing the bundle")
        y, known = task.validation_targets
        model, plan = task.model.eval(), self.plan
        if task.text is not None:
            fold(task.text)
        calibration = calibrate(self.schema, task.logits(task.validation_tokens), y, known)
        weight, bias = model.head.exported()
        families = sorted({family_hash(e.family) for e in (*self.parts.train, *self.parts.validation)})
        model.to("cpu")

        def fill(directory: Path) -> None:
            model.encoder.save(directory / "torch")  # whole, since no config.json can say that blocks differ in size
            if plan.pruned and task.text is not None:
                compact(task.text)
            export_encoder(
                model.encoder, directory / "encoder", origin=f"fine-tuned from {plan.base}", states=isinstance(task, SpanTask)
            )  # fmt: skip
            save_file({"weight": weight, "bias": bias}, directory / "head.safetensors")
            if isinstance(task, SpanTask):
                task.save(directory)
            self.schema.save(directory / "schema.json")
            if writer is not None:
                writer.save(directory / FOLDER)
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
