"""Spans: a BIO label for each word from the states of its first token, the dictionary's word beside them.

Facets that a product's category does not have do not compete, and what nobody has said is out of the loss, as with
tags: a word that may be one of several labels costs minus the log of the probability of all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ml.heads.crf import CRF
from ml.serving.labelling import NEVER, Labels
from ml.serving.spans import GAIN, SpanWeights


class SpanHead(nn.Module):
    """``forward(states (b, l, d), at (b, w), found (b, w, k) or None) -> emissions (b, w, k)``.

    at: index of each word's first token. found: how far the dictionary speaks for each label there, 0 to 1
    (``ml.instant.phrases``); its weight is learned label by label, and so is what it takes from O.
    """

    def __init__(self, labels: Labels, width: int, *, dropout: float = 0.1, crf: bool = False) -> None:
        super().__init__()
        self.labels = labels
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(labels))
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        self.gain = nn.Parameter(torch.tensor([[GAIN], [0.0]]).repeat(1, len(labels)))
        self.crf = CRF(labels.begins, labels.follows) if crf else None

    @classmethod
    def side_by_side(cls, heads: Sequence[SpanHead]) -> SpanHead:
        """One head on the states of all beside each other, whose emissions and transitions are the mean of theirs."""
        share = 1 / len(heads)
        out = cls(heads[0].labels, sum(h.linear.in_features for h in heads), crf=heads[0].crf is not None)
        with torch.no_grad():
            out.linear.weight.copy_(torch.cat([h.linear.weight for h in heads], 1) * share)
            rest = [{n: p for n, p in h.named_parameters() if n != "linear.weight"} for h in heads]
            for name, parameter in out.named_parameters():
                if name != "linear.weight":
                    parameter.copy_(torch.stack([own[name] for own in rest]).mean(0))
        return out

    def forward(self, states: Tensor, at: Tensor, found: Tensor | None = None) -> Tensor:
        words = states.gather(1, at.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
        out: Tensor = self.linear(self.dropout(words)).float()
        if found is None:
            return out + 0.0 * self.gain.sum()  # every parameter has a gradient, as several processes need
        return out + found * self.gain[0] + (found > 0) * self.gain[1]

    def loss(self, emissions: Tensor, mask: Tensor, asked: Tensor, possible: Tensor) -> Tensor:
        """The summed loss of all words of the batch; shapes as in :class:`ml.heads.crf.CRF`."""
        if self.crf is not None:
            total: Tensor = self.crf(emissions, mask, asked, possible).sum()
            return total
        return possible_answer_loss(emissions, mask, asked, possible).sum()

    def exported(self) -> SpanWeights:
        """Its numbers for serving without torch."""

        def plain(tensor: Tensor) -> np.ndarray:
            out: np.ndarray = tensor.detach().float().cpu().numpy()
            return out

        chain = (plain(self.crf.first), plain(self.crf.transitions)) if self.crf is not None else (None, None)
        return SpanWeights(plain(self.linear.weight), plain(self.linear.bias), plain(self.gain), *chain)


def possible_answer_loss(emissions: Tensor, mask: Tensor, asked: Tensor, possible: Tensor) -> Tensor:
    """``(b, w)``: minus the log of the probability of the labels that are possible, among those asked; 0 outside the mask."""
    score = emissions.float().masked_fill(~asked, NEVER)
    right = score.masked_fill(~possible, NEVER)
    return (torch.logsumexp(score, -1) - torch.logsumexp(right, -1)) * mask
