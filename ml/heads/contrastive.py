"""Contrastive losses over a batch: products of the same tags are brought together, others apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def likeness(y: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """``(likeness (b, b), asked (b, b))`` of ``y`` and ``known`` ``(b, columns)``.

    Jaccard's index of the tags two products have, over what is known of both; not asked where that is no right tag at
    all, and of a product with itself.
    """
    right, told = (y > 0.5).float() * known, known.float()
    shared = right @ right.T
    either = right @ told.T + told @ right.T - shared
    asked = (either > 0) & ~torch.eye(len(y), dtype=torch.bool, device=y.device)
    return shared / either.clamp(min=1.0), asked


def supervised_contrastive(pooled: Tensor, alike: Tensor, asked: Tensor, temperature: float) -> Tensor:
    """Khosla et al. 2020 (their L_out) for many labels: positives weigh as much as they are alike.

    pooled: ``(b, d)`` of length 1. The mean over the products that have any positive; 0 where none has.
    """
    scores = (pooled @ pooled.T).float() / temperature
    itself = torch.eye(len(pooled), dtype=torch.bool, device=pooled.device)
    logp = torch.log_softmax(scores.masked_fill(itself, float("-inf")), 1).masked_fill(itself, 0.0)
    weight = alike * asked
    total = weight.sum(1)
    each = -(weight * logp).sum(1) / total.clamp(min=1e-9)
    some = total > 0
    return (each * some).sum() / some.sum().clamp(min=1)


def pair_loss(pooled: Tensor, alike: Tensor, asked: Tensor) -> Tensor:
    """SetFit's (Tunstall et al. 2022): the squared difference of cosine and likeness, the mean over the pairs asked."""
    each = nn.functional.mse_loss((pooled @ pooled.T).float(), alike, reduction="none") * asked
    return each.sum() / asked.sum().clamp(min=1)
