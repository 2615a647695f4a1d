"""``python -m tests.faults.worker``: a real worker process that also knows jobs made for tests.

With ``FAULT_DEAF=1`` its runner does only what a bell rings for and never looks by itself: the control that shows
what the looking is good for.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tagstudio.settings.test")
django.setup()

from django.core.management import call_command  # noqa: E402

from annotations.actions.claims import Claim  # noqa: E402
from annotations.tasks import run, runner  # noqa: E402
from annotations.tasks.registry import handles  # noqa: E402


@handles("fault-quick")
def quick(claim: Claim) -> dict[str, Any]:
    return {"pid": os.getpid()}


@handles("fault-steps")
def steps(claim: Claim) -> dict[str, Any]:
    """Counts to ``steps`` in a file, a step each ``pause`` seconds, going on where the file ends."""
    file = Path(claim.params["file"])
    done = len(file.read_text().splitlines()) if file.exists() else 0
    total = claim.params.get("steps", 20)
    for step in range(done, total):
        with file.open("a") as stream:
            stream.write(f"{step} {os.getpid()}\n")
        claim.progress(step + 1, total, step="counting")
        time.sleep(claim.params.get("pause", 0.1))
    return {"pid": os.getpid(), "resumed_at": done}


@handles("fault-slot")
def hold(claim: Claim) -> dict[str, Any]:
    """Holds its slot for a while, and writes down from when to when."""
    begun = time.time()
    for _ in range(10):
        claim.look()
        time.sleep(0.06)
    with Path(claim.params["file"]).open("a") as stream:
        stream.write(f"{claim.job.slot} {os.getpid()} {begun} {time.time()}\n")
    return {"pid": os.getpid()}


def deafen() -> None:
    def only_rung(self: runner.Runner) -> list[str]:
        with self._bell:
            rung, self._rung_for = self._rung_for, []
        return rung

    runner.Runner._next = only_rung  # type: ignore[method-assign]


if __name__ == "__main__":
    if os.environ.get("FAULT_DEAF"):
        deafen()
    run.RETRY_SECONDS = float(os.environ.get("FAULT_RETRY_SECONDS", run.RETRY_SECONDS))
    call_command("worker")
