"""Distillation (Hinton, Vinyals and Dean 2015): a student learns what a teacher thinks of each tag, not only its answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ml.schema import Schema


class SoftTagLoss(nn.Module):
    """``forward(logits, taught, asked)``, each ``(b, columns)``, to the mean divergence of a facet that is asked.

    Kullback-Leibler from teacher to student, both softened by ``temperature``, times its square, so that its gradient
    keeps its size: a softmax with "none of them" in single-choice facets, a yes or no for each tag in the others.
    ``asked`` (bool) leaves out facets that do not apply to a product. 0 where both say the same.
    """

    def __init__(self, schema: Schema, temperature: float = 2.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.single = [schema.facet_columns[f.slug] for f in schema.facets if f.single and f.tags]
        self.multi = [schema.facet_columns[f.slug] for f in schema.facets if not f.single and f.tags]

    def forward(self, logits: Tensor, taught: Tensor, asked: Tensor) -> Tensor:
        mine, theirs = logits.float() / self.temperature, taught.float() / self.temperature
        total = mine.sum() * 0.0
        for columns in self.multi:
            total = total + (_binary(mine[:, columns], theirs[:, columns]) * asked[:, columns]).sum()
        for columns in self.single:
            total = total + (_choice(mine[:, columns], theirs[:, columns]) * asked[:, columns].any(1)).sum()
        return total / self.count(asked).clamp(min=1.0) * self.temperature**2

    def count(self, asked: Tensor) -> Tensor:
        """How many facets are asked of these products: what the loss is the mean over."""
        facets = (*self.multi, *self.single)
        return torch.stack([asked[:, columns].any(1).sum() for columns in facets]).sum().float()


def _binary(mine: Tensor, theirs: Tensor) -> Tensor:
    """``KL(Bernoulli(theirs) || Bernoulli(mine))`` of each pair of logits."""
    p = torch.sigmoid(theirs)
    yes = nn.functional.logsigmoid(theirs) - nn.functional.logsigmoid(mine)
    no = nn.functional.logsigmoid(-theirs) - nn.functional.logsigmoid(-mine)
    return p * yes + (1 - p) * no


def _choice(mine: Tensor, theirs: Tensor) -> Tensor:
    """``(b,)``: the divergence of two softmaxes over the tags and, with logit 0, none of them."""
    none = torch.zeros_like(mine[:, :1])
    p, q = (torch.log_softmax(torch.cat([none, logits], 1), 1) for logits in (theirs, mine))
    return (p.exp() * (p - q)).sum(1)
