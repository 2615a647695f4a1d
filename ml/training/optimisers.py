"""The optimisers that a plan may name."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

OPTIMISERS = ("adamw", "sgd", "adafactor")
MOMENTUM = 0.9


def new_optimiser(name: str, groups: list[dict[str, Any]]) -> Optimizer:
    """``adamw`` (Loshchilov and Hutter 2019), ``sgd`` (with Nesterov's momentum) or ``adafactor`` (Shazeer and Stern
    2018; a fraction of AdamW's memory). Weight decay of SGD is not decoupled: it goes through the momentum."""
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=True)
    if name == "adafactor":
        # Its steps are shares of a weight's size, at least of the second eps: of its default of 0.001 a head that starts at
        # zero never learns. At 1 a rate says what it says for AdamW.
        return torch.optim.Adafactor(groups, eps=(None, 1.0))
    return torch.optim.AdamW(groups, fused=True)  # one pass over the weights instead of ten
