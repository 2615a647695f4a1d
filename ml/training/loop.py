"""The training loop, whole and visible, in the spirit of nanoGPT.

It knows tasks (something with batches, a loss and perhaps a validation score), not what they are about, so that
pre-training and fine-tuning run through the same lines. It prints nothing and knows no file names: it calls back.

All randomness of step s is a function of (seed, s), and the batches of epoch e of (seed, e). So a run that was
killed and resumed computes the same numbers as one that was not, and no generator's state has to be stored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ml.training.adversarial import perturbed
from ml.training.checkpoints import Checkpoint, Checkpoints, pack_optimiser, unpack_optimiser
from ml.training.devices import peak_memory
from ml.training.distributed import ALONE, Team
from ml.training.errors import Stopped, TrainingError
from ml.training.optimisers import new_optimiser

CURVE_POINTS = 500  # of a whole run, at most, kept for its report


class Task(Protocol):
    """What is trained. ``model`` holds everything that a checkpoint must hold."""

    name: str

    @property
    def model(self) -> nn.Module: ...

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Rows of each step of the epoch; equal epochs give equal batches."""
        ...

    def loss(self, rows: np.ndarray, step: int, through: nn.Module, team: Team) -> tuple[Tensor, int]:
        """``(mean loss, real tokens read)`` of these rows, the loss of the team's part of them weighed by it.

        through: what to call for the model: it, or what joins the team's gradients around it
        """
        ...

    def parameters(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser, each with its peak ``lr`` and ``weight_decay``."""
        ...

    def validate(self) -> dict[str, float]:
        """Measures on what is kept aside; ``primary`` is the one to raise. Empty: nothing is kept aside."""
        ...

    @property
    def word_vectors(self) -> Tensor:
        """``(vocabulary, d)``: what adversarial training moves."""
        ...

    def after_step(self, step: int) -> None:
        """Called when the optimiser has stepped, while the gradients are still there."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How a task is trained. ``steps`` ends it early; 0 lets the epochs decide. See Plan for the fields' meaning."""

    epochs: int
    steps: int = 0
    schedule: str = "linear"
    warmup_share: float = 0.1
    clip_norm: float = 1.0
    adversarial: float = 0.0
    patience: int = 0
    seed: int = 1
    optimiser: str = "adamw"
    precision: str = "fp32"
    checkpoint_every_s: float = 60.0


@dataclass
class Progress:
    """Where a run stands; the JSON part of a checkpoint."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # steps of this epoch already done
    best: float | None = None
    best_epoch: int = -1
    done: bool = False
    window: float = 0.0  # sum of the losses since the last point of the curve
    curve: list[dict[str, float]] = field(default_factory=list)
    validations: list[dict[str, float]] = field(default_factory=list)


def rate_factor(step: int, total: int, warmup_share: float, schedule: str) -> float:
    """The share (0 to 1) of the peak learning rate at ``step`` (from 0) of ``total``."""
    warmup = round(total * warmup_share)
    if step < warmup:
        return (step + 1) / warmup
    left = (total - step) / max(1, total - warmup)
    return {"linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left), "constant": 1.0}[schedule]


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """All of torch's generators, for one step of one process of the team."""
    torch.manual_seed((seed * 1_000_003 + step * 7_919 + rank * 104_729 + 1) % 2**63)


def fit(
    task: Task,
    recipe: Recipe,
    *,
    checkpoints: Checkpoints | None = None,
    emit: Callable[[dict[str, Any]], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
) -> Progress:
    """Train ``task`` and leave its best state (the last, where nothing is validated) in ``task.model``.

    Resumes from the newest valid checkpoint. Calls ``emit`` with a progress event after every step. Raises Stopped
    at the next step once ``stop()`` is true, after a checkpoint, and TrainingError when the loss is no number.
    """
    return _Run(task, recipe, checkpoints, emit, stop, team).run()


class _Run:
    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        checkpoints: Checkpoints | None,
        emit: Callable[[dict[str, Any]], None],
        stop: Callable[[], bool],
        team: Team,
    ) -> None:
        self.team = team
        self.task, self.recipe, self.checkpoints, self.emit, self.stop = task, recipe, checkpoints, emit, stop
        groups = task.parameters()
        self.peaks = [group["lr"] for group in groups]
        self.optimiser = new_optimiser(recipe.optimiser, groups)
        self.trained = [p for group in groups for p in group["params"]]
        self.device = self.trained[0].device
        self.through = team.wrap(task.model, self.device)
        counted = sum(len(task.batches(epoch)) for epoch in range(recipe.epochs))
        self.total = min(recipe.steps or counted, counted)
        self.every = max(1, self.total // CURVE_POINTS)
        self.at = Progress()
        self.best_state: dict[str, Tensor] = {}
        self.saved_at = time.monotonic()
        self.clock = _Clock()
        self.latest = 0.0

    def run(self) -> Progress:
        self._resume()
        while not self.at.done:
            for rows in self.task.batches(self.at.epoch)[self.at.batch :]:
                self._pause_if_asked()
                self._step(rows)
                if self.at.step >= self.total:
                    break
            self._end_epoch()
        if self.best_state:
            self.task.model.load_state_dict(self.best_state)
        return self.at

    def _step(self, rows: np.ndarray) -> None:
        at, recipe = self.at, self.recipe
        self.task.model.train()
        seed_step(recipe.seed, at.step, self.team.rank)
        factor = self._factor()
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        with _autocast(self.device, recipe.precision):
            loss, tokens = self.task.loss(rows, at.step, self.through, self.team)
        loss.backward()
        if recipe.adversarial:
            with perturbed(self.task.word_vectors, recipe.adversarial), _autocast(self.device, recipe.precision):
                self.task.loss(rows, at.step, self.through, self.team)[0].backward()
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.trained, recipe.clip_norm)
        self.optimiser.step()
        self.task.after_step(at.step)
        self.optimiser.zero_grad(set_to_none=True)

        value = self.latest = self.team.mean(loss.item(), self.device)
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is no longer a number at step {at.step + 1}; lower learning_rate, or use precision fp32"
            )
        at.step += 1
        at.batch += 1
        at.window += value
        if at.step % self.every == 0:
            at.curve.append({"step": at.step, "epoch": at.epoch, "loss": at.window / self.every})
            at.window = 0.0
        self.clock.count(len(rows), tokens)
        self.emit(self._event(value, self.peaks[0] * factor))

    def _factor(self) -> float:
        return rate_factor(self.at.step, self.total, self.recipe.warmup_share, self.recipe.schedule)

    def _end_epoch(self) -> None:
        """Validate, keep the best, and decide whether this was the last epoch."""
        at, recipe = self.at, self.recipe
        with self.clock.paused(), _autocast(self.device, recipe.precision):
            measures = self.task.validate()
        if measures:  # each has measured; what it comes to must be the same for all
            measures["primary"] = self.team.told(measures["primary"], self.device)
        at.done = at.step >= self.total or at.epoch + 1 >= recipe.epochs
        if measures:
            at.validations.append({"step": at.step, "epoch": at.epoch, **measures})
            if at.best is None or measures["primary"] > at.best:
                at.best, at.best_epoch = measures["primary"], at.epoch
                self.best_state = {name: t.detach().cpu().clone() for name, t in self.task.model.state_dict().items()}
            at.done |= bool(recipe.patience) and at.epoch - at.best_epoch >= recipe.patience
        at.epoch, at.batch = at.epoch + 1, 0
        self.emit({**self._event(self.latest, self.peaks[0] * self._factor()), "val": measures})
        if at.done or time.monotonic() - self.saved_at >= recipe.checkpoint_every_s:
            self._save()

    def _event(self, loss: float, rate: float) -> dict[str, Any]:
        at = self.at
        return {
            "event": "progress", "stage": self.task.name, "step": at.step, "total": self.total,
            "epoch": min(at.epoch + 1, self.recipe.epochs), "epochs": self.recipe.epochs, "loss": round(loss, 6),
            "learning_rate": rate, "rate": self.clock.examples_per_s, "tokens_per_s": self.clock.tokens_per_s,
            "eta_s": round((self.total - at.step) * self.clock.seconds_per_step, 1),
            "memory": peak_memory(self.device),
        }  # fmt: skip

    def _pause_if_asked(self) -> None:
        if self.team.any(self.stop(), self.device):
            self._save()
            raise Stopped
        if time.monotonic() - self.saved_at >= self.recipe.checkpoint_every_s:
            with self.clock.paused():
                self._save()

    def _save(self) -> None:
        if self.checkpoints is not None and self.team.first:
            tensors, numbers = pack_optimiser(self.optimiser)
            groups = {"model": self.task.model.state_dict(), "optimiser": tensors, "best": self.best_state}
            state = {"progress": asdict(self.at), "optimiser": numbers}
            if self.at.done:  # nothing will be trained on from here
                groups, state["optimiser"] = {"best": self.best_state or groups["model"]}, {}
            self.checkpoints.write(Checkpoint(self.at.step, state, {g: t for g, t in groups.items() if t}))
            self.emit({"event": "checkpoint", "stage": self.task.name, "step": self.at.step})
        self.saved_at = time.monotonic()

    def _resume(self) -> None:
        if self.checkpoints is None:
            return
        if self.team.first:
            self.checkpoints.tidy()
        self.team.wait()
        found = self.checkpoints.newest()
        if found is None:
            return
        self.at = Progress(**found.state["progress"])
        self.best_state = found.tensors.get("best", {})
        if not self.at.done:
            self.task.model.load_state_dict(found.tensors["model"])
            unpack_optimiser(self.optimiser, found.tensors.get("optimiser", {}), found.state["optimiser"])
        self.emit({"event": "log", "text": f"{self.task.name}: resumed after step {self.at.step} of {self.total}"})


