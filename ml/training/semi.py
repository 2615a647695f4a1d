"""Learning from products that nobody has decided on: pseudo-labels, and a generator that has to be told from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.encoders.hf import TextEncoder
from ml.examples import Example
from ml.heads.adversarial import GanModel
from ml.instant.model import applicable
from ml.schema import Schema
from ml.training.distributed import Team
from ml.training.plan import Plan
from ml.training.tasks import TagTask, groups


class GanTask(TagTask):
    """Tags on decided products, real or fake on these and the undecided ones, which are read as often."""

    def __init__(
        self, plan: Plan, schema: Schema, encoder: TextEncoder, train: Sequence[Example],
        validation: Sequence[Example], *, undecided: Sequence[Example], masked: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(plan, schema, encoder, [*train, *undecided], validation, masked=masked)
        torch.manual_seed(plan.seed)  # the generator starts random, each time the same
        self.model: Any = GanModel(encoder, self.model.head, plan.dropout).to(encoder.device)

    def judged(self, logits: Any, part: np.ndarray, rows: np.ndarray, team: Team) -> Tensor:
        tags, adversarial = logits
        hard = super().judged(tags, part, rows, team)
        if team.size > 1:
            mine, all_ = (torch.tensor(float(len(r)), device=tags.device) for r in (part, rows))
            adversarial = team.weigh(adversarial, rows, mine, all_)
        out: Tensor = hard + self.plan.generator_weight * adversarial
        return out

    def parameters(self) -> list[dict[str, Any]]:
        plan = self.plan
        more = [self.model.generator, self.model.features, self.model.real]
        own = [g for module in more for g in groups(module, plan.generator_learning_rate, plan.weight_decay)]
        return [*super().parameters(), *own]


def pseudo_labelled(schema: Schema, examples: Sequence[Example], p: np.ndarray, confidence: float) -> list[Example]:
    """Products with the answers that ``p`` ``(n, columns)`` is sure of (at least ``confidence``, either way); the others
    stay unknown. Products with no right tag among them are left out, since "none" is what a model is easily sure of."""
    sure_yes, sure_no = p >= confidence, p <= 1 - confidence
    asked = applicable(schema, examples)
    out = []
    for row, example in enumerate(examples):
        yes, no = (_by_facet(schema, some[row] & asked[row]) for some in (sure_yes, sure_no))
        if yes:
            out.append(replace(example, labels=yes, rejected=no, complete=frozenset()))
    return out


def _by_facet(schema: Schema, some: np.ndarray) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for column in np.flatnonzero(some):
        facet, tag = schema.columns[column]
        found.setdefault(facet, set()).add(tag)
    return {facet: frozenset(tags) for facet, tags in found.items()}
