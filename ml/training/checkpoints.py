"""Checkpoints that a killed run can trust: written whole or not at all, verified before use, the last two kept.

Each is a bundle of kind ``checkpoint`` (``ml.bundle``: temporary sibling, fsync, manifest with sha256, rename):
tensors in safetensors, everything else in JSON.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from ml.bundle import BundleError, read_bundle, write_bundle

KEPT = 2
NAME = re.compile(r"step-(\d{9})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``state`` is plain JSON; ``tensors`` are groups of named tensors on the CPU."""

    step: int
    state: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]


class Checkpoints:
    """The checkpoints of one run in one directory. One process at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, checkpoint: Checkpoint) -> Path:
        """Returns its directory once it is on the disk. Raises OSError, leaving the older ones, when it cannot be."""
        path = self.directory / f"step-{checkpoint.step:09d}"
        if path.exists():  # a broken one, or the same step of the same run
            shutil.rmtree(path)

        def fill(directory: Path) -> None:
            for group, tensors in checkpoint.tensors.items():
                whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
                save_file(whole, directory / f"{group}.safetensors")

        write_bundle(path, "checkpoint", {"step": checkpoint.step, "state": checkpoint.state}, fill)
        for old in self._paths()[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return path

    def newest(self) -> Checkpoint | None:
        """The newest valid one; a broken one is passed over. None when there is none."""
        for path in reversed(self._paths()):
            try:
                bundle = read_bundle(path)
            except BundleError:
                continue
            files = sorted(path.glob("*.safetensors"))
            return Checkpoint(bundle.card["step"], bundle.card["state"], {f.stem: load_file(f) for f in files})
        return None

    def tidy(self) -> None:
        """Remove what a killed writer left half done."""
        for left in self.directory.glob(".step-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _paths(self) -> list[Path]:
        found = self.directory.iterdir() if self.directory.is_dir() else iter(())
        return sorted(p for p in found if NAME.fullmatch(p.name))


def pack_optimiser(optimiser: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """``(tensors, numbers)`` of its state, keyed ``parameter.name``. Learning rates are not in it: a plan says them."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            (tensors if isinstance(value, Tensor) else numbers)[f"{index}.{name}"] = value
    return tensors, numbers


def unpack_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Give the optimiser the state that :func:`pack_optimiser` took from one over the same parameters."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in (*tensors.items(), *numbers.items()):
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
