"""What this machine trains on, as named slots: a GPU each, several of them together, or the processor.

The name of a slot is what no two runs may hold at once, whatever worker they are in: two workers of one machine have the
same slots. Found without torch, since a worker only watches what trains.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

CPU = "cpu"
AUTO, NONE = "auto", "none"
GPUS = re.compile(r"\d+(\+\d+)*")
DRIVER = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True, slots=True)
class Slot:
    """``gpus`` as ``CUDA_VISIBLE_DEVICES`` takes them; none: the processor."""

    name: str
    gpus: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """What a process that computes here must have in its environment."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)}


def slots(text: str, host: str) -> tuple[Slot, ...]:
    """``auto`` (each GPU, or the processor where there is none), ``none``, ``cpu``, or GPUs: ``0,1`` two slots of one
    GPU, ``0+1`` one slot of two. Raises ImproperlyConfigured for anything else, and for a GPU in two slots."""
    wanted = text.strip().lower()
    if wanted == NONE:
        return ()
    if wanted == AUTO:
        wanted = ",".join(map(str, range(count_gpus()))) or CPU
    words = [word.strip() for word in wanted.split(",")]
    used = [number for word in words for number in word.split("+")]
    if not all(word == CPU or GPUS.fullmatch(word) for word in words) or len(set(used)) < len(used):
        raise ImproperlyConfigured(
            f"TRAINING_SLOTS={text!r}: use auto, none, cpu, or each GPU once: 0,1 for two slots, 0+1 for one of both"
        )
    return tuple(Slot(f"{host}/cpu") if word == CPU else _slot(host, word.split("+")) for word in words)


def _slot(host: str, numbers: list[str]) -> Slot:
    chosen = chosen_gpus()  # numbers count within what we may use; names are those of the whole machine
    gpus = tuple(chosen[int(n)] if chosen is not None and int(n) < len(chosen) else n for n in numbers)
    return Slot(f"{host}/gpu{'+'.join(gpus)}", gpus)


def chosen_gpus() -> list[str] | None:
    """What ``CUDA_VISIBLE_DEVICES`` leaves us; None when it says nothing."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if chosen is None else [w.strip() for w in chosen.split(",") if w.strip() not in ("", "-1")]


def count_gpus() -> int:
    """GPUs that this process may use."""
    chosen = chosen_gpus()
    if chosen is not None:
        return len(chosen)
    return len(list(DRIVER.iterdir())) if DRIVER.is_dir() else 0