class _Clock:
    """Speed since this process began, validation and checkpoints left out."""

    def __init__(self) -> None:
        self.steps = self.examples = self.tokens = 0
        self.started = time.monotonic()

    def count(self, examples: int, tokens: int) -> None:
        self.steps, self.examples, self.tokens = self.steps + 1, self.examples + examples, self.tokens + tokens

    def paused(self) -> AbstractContextManager[None]:
        return _Pause(self)

    @property
    def elapsed(self) -> float:
        return max(time.monotonic() - self.started, 1e-6)

    @property
    def examples_per_s(self) -> float:
        return round(self.examples / self.elapsed, 1)

    @property
    def tokens_per_s(self) -> float:
        return round(self.tokens / self.elapsed, 1)

    @property
    def seconds_per_step(self) -> float:
        return self.elapsed / max(1, self.steps)


class _Pause(AbstractContextManager[None]):
    def __init__(self, clock: _Clock) -> None:
        self.clock = clock

    def __enter__(self) -> None:
        self.began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.clock.started += time.monotonic() - self.began


def _autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def in_buckets(lengths: np.ndarray, size: int, unit: str, seed: int, epoch: int) -> list[np.ndarray]:
    """Rows in batches of like lengths, the batches in random order: next to no padding is computed.

    A batch has ``size`` rows, or for unit ``tokens`` as many as fit into ``size`` tokens when padded (at least one).
    Lengths are shaken a little before sorting, so that an epoch's batches aren't the last one's.
    """
    rng = np.random.default_rng((seed, epoch))
    order = np.argsort(lengths + rng.uniform(0, 1 + 0.1 * lengths), kind="stable")
    cut = list(_by_tokens(lengths[order], size)) if unit == "tokens" else list(range(size, len(order), size))
    batches = [b for b in np.split(order, cut) if len(b)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _by_tokens(lengths: np.ndarray, size: int) -> Iterator[int]:
    """Where to cut so that rows times the longest of each piece stays within ``size``."""
    start = longest = 0
    for row, length in enumerate(lengths):
        longest = max(longest, int(length))
        if row > start and (row + 1 - start) * longest > size:
            yield row
            start, longest = row, int(length)
