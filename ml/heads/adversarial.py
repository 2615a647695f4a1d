"""Semi-supervised adversarial learning in the manner of GAN-BERT (Croce, Castellucci and Basili 2020), for many labels.

There a fake is one more class of a softmax. Tags are many questions, so real or fake is one more question beside them. It
is asked of decided and undecided products: what tells real ones from a generator's shapes the encoder without labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ml.encoders.hf import TextEncoder
from ml.heads.tags import TagHead

NOISE = 100


class GanModel(nn.Module):
    """``forward(ids, mask) -> (tag logits (b, columns), adversarial loss of one batch, without a dimension)``.

    Outside training the loss is 0 and nothing is generated.
    """

    def __init__(self, encoder: TextEncoder, head: TagHead, dropout: float = 0.1) -> None:
        super().__init__()
        width = encoder.width
        self.encoder, self.head = encoder, head
        self.generator = nn.Sequential(
            nn.Linear(NOISE, width), nn.LeakyReLU(0.2), nn.Dropout(dropout), nn.Linear(width, width)
        )
        self.features = nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(0.2))
        self.real = nn.Linear(width, 1)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.encoder(ids, mask)[1]
        logits = self.head(pooled)
        return logits, self.adversarial(pooled) if self.training else logits.sum() * 0.0

    def adversarial(self, pooled: Tensor) -> Tensor:
        """The loss of the discriminator plus that of the generator, each with gradients for its own side alone, so that
        one optimiser steps both as two would."""
        scale = pooled.shape[1] ** 0.5  # pooled states have length 1
        noise = torch.randn(len(pooled), NOISE, device=pooled.device, dtype=pooled.dtype)
        fake = nn.functional.normalize(self.generator(noise), dim=1)
        seen = self.features(pooled * scale)
        says = nn.functional.softplus
        told = says(-self.real(seen)).mean() + says(self.real(self.features(fake.detach() * scale))).mean()
        shown = _still(self.features, fake * scale)
        fooled = says(-_still(self.real, shown)).mean()
        matched = (seen.detach().mean(0) - shown.mean(0)).square().mean()
        loss: Tensor = told + fooled + matched
        return loss


def _still(module: nn.Module, x: Tensor) -> Tensor:
    """What the module says of x, with no gradient for its weights."""
    out: Tensor = functional_call(module, {name: p.detach() for name, p in module.named_parameters()}, (x,))
    return out
