"""Smaller encoders: fewer blocks, fewer attention heads, fewer feed-forward neurons.

What is pruned is set to zero, and zero it stays: a head whose values and output columns are zero, like a neuron whose
input row and output column are, gets no gradient, so that training goes on without a mask and checkpoints keep their
shapes. :func:`compact` takes the dead parts out of the graph where it is made for serving; the answers stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ml.encoders.blocks import blocks_of
from ml.encoders.hf import TextEncoder
from ml.training.errors import TrainingError

LEAST = 0.05  # of a block's neurons that always stay, as one of its heads does


@dataclass(frozen=True)
class Importance:
    """How much the loss would change without a part (first-order, mean over products), by block: ``heads[block]``
    ``(heads,)`` after Michel, Levy and Neubig 2019, ``neurons[block]`` ``(neurons,)`` after Molchanov et al. 2017."""

    heads: list[Tensor]
    neurons: list[Tensor]


def keep_blocks(encoder: TextEncoder, count: int) -> None:
    """Leave the first ``count`` blocks, as in Sajjad et al. 2023 (top blocks go first). Raises TrainingError for more
    blocks than there are."""
    blocks = encoder.blocks
    if not 1 <= count <= len(blocks):
        raise TrainingError(f"keep_blocks: {count}, but the encoder has {len(blocks)} blocks")
    for module in encoder.backbone.modules():
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ModuleList) and len(child) == len(blocks) and child[0] is blocks[0]:
                setattr(module, name, nn.ModuleList(blocks[:count]))
    encoder.backbone.config.num_hidden_layers = count


def importance(encoder: TextEncoder, losses: Callable[[], Iterable[Tensor]]) -> Importance:
    """losses: yields the mean loss of one batch after another, computed through ``encoder``; no weight is changed."""
    blocks = blocks_of(encoder)
    heads = [torch.zeros(b.heads, device=encoder.device) for b in blocks]
    neurons = [torch.zeros(b.neurons, device=encoder.device) for b in blocks]
    before = {p: p.requires_grad for p in encoder.parameters()}
    encoder.requires_grad_(True)  # so that frozen parts pass on what they would have got
    try:
        with _inputs([layer for b in blocks for layer in (b.mixed, b.outer)]) as seen:
            for loss in losses():
                gradients = torch.autograd.grad(loss, seen)
                shares = [(x.detach() * g).sum(1) for x, g in zip(seen, gradients, strict=True)]
                for at, block in enumerate(blocks):
                    by_head = shares[2 * at].view(len(shares[2 * at]), block.heads, block.head_width).sum(2)
                    heads[at] += by_head.abs().sum(0)
                    neurons[at] += shares[2 * at + 1].abs().sum(0)
                seen.clear()
    finally:
        for parameter, trains in before.items():
            parameter.requires_grad_(trains)
    return Importance(heads, neurons)


@torch.no_grad()
def prune(encoder: TextEncoder, found: Importance, *, heads: float = 0.0, neurons: float = 0.0) -> None:
    """Set to zero the least important ``heads`` and ``neurons`` (shares of all blocks' together, 0 to 1).

    A block's importances are scaled to length 1 before blocks are compared, as the paper does. One head and a
    twentieth of the neurons of each block stay whatever is asked for.
    """
    blocks = blocks_of(encoder)
    for block, dead in zip(blocks, _least(found.heads, heads, [1] * len(blocks)), strict=True):
        rows = dead.repeat_interleave(block.head_width)
        block.mixed.weight[:, rows] = 0.0
        for layer in (block.query, block.key, block.value):
            layer.weight[rows] = 0.0
            layer.bias[rows] = 0.0
    keep = [max(1, round(LEAST * b.neurons)) for b in blocks]
    for block, dead in zip(blocks, _least(found.neurons, neurons, keep), strict=True):
        block.outer.weight[:, dead] = 0.0
        block.inner.weight[dead] = 0.0
        block.inner.bias[dead] = 0.0


@torch.no_grad()
def compact(encoder: TextEncoder) -> dict[str, int]:
    """Take dead heads and neurons out; answers stay the same. Returns how many of each went.

    For serving only: blocks may have different sizes after, which no checkpoint's ``config.json`` can say.
    """
    gone = {"heads": 0, "neurons": 0}
    for block in blocks_of(encoder):
        columns = block.mixed.weight.abs().sum(0) > 0
        live = columns.view(block.heads, block.head_width).any(1)
        live[0] |= not bool(live.any())
        rows = live.repeat_interleave(block.head_width)
        gone["heads"] += int((~live).sum())
        for layer in (block.query, block.key, block.value):
            _keep_rows(layer, rows)
        _keep_columns(block.mixed, rows)
        alive = (block.outer.weight.abs().sum(0) > 0) & (
            (block.inner.weight.abs().sum(1) > 0) | (block.inner.bias != 0)
        )
        alive[0] |= not bool(alive.any())
        gone["neurons"] += int((~alive).sum())
        _keep_rows(block.inner, alive)
        _keep_columns(block.outer, alive)
    return gone


@contextmanager
def _inputs(layers: list[nn.Linear]) -> Iterator[list[Tensor]]:
    """What goes into each layer, in the order in which they are called; cleared by whoever reads it."""
    seen: list[Tensor] = []

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        seen.append(given[0])

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _least(scores: list[Tensor], share: float, keep: list[int]) -> list[Tensor]:
    """Bool of each score's shape: the ``share`` of all that score least, but ``keep`` of each block."""
    scaled = [s / s.norm().clamp(min=1e-12) for s in scores]
    for block, least in zip(scaled, keep, strict=True):
        block[block.topk(min(least, len(block))).indices] = float("inf")
    flat = torch.cat(scaled)
    order = flat.argsort(stable=True)[: round(share * len(flat))]
    dead = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    dead[order] = True
    dead &= flat < float("inf")
    return list(dead.split([len(s) for s in scores]))


def _keep_rows(layer: nn.Linear, rows: Tensor) -> None:
    layer.weight = nn.Parameter(layer.weight[rows].clone())
    layer.bias = nn.Parameter(layer.bias[rows].clone())
    layer.out_features = len(layer.bias)


def _keep_columns(layer: nn.Linear, columns: Tensor) -> None:
    layer.weight = nn.Parameter(layer.weight[:, columns].clone())
    layer.in_features = layer.weight.shape[1]
