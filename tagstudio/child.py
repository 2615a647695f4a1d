"""``python -m tagstudio.child SIGNAL PARENT COMMAND ...``: become the command, and get the signal when the parent dies.

A launcher of its own, since what happens between fork and exec in a process with threads is no place for Python. Linux
only; elsewhere the command simply runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1


def command(*words: str, on_parents_death: signal.Signals = signal.SIGTERM) -> list[str]:
    """The command, wrapped so that it does not outlive this process (precisely: the thread that starts it)."""
    return [sys.executable, "-m", "tagstudio.child", on_parents_death.name, str(os.getpid()), *words]


def environment() -> dict[str, str]:
    """What a child needs besides our own environment: our code wherever it was started, and its lines as they come."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def main(arguments: Sequence[str]) -> None:
    name, parent, *words = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.Signals[name]), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(f"{words[0]}: not started, since whoever wanted it is gone")
    os.execvp(words[0], words)  # noqa: S606 the words are our own


if __name__ == "__main__":
    main(sys.argv[1:])
