"""``python -m tagstudio.child SIGNAL PARENT NICE COMMAND ...``: step back by NICE, become the command, and get the signal
when the parent dies.

A launcher of its own, since what happens between fork and exec in a process with threads is no place for Python. Linux
only; elsewhere the command simply runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1
AUTOGROUP = Path("/proc/self/autogroup")


def command(*words: str, on_parents_death: signal.Signals = signal.SIGTERM, nice: int = 0) -> list[str]:
    """The command, wrapped so that it does not outlive this process (precisely: the thread that starts it).

    ``nice``: how far it steps back (``step_back``), beside what this process does.
    """
    return [sys.executable, "-m", "tagstudio.child", on_parents_death.name, str(os.getpid()), str(nice), *words]


def step_back(by: int) -> None:
    """Let everything else on this machine go first, by so many steps of niceness (to 19 at most).

    Many kernels group processes by session and share the processor between groups, so that niceness counts only among
    those of one session (sched(7), "The autogroup feature"): the first process of a session steps back for all of it.
    One that shares its session, with a shell say, has no say over the others in it.
    """
    nice = os.nice(by)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # no Linux, or a kernel that does not group
            AUTOGROUP.write_text(str(nice))


def environment() -> dict[str, str]:
    """What a child needs besides our own environment: our code wherever it was started, and its lines as they come."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def main(arguments: Sequence[str]) -> None:
    name, parent, nice, *words = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.Signals[name]), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(f"{words[0]}: not started, since whoever wanted it is gone")
    step_back(int(nice))
    os.execvp(words[0], words)  # noqa: S606 the words are our own


if __name__ == "__main__":
    main(sys.argv[1:])
