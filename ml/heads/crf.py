"""A linear-chain conditional random field (Lafferty, McCallum and Pereira 2001) over the labels of a sequence.

Its loss takes what is *possible* at each place instead of one right label, so that sequences of which only some is
known teach what is known: minus the log probability of all label sequences that are possible (Tsuboi et al. 2008).
Where one label is possible at each place this is the usual likelihood.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ml.serving.labelling import NEVER

LEAST = 1e-30  # a sum of weights below this share of the largest counts as this: log and gradient stay numbers


class CRF(nn.Module):
    """``forward(emissions, mask, asked, possible) -> (b,)`` minus the log likelihood of each sequence.

    emissions: ``(b, l, k)``; mask: ``(b, l)`` bool, true at the first places of each row; asked: ``(b, l, k)`` bool,
    labels that compete at all; possible: ``(b, l, k)`` bool, those among them that may be right.
    begins, follows: which labels may stand first, and which may follow which (see ``Labels``)
    """

    def __init__(self, begins: np.ndarray, follows: np.ndarray) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(len(begins)))
        self.transitions = nn.Parameter(torch.zeros(follows.shape))
        self.register_buffer("begins", torch.from_numpy(begins.copy()), persistent=False)
        self.register_buffer("follows", torch.from_numpy(follows.copy()), persistent=False)

    def forward(self, emissions: Tensor, mask: Tensor, asked: Tensor, possible: Tensor) -> Tensor:
        return self.log_partition(emissions, mask, asked) - self.log_partition(emissions, mask, asked & possible)

    def log_partition(self, emissions: Tensor, mask: Tensor, allowed: Tensor) -> Tensor:
        """``(b,)``: log of the summed weights of all sequences of allowed labels, by the forward algorithm.

        A row without any word gives 0.
        """
        with torch.autocast(emissions.device.type, enabled=False):  # sums of logs are no place for bf16
            score = emissions.float().masked_fill(~allowed, NEVER)
            first = self.first.masked_fill(~self.begins, NEVER)  # type: ignore[operator]
            weights = self.transitions.masked_fill(~self.follows, NEVER).exp()  # type: ignore[operator]
            alpha = first + score[:, 0]
            for at in range(1, score.shape[1]):
                highest = alpha.amax(1, keepdim=True).detach()
                moved = ((alpha - highest).exp() @ weights).clamp(min=LEAST).log() + highest + score[:, at]
                alpha = torch.where(mask[:, at, None], moved, alpha)
            return torch.where(mask[:, 0], torch.logsumexp(alpha, 1), torch.zeros_like(alpha[:, 0]))
