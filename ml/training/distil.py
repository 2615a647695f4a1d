"""Fine-tuning with a teacher: its soft answers on decided and undecided products, beside what people said."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ml.encoders.fusion import ProductEncoder
from ml.examples import Example
from ml.heads.distillation import SoftTagLoss
from ml.heads.masked import MaskedModel
from ml.instant.model import applicable
from ml.schema import Schema
from ml.serving.full import FullModel
from ml.training.distributed import Team
from ml.training.errors import TrainingError
from ml.training.plan import Plan
from ml.training.tasks import TagTask

Teacher = Callable[[Sequence[Example]], np.ndarray]
"""Products to ``(n, columns)`` logits over the schema's columns."""


def bundled_teacher(model: FullModel, schema: Schema) -> Teacher:
    """A full bundle as a teacher. Raises TrainingError when its columns are not the schema's."""
    if model.schema.columns != schema.columns:
        raise TrainingError(
            f"teacher: it knows {len(model.schema.columns)} tags and the schema has {len(schema.columns)}, or in another "
            "order; train it again on today's tags first"
        )
    return lambda examples: model.logits(model.encoder.embed(examples))


class DistilTask(TagTask):
    """Tags, with ``plan.teacher_weight`` of the loss being what the teacher says of them.

    Undecided products are read too: people have said nothing of them, the teacher has. What is taught is computed once.
    """

    def __init__(
        self, plan: Plan, schema: Schema, encoder: ProductEncoder, train: Sequence[Example],
        validation: Sequence[Example], *, undecided: Sequence[Example], teacher: Teacher,
        masked: MaskedModel | None = None,
    ) -> None:  # fmt: skip
        read = [*train, *undecided]
        super().__init__(plan, schema, encoder, read, validation, masked=masked)
        taught = teacher(read)
        if taught.shape != self.y.shape:
            raise TrainingError(f"teacher: answered {taught.shape}, not {tuple(self.y.shape)}")
        self.taught = torch.from_numpy(np.asarray(taught, dtype=np.float32)).to(encoder.device)
        self.asked = torch.from_numpy(applicable(schema, read)).to(encoder.device)
        self.soft = SoftTagLoss(schema, plan.teacher_temperature)

    def judged(self, logits: Tensor, part: np.ndarray, rows: np.ndarray, team: Team) -> Tensor:
        hard = super().judged(logits, part, rows, team)
        at, whole = (torch.from_numpy(r).to(logits.device) for r in (part, rows))
        soft: Tensor = self.soft(logits, self.taught[at], self.asked[at])
        if team.size > 1:
            soft = team.weigh(soft, rows, self.soft.count(self.asked[at]), self.soft.count(self.asked[whole]))
        share = self.plan.teacher_weight
        return (1 - share) * hard + share * soft
