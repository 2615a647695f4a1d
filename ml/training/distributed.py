"""Several processes of one machine that train one model together: data parallel, one process for each GPU.

Each batch is cut by rows among the processes; each weighs its mean loss by its part of what the whole batch asks, so that
the joined gradient is that of the whole batch in one process. They are started by ``torchrun`` (``python -m
torch.distributed.run --standalone --nproc-per-node N -m ml train JOBDIR``); without it a team is one process alone, and
nothing here costs anything. The first one writes, tells and decides; the others follow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

PATIENCE = timedelta(hours=2)  # with the first one, which alone measures and writes


@dataclass(frozen=True)
class Team:
    """The processes that train together, seen from one of them."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def part(self, rows: np.ndarray) -> np.ndarray:
        """Our rows of a batch. Never none, since every process has to take every step (see :meth:`weigh`)."""
        mine = rows[self.rank :: self.size]
        return mine if len(mine) else rows[:1]

    def weigh(self, loss: Tensor, rows: np.ndarray, mine: Tensor, all_: Tensor) -> Tensor:
        """Our mean loss over ``mine`` questions so that the mean over the team is that over ``all_`` questions.

        A process without rows of its own (a last batch smaller than the team) weighs nothing.
        """
        if self.size == 1:
            return loss
        if self.rank >= len(rows):
            return loss * 0.0
        return loss * (self.size * mine / all_.clamp(min=1.0))

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model whose backward pass leaves every process the gradients of the whole batch."""
        if self.size == 1:
            return model
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)

    def mean(self, value: float, device: torch.device) -> float:
        if self.size == 1:
            return value
        return float(self._sum(value, device)) / self.size

    def any(self, said: bool, device: torch.device) -> bool:
        """Whether one of us said so. All of them hear the same."""
        return said if self.size == 1 else bool(self._sum(float(said), device) > 0)

    def told(self, value: float, device: torch.device) -> float:
        """What the first one says."""
        if self.size == 1:
            return value
        given = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(given, src=0)
        return float(given)

    def wait(self) -> None:
        """Until all of us are here."""
        if self.size > 1:
            dist.barrier()

    def _sum(self, value: float, device: torch.device) -> Tensor:
        given = torch.tensor([value], dtype=torch.float64, device=device)
        dist.all_reduce(given)
        return given


ALONE = Team()


@contextmanager
def joined(*, cuda: bool) -> Iterator[Team]:
    """The team that ``torchrun`` put us in, for as long as the block runs; alone where it did not."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size < 2:
        yield ALONE
        return
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)
    try:
        yield Team(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
