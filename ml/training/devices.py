"""What a run computes on: chosen by the plan, described for people, and how much memory it took."""

from __future__ import annotations

import os
import platform
import resource
import sys
from typing import Any

import torch

from ml.training.errors import TrainingError
from ml.training.plan import Plan


def choose_device(plan: Plan) -> tuple[torch.device, str]:
    """``(device, precision)``. Raises TrainingError when the plan asks for what is not there."""
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device: 'cuda', but torch finds no GPU here; use 'auto' or 'cpu'")
    able = plan.device != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if able else torch.device("cpu")
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return device, ("bf16" if able else "fp32") if plan.precision == "auto" else plan.precision


def described(device: torch.device, precision: str) -> dict[str, Any]:
    """``device`` (cpu or cuda), its ``name``, ``memory`` in bytes, ``precision``, ``threads`` and ``processes``."""
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        name, memory = found.name, found.total_memory
    else:
        name, memory = _processor(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "device": device.type,
        "name": name,
        "memory": int(memory),
        "precision": precision,
        "threads": torch.get_num_threads(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that torch held on the GPU so far, or that this process held of the machine's memory."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
