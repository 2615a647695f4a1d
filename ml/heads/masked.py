"""Masked-language modelling (Devlin et al. 2019, BERT): guess hidden tokens from their surroundings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ml.encoders.hf import TextEncoder

UNSCORED = -100


class MaskedHead(nn.Module):
    """Token states to scores of the vocabulary, through the encoder's own token embeddings.

    ``forward(states (n, d), embedding (v, d)) -> (n, v)``. The embedding is handed in, not owned, so that it is one
    tensor in a checkpoint.
    """

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, states: Tensor, embedding: Tensor) -> Tensor:
        return nn.functional.linear(self.norm(nn.functional.gelu(self.dense(states))), embedding, self.bias)


def hide(
    ids: Tensor,
    mask: Tensor,
    *,
    share: float,
    mask_id: int,
    special: Tensor,
    vocabulary: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """``(ids with some hidden, targets)``, both ``(b, l)``; targets are UNSCORED where nothing is to be guessed.

    Of the ``share`` chosen 80 % become the mask token, 10 % a random one and 10 % stay, as in BERT. Padding and the
    tokens of ``special`` are never chosen. The generator is on the CPU, so that every device hides the same ones.
    """
    draw = torch.rand(ids.shape, generator=generator).to(ids.device)
    how = torch.rand(ids.shape, generator=generator).to(ids.device)
    others = torch.randint(0, vocabulary, ids.shape, generator=generator).to(ids.device)
    chosen = (draw < share) & mask.bool() & ~torch.isin(ids, special)
    targets = torch.where(chosen, ids, torch.full_like(ids, UNSCORED))
    hidden = torch.where(chosen & (how < 0.8), torch.full_like(ids, mask_id), ids)
    return torch.where(chosen & (how >= 0.9), others, hidden), targets


class MaskedModel(nn.Module):
    """An encoder with a masked head: ``forward(ids, mask, targets)`` is the mean loss of a hidden token."""

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = MaskedHead(encoder.width, len(encoder.word_vectors))

    def forward(self, ids: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        tokens, _ = self.encoder(ids, mask)
        picked = targets != UNSCORED  # only those go through the wide vocabulary layer
        scores = self.head(tokens[picked], self.encoder.word_vectors)
        total = nn.functional.cross_entropy(scores.float(), targets[picked], reduction="sum")
        return total / picked.sum().clamp(min=1)
