"""What the loop trains: tags on decided products, and masked tokens on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.encoders.fusion import ProductEncoder, ProductInputs, text_part
from ml.encoders.hf import TextEncoder, Tokens
from ml.encoders.vision import PictureInputs
from ml.evaluation.thresholds import best_f1
from ml.examples import Example, targets
from ml.heads.masked import UNSCORED, MaskedModel, hide
from ml.heads.tags import TagHead, TagLoss
from ml.schema import Schema
from ml.serving.decoding import probabilities
from ml.training.augment import Augment
from ml.training.distributed import Team
from ml.training.errors import TrainingError
from ml.training.loop import in_buckets
from ml.training.plan import Plan
from ml.training.tuning import adapt, after_step, penalty

Inputs = Tokens | PictureInputs | ProductInputs


class TagModel(nn.Module):
    """``forward(*inputs of the encoder) -> logits (b, columns)``."""

    def __init__(self, encoder: ProductEncoder, head: TagHead) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, *inputs: Tensor) -> Tensor:
        out: Tensor = self.head(self.encoder(*inputs)[1])
        return out


class TagTask:
    """Fine-tuning on ``train``; validated by micro-F1, at the threshold that suits it best, on ``validation``."""

    name = "tags"

    def __init__(
        self, plan: Plan, schema: Schema, encoder: ProductEncoder, train: Sequence[Example],
        validation: Sequence[Example], *, masked: MaskedModel | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.schema = plan, schema
        device, self.text = encoder.device, text_part(encoder)
        if self.text is not None:
            freeze(self.text, plan)
        self.model = TagModel(encoder, TagHead(schema, encoder.width, plan.dropout).to(device))
        self.criterion = TagLoss(schema, plan.label_smoothing, kind=plan.loss, focus=plan.focus)
        self.tokens = encoder.read(train)
        self.augment: Augment | None = None
        if self.text is not None:
            self.augment = Augment(plan, schema, self.text, train, masked) if plan.augments else None
            adapt(self.text, plan, steps=plan.epochs * len(self.batches(0)))
        y, known = targets(schema, train)
        self.y, self.known = torch.from_numpy(y).to(device), torch.from_numpy(known).to(device)
        self.validation_tokens = encoder.read(validation)
        self.validation_targets = targets(schema, validation)

    def batches(self, epoch: int) -> list[np.ndarray]:
        return in_buckets(self.tokens.lengths, self.plan.batch_size, self.plan.batch_unit, self.plan.seed, epoch)

    def loss(self, rows: np.ndarray, step: int, through: nn.Module, team: Team) -> tuple[Tensor, int]:
        part = team.part(rows)
        loss = self.judged(through(*self.read(part, step)), part, rows, team)
        extra = penalty(self.text, self.plan) if self.text is not None else 0.0
        return loss + extra, int(self.tokens.lengths[rows].sum())

    def read(self, part: np.ndarray, step: int) -> tuple[Tensor, ...]:
        """What the encoder takes of these products at this step: ``(ids, mask)``, for text alone."""
        encoder = self.model.encoder
        if self.augment is not None and self.model.training:
            return self.augment.read(part, step)
        return self.tokens.batch(part, encoder.pad_id, encoder.device)

    def judged(self, logits: Tensor, part: np.ndarray, rows: np.ndarray, team: Team) -> Tensor:
        """The loss of ``part``, which is the team's part of ``rows``, whose logits these are."""
        at = torch.from_numpy(part).to(logits.device)
        loss: Tensor = self.criterion(logits, self.y[at], self.known[at])
        if team.size > 1:
            whole = self.criterion.answered(self.known[torch.from_numpy(rows).to(logits.device)])
            loss = team.weigh(loss, rows, self.criterion.answered(self.known[at]), whole)
        return loss

    def parameters(self) -> list[dict[str, Any]]:
        plan = self.plan
        return [
            *(
                group
                for rate, modules in self.model.encoder.by_rate().items()
                for module in modules
                for group in groups(module, getattr(plan, rate), plan.weight_decay)
            ),
            *groups(self.model.head, plan.head_learning_rate, plan.weight_decay),
        ]

    def validate(self) -> dict[str, float]:
        y, known = self.validation_targets
        if not len(y):
            return {}
        logits = self.logits(self.validation_tokens)
        p = np.clip(probabilities(self.schema, logits), 1e-7, 1 - 1e-7)[known]
        right = y[known] > 0.5
        threshold, f1 = best_f1(p, right)
        loss = float(-np.where(right, np.log(p), np.log1p(-p)).mean()) if len(p) else 0.0
        return {"primary": f1, "micro_f1": f1, "threshold": threshold, "loss": loss}

    @property
    def word_vectors(self) -> Tensor:
        if self.text is None:
            raise TrainingError("adversarial: moves word vectors, and this plan reads no text")
        return self.text.word_vectors

    def after_step(self, step: int) -> None:
        if self.text is not None:
            after_step(self.text, self.plan, step)

    def logits(self, tokens: Inputs) -> np.ndarray:
        """``(n, columns)`` float32, without dropout."""
        weight, bias = self.model.head.exported()
        pooled: np.ndarray = self.model.encoder.pooled(tokens)  # type: ignore[arg-type] # what this encoder has read
        out: np.ndarray = pooled @ weight.T + bias
        return out


