"""A step before fine-tuning: the encoder learns from decided products which are alike, before a head is on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.encoders.hf import TextEncoder
from ml.examples import Example, targets
from ml.heads.contrastive import likeness, pair_loss, supervised_contrastive
from ml.schema import Schema
from ml.text import render
from ml.training.distributed import Team
from ml.training.loop import in_buckets
from ml.training.plan import Plan
from ml.training.tasks import freeze, groups


class Pooled(nn.Module):
    """``forward(ids, mask) -> (b, d)`` of length 1."""

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        pooled: Tensor = self.encoder(ids, mask)[1]
        return pooled


class ContrastiveTask:
    """Every pair of a batch is a pair; nothing is validated. In a team, each process pairs its own part of the batch."""

    name = "contrastive"

    def __init__(self, plan: Plan, schema: Schema, encoder: TextEncoder, train: Sequence[Example]) -> None:
        self.plan = plan
        freeze(encoder, plan)
        self.model = Pooled(encoder)
        self.tokens = encoder.tokenise([render(e).text for e in train])
        self.y, self.known = (torch.from_numpy(part).to(encoder.device) for part in targets(schema, train))

    @property
    def epochs(self) -> int:
        """As many as the plan's steps need."""
        return -(-self.plan.contrastive_steps // max(1, len(self.batches(0)))) + 1

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Not of like lengths: those of a kind would meet only each other."""
        return in_buckets(
            np.ones(len(self.tokens)), max(2, self.plan.contrastive_batch), "examples", self.plan.seed, epoch
        )

    def loss(self, rows: np.ndarray, step: int, through: nn.Module, team: Team) -> tuple[Tensor, int]:
        encoder, part = self.model.encoder, team.part(rows)
        pooled = through(*self.tokens.batch(part, encoder.pad_id, encoder.device))
        at = torch.from_numpy(part).to(encoder.device)
        alike, asked = likeness(self.y[at], self.known[at])
        if self.plan.contrastive == "pairs":
            loss = pair_loss(pooled, alike, asked)
        else:
            loss = supervised_contrastive(pooled, alike, asked, self.plan.contrastive_temperature)
        mine, all_ = torch.tensor(float(len(part))), torch.tensor(float(len(rows)))
        return team.weigh(loss, rows, mine, all_), int(self.tokens.lengths[rows].sum())

    def parameters(self) -> list[dict[str, Any]]:
        return groups(self.model, self.plan.learning_rate, self.plan.weight_decay)

    def validate(self) -> dict[str, float]:
        return {}

    @property
    def word_vectors(self) -> Tensor:
        return self.model.encoder.word_vectors

    def after_step(self, step: int) -> None:
        pass
