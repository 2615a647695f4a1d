"""Fine-tuning as the plan composes it: one task after another through the one loop."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ml.compression import importance, prune
from ml.encoders.fusion import ProductEncoder, text_part
from ml.encoders.hf import TextEncoder
from ml.encoders.side_by_side import SideBySide
from ml.examples import Example
from ml.heads.masked import MaskedModel
from ml.heads.spans import SpanHead
from ml.heads.tags import TagHead
from ml.schema import Schema
from ml.serving.decoding import probabilities
from ml.training.contrastive import ContrastiveTask
from ml.training.distil import DistilTask, Teacher
from ml.training.distributed import ALONE
from ml.training.errors import TrainingError
from ml.training.loop import Progress, Task
from ml.training.plan import Plan
from ml.training.semi import GanTask, pseudo_labelled
from ml.training.span_task import SpanModel, task_of
from ml.training.tasks import TagModel, TagTask
from ml.training.tuning import fold

AnyModel = TagModel | SpanModel


class Fit(Protocol):
    """Trains a task; ``changes`` are those of the plan's Recipe, ``place`` names its checkpoints."""

    def __call__(self, task: Task, place: str, **changes: Any) -> Progress: ...


@dataclass(frozen=True)
class Read:
    """The products of a run by what fine-tuning does with them."""

    train: Sequence[Example]
    validation: Sequence[Example]
    undecided: Sequence[Example] = ()


@dataclass(frozen=True)
class Helpers:
    """What a plan asks for and whoever reads files has loaded: ``teacher`` by ``plan.teacher``, ``masked`` (as
    pre-training left it) by ``plan.masked_replace``."""

    teacher: Teacher | None = None
    masked: MaskedModel | None = None


def fine_tune(
    plan: Plan, schema: Schema, encoder: ProductEncoder, read: Read, fit: Fit, *,
    helpers: Helpers = Helpers(), place: str = "tags",
) -> tuple[TagTask, Progress]:  # fmt: skip
    """The trained task, its model in its best state, and how its last training went."""
    if plan.members == 1:
        return _one(plan, schema, encoder, read, fit, helpers, place)
    start, trained, progress = encoder, [], Progress()
    for member in range(plan.members):
        own = replace(plan, seed=plan.seed + member)
        name = f"{place}-member-{member}" if member else place
        task, progress = _one(own, schema, copy.deepcopy(start), read, fit, helpers, name)
        if task.text is not None:
            fold(task.text)
        trained.append(task)
    models: list[AnyModel] = [task.model for task in trained]
    task = trained[0]
    joined: Any = averaged(models) if plan.combine == "weights" else together(models)  # of the kind that its task has
    task.model = joined
    measures = task.validate()
    return task, replace(progress, best=measures.get("primary"), validations=[{"step": 0, "epoch": 0, **measures}])


def averaged(models: Sequence[AnyModel]) -> AnyModel:
    """The mean of the weights of models that began alike (uniform soup, Wortsman et al. 2022), in the first of them."""
    states = [m.state_dict() for m in models]
    with torch.no_grad():
        for name, tensor in models[0].state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.stack([s[name] for s in states]).mean(0))
    return models[0]


def together(models: Sequence[AnyModel]) -> AnyModel:
    """One model whose logits, and emissions of spans, are the mean of those of all."""
    encoder = SideBySide([m.encoder for m in models if isinstance(m.encoder, TextEncoder)])  # the plan allows no others
    head = TagHead(models[0].head.schema, encoder.width)
    with torch.no_grad():
        head.linear.weight.copy_(torch.cat([m.head.linear.weight for m in models], 1) / len(models))
        head.linear.bias.copy_(torch.stack([m.head.linear.bias for m in models]).mean(0))
    head.to(encoder.device)
    spans = [m.spans for m in models if isinstance(m, SpanModel)]
    if spans:
        return SpanModel(encoder, head, SpanHead.side_by_side(spans).to(encoder.device))
    return TagModel(encoder, head)


def _one(
    plan: Plan, schema: Schema, encoder: ProductEncoder, read: Read, fit: Fit, helpers: Helpers, place: str
) -> tuple[TagTask, Progress]:
    if plan.contrastive_steps:
        before = ContrastiveTask(plan, schema, _text_alone(encoder), read.train)
        more = {"epochs": before.epochs, "steps": plan.contrastive_steps, "patience": 0, "adversarial": 0.0}
        fit(before, f"{place}-contrastive", seed=plan.seed, **more)
    task = _task(plan, schema, encoder, read, helpers)
    progress = fit(task, place, seed=plan.seed)
    for number in range(plan.pseudo_rounds if read.undecided else 0):
        again, later = _self_trained(task, read, fit, helpers, f"{place}-round-{number + 1}")
        if later.best is not None and progress.best is not None and later.best < progress.best:
            break
        task, progress = again, later
    if plan.pruned and (text := task.text) is not None:
        found = importance(text, lambda: _losses(task))
        prune(text, found, heads=plan.prune_heads, neurons=plan.prune_neurons)
        progress = fit(task, f"{place}-pruned", seed=plan.seed, epochs=plan.recover_epochs)
    return task, progress


def _text_alone(encoder: ProductEncoder) -> TextEncoder:
    """Raises TrainingError where it sees, too; the plan has said so before."""
    if not isinstance(encoder, TextEncoder):
        raise TrainingError("contrastive_steps, generator_weight: are for an encoder of text alone")
    return encoder


def _self_trained(task: TagTask, read: Read, fit: Fit, helpers: Helpers, place: str) -> tuple[TagTask, Progress]:
    """Training goes on, from a copy of the model, with what it is sure of on undecided products (Lee 2013)."""
    plan, schema, model = task.plan, task.schema, task.model
    encoder = copy.deepcopy(model.encoder)
    if (text := text_part(encoder)) is not None:
        fold(text)
    p = probabilities(schema, task.logits(encoder.read(read.undecided)))
    sure = pseudo_labelled(schema, read.undecided, p, plan.pseudo_confidence)
    again = _task(plan, schema, encoder, replace(read, train=[*read.train, *sure]), helpers)
    again.model.head.load_state_dict(model.head.state_dict())
    return again, fit(again, place, seed=plan.seed)


def _task(plan: Plan, schema: Schema, encoder: ProductEncoder, read: Read, helpers: Helpers) -> TagTask:
    if plan.masked_replace and helpers.masked is None:
        raise TrainingError("masked_replace: the plan asks a masked model, and none was pre-trained")
    if plan.generator_weight:
        return GanTask(
            plan, schema, _text_alone(encoder), read.train, read.validation, undecided=read.undecided, masked=helpers.masked
        )  # fmt: skip
    if not plan.teacher:
        return task_of(plan, schema, encoder, read.train, read.validation, masked=helpers.masked)
    if helpers.teacher is None:
        raise TrainingError("teacher: the plan names one, and none was loaded")
    return DistilTask(
        plan, schema, encoder, read.train, read.validation, undecided=read.undecided, teacher=helpers.teacher,
        masked=helpers.masked,
    )  # fmt: skip


def _losses(task: TagTask) -> Iterator[Tensor]:
    """The loss of each batch of an epoch, without dropout and adapters' terms."""
    task.model.eval()
    for rows in task.batches(0):
        yield task.judged(task.model(*task.read(rows, 0)), rows, rows, ALONE)