class MaskedTask:
    """Masked-language modelling on the texts given. Nothing is validated: the last state is kept."""

    name = "pretrain"

    def __init__(self, plan: Plan, encoder: TextEncoder, texts: Sequence[str]) -> None:
        if encoder.mask_id is None:
            raise TrainingError("this base has no mask token to pre-train with; set pretrain_steps to 0")
        self.plan, self.mask_id = plan, encoder.mask_id
        torch.manual_seed(plan.seed)  # the head starts random, each time the same
        self.model = MaskedModel(encoder).to(encoder.device)
        self.tokens = encoder.tokenise(texts)
        tokenizer = encoder.tokenizer
        self.vocabulary = tokenizer.get_vocab_size(with_added_tokens=False)
        self.special = torch.tensor(sorted(encoder.special_ids), device=encoder.device)

    @property
    def epochs(self) -> int:
        """As many as the plan's steps need."""
        return -(-self.plan.pretrain_steps // max(1, len(self.batches(0)))) + 1

    def batches(self, epoch: int) -> list[np.ndarray]:
        return in_buckets(self.tokens.lengths, self.plan.pretrain_batch_tokens, "tokens", self.plan.seed, epoch)

    def loss(self, rows: np.ndarray, step: int, through: nn.Module, team: Team) -> tuple[Tensor, int]:
        encoder, plan = self.model.encoder, self.plan
        ids, mask = self.tokens.batch(rows, encoder.pad_id, encoder.device)
        generator = torch.Generator().manual_seed((plan.seed * 1_000_003 + step) % 2**63)
        hidden, wanted = hide(
            ids, mask, share=plan.mask_share, mask_id=self.mask_id, special=self.special,
            vocabulary=self.vocabulary, generator=generator,
        )  # fmt: skip
        mine: slice | Tensor = slice(None)
        if team.size > 1:  # the whole batch is hidden, so that any number of processes guess the same tokens
            mine = torch.from_numpy(team.part(np.arange(len(rows)))).to(encoder.device)
        loss = through(hidden[mine], mask[mine], wanted[mine])
        picked = wanted != UNSCORED
        return team.weigh(loss, rows, picked[mine].sum(), picked.sum()), int(self.tokens.lengths[rows].sum())

    def parameters(self) -> list[dict[str, Any]]:
        return groups(self.model, self.plan.pretrain_learning_rate, self.plan.weight_decay)

    def validate(self) -> dict[str, float]:
        return {}

    @property
    def word_vectors(self) -> Tensor:
        return self.model.encoder.word_vectors

    def after_step(self, step: int) -> None:
        pass


def freeze(encoder: TextEncoder, plan: Plan) -> None:
    """Let train what the plan lets train. Raises TrainingError when it names more blocks than there are."""
    encoder.requires_grad_(True)
    if plan.freeze == "embeddings":
        encoder.embeddings.requires_grad_(False)
    elif plan.freeze == "encoder":
        encoder.requires_grad_(False)
    elif (last := plan.last_blocks) is not None:
        blocks = encoder.blocks
        if last > len(blocks):
            raise TrainingError(f"freeze: 'all but last {last}', but the encoder has {len(blocks)} blocks")
        encoder.requires_grad_(False)
        for block in blocks[len(blocks) - last :]:
            block.requires_grad_(True)


def groups(module: nn.Module, rate: float, decay: float) -> list[dict[str, Any]]:
    """Parameter groups of what trains: matrices with decay; biases and norms without."""
    live = [p for p in module.parameters() if p.requires_grad]
    split = [([p for p in live if p.ndim > 1], decay), ([p for p in live if p.ndim <= 1], 0.0)]
    return [{"params": params, "lr": rate, "weight_decay": share} for params, share in split if params]
