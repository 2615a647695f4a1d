"""The fast gradient method on word vectors (Miyato, Dai and Goodfellow 2017, virtual adversarial training for text)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def perturbed(weight: Tensor, epsilon: float) -> Iterator[None]:
    """While it lasts ``weight`` is moved by ``epsilon`` along its gradient, to where the loss is worse; then it is back.

    The move has length ``epsilon`` over the whole matrix. Without a gradient, or with one of length 0, nothing moves.
    """
    gradient = weight.grad
    length = 0.0 if gradient is None else float(gradient.norm())
    if not length:
        yield
        return
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.add_(gradient, alpha=epsilon / length)  # type: ignore[arg-type]
    try:
        yield
    finally:
        with torch.no_grad():
            weight.copy_(kept)
