"""Tags: all facets and tags of the schema from one pooled state.

A multi-choice facet is one binary question per tag. A single-choice facet is one question with its tags and "none of
them" as answers: a softmax, so that its probabilities add up and its tags compete, which they do for the reviewer
too. With little data that competition is information that separate binary questions would have to learn.
What nobody has said is out of the loss: a binary question is skipped, and in a softmax only the answers that have
been ruled out lose probability (the likelihood of a partial answer: the sum over the answers still possible).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ml.schema import Schema


class TagHead(nn.Module):
    """A linear layer on the pooled state: ``forward(pooled (b, d)) -> logits (b, columns)``. Starts at zero.

    The pooled state has length 1, so its numbers are about ``d ** -0.5``; they are brought to about 1 first.
    """

    def __init__(self, schema: Schema, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.schema, self.scale = schema, width**0.5
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(schema.columns))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        out: Tensor = self.linear(self.dropout(pooled * self.scale))
        return out

    def exported(self) -> tuple[np.ndarray, np.ndarray]:
        """``(weight (columns, d), bias (columns,))`` float32 such that logits are ``pooled @ weight.T + bias``."""
        weight, bias = (t.detach().float().cpu().numpy() for t in (self.linear.weight, self.linear.bias))
        return weight * np.float32(self.scale), bias


class TagLoss(nn.Module):
    """``forward(logits, y, known)``, each ``(b, columns)``, to the mean loss of a facet that has been answered.

    Nothing known gives 0 with a gradient of 0. ``smoothing`` moves that share of each answer to the others. ``kind``
    says how binary questions are weighed: ``cross-entropy``, or one of those that look away from what is easily right
    by ``focus`` (see :func:`focal_weights`, :func:`asymmetric_loss`).
    """

    def __init__(
        self, schema: Schema, smoothing: float = 0.0, *, kind: str = "cross-entropy", focus: float = 2.0
    ) -> None:
        super().__init__()
        self.smoothing, self.kind, self.focus = smoothing, kind, focus
        self.single = [schema.facet_columns[f.slug] for f in schema.facets if f.single and f.tags]
        self.multi = [schema.facet_columns[f.slug] for f in schema.facets if not f.single and f.tags]

    def _binary(self, logits: Tensor, y: Tensor) -> Tensor:
        if self.kind == "asymmetric":
            return asymmetric_loss(logits, y, self.focus)
        each = nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
        return each * focal_weights(logits, y, self.focus) if self.kind == "focal" else each

    def answered(self, known: Tensor) -> Tensor:
        """How many facets of these products have been answered: what the loss is the mean over."""
        count = torch.zeros((), device=known.device)
        for columns in (*self.multi, *self.single):
            count = count + known[:, columns].any(1).sum()
        return count

    def forward(self, logits: Tensor, y: Tensor, known: Tensor) -> Tensor:
        total = logits.sum() * 0.0
        if self.multi:
            soft = y * (1.0 - self.smoothing) + 0.5 * self.smoothing
            each = self._binary(logits.float(), soft) * known
            for columns in self.multi:
                total = total + each[:, columns].sum()
        for columns in self.single:
            loss = partial_answer_loss(logits[:, columns].float(), y[:, columns], known[:, columns], self.smoothing)
            total = total + loss.sum()
        return total / self.answered(known).clamp(min=1.0)


def focal_weights(logits: Tensor, y: Tensor, focus: float) -> Tensor:
    """``(1 - p_t) ** focus`` (Lin et al. 2017), where p_t is the probability given to the right answer."""
    p = torch.sigmoid(logits)
    return (y * (1 - p) + (1 - y) * p) ** focus


def asymmetric_loss(logits: Tensor, y: Tensor, focus: float, margin: float = 0.05) -> Tensor:
    """Ridnik et al. 2021: only wrong tags are looked away from, and not at all below a probability of ``margin``."""
    p = torch.sigmoid(logits)
    shifted = (p - margin).clamp(min=0.0)
    wrong = -torch.log((1 - shifted).clamp(min=1e-8)) * shifted**focus
    return y * -nn.functional.logsigmoid(logits) + (1 - y) * wrong


def partial_answer_loss(logits: Tensor, y: Tensor, known: Tensor, smoothing: float = 0.0) -> Tensor:
    """``(b,)``: minus the log probability that the answer is one of those still possible.

    logits, y, known are ``(b, tags)`` of one facet; a further answer, none of them, has logit 0. Possible are the tags
    known to be right or, where none is, every tag not known to be wrong, and none of them. Nothing known gives 0.
    """
    none = torch.zeros_like(logits[:, :1])
    logp = torch.log_softmax(torch.cat([none, logits], 1), 1)
    right = (y > 0.5) & known
    has_right = right.any(1, keepdim=True)
    open_tags = torch.where(has_right, right, ~known)
    possible = torch.cat([~has_right, open_tags], 1)
    loss = -torch.logsumexp(logp.masked_fill(~possible, float("-inf")), 1)
    if smoothing:
        loss = (1.0 - smoothing) * loss - smoothing * logp.mean(1)
    return torch.where(known.any(1), loss, torch.zeros_like(loss))
