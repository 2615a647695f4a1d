"""A child process that speaks JSON lines, watched from here: its words, its silence, and its end."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tagstudio import child

SECONDS_TO_STOP = 6.0  # a cancelled run has ended within ten, its notice and our tidying included
LONGEST_LINE = 1_000_000  # characters; a longer one is no event
LAST_WORDS = 2000
PID_FILE = "child.pid"
STOOD_STILL_SECONDS = 10.0  # between two looks, which are a second apart: then we did not run ourselves


def end_predecessor(folder: Path) -> None:
    """Kill a child that still works in the folder, for a worker that was given up for dead and is not."""
    with suppress(OSError, ValueError):
        pid = int((folder / PID_FILE).read_text())
        # the number may be somebody else's by now: only one that was started for this very folder
        if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            os.killpg(pid, signal.SIGKILL)


class Watched:
    """Starts the command in a process group of its own, which dies with us. Standard error goes to ``errors``.

    ``events`` gives what it said, as dicts; ``stop`` ends the whole group whatever it does.
    """

    def __init__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None, nice: int = 0
    ) -> None:
        self.folder = folder
        self.errors = folder / "stderr.log"
        end_predecessor(folder)
        self.heard_at = self._looked_at = time.monotonic()
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue(maxsize=10_000)
        with self.errors.open("ab") as stderr:
            self.process = subprocess.Popen(
                child.command(*command, on_parents_death=signal.SIGKILL, nice=nice),
                env={**os.environ, **child.environment(), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        (folder / PID_FILE).write_text(str(self.process.pid))
        self._reader = threading.Thread(target=self._read, name=f"reader of {self.process.pid}", daemon=True)
        self._reader.start()

    def events(self, seconds: float) -> Iterator[dict[str, Any]]:
        """What it has said until now; waits at most ``seconds`` for the first."""
        with suppress(queue.Empty):
            event = self._events.get(timeout=seconds)
            while event is not None:
                yield event
                event = self._events.get_nowait()

    @property
    def ended(self) -> int | None:
        """Its exit code (negative: the signal that killed it), once it has ended and all it said was taken."""
        code = self.process.poll()
        if code is None:
            return None
        if self._reader.is_alive():  # a grandchild may hold the pipe open
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self._reader.join(timeout=5)
        return code if self._events.empty() else None

    def silence(self) -> float:
        """Seconds since it last said something; to be asked about once a second.

        Whoever stood still himself meanwhile (a machine put to sleep, a process halted) heard nothing since he did not
        listen: what is watched was halted with him as likely as not, and its time begins anew.
        """
        now = time.monotonic()
        if now - self._looked_at > STOOD_STILL_SECONDS:
            self.heard_at = now
        self._looked_at = now
        return now - self.heard_at

    def stop(self, seconds: float = SECONDS_TO_STOP) -> None:
        """Ask it to end (the file ``cancel`` and SIGTERM), give it some seconds, then kill its group."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=seconds)
        self.kill()

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(timeout=2)

    def last_words(self) -> str:
        """The end of its standard error."""
        with suppress(OSError), self.errors.open("rb") as stream:
            stream.seek(max(0, self.errors.stat().st_size - LAST_WORDS))
            return stream.read().decode("utf-8", "replace").strip()
        return ""

    def _read(self) -> None:
        assert self.process.stdout is not None
        with suppress(ValueError, OSError):
            for line in self.process.stdout:
                self.heard_at = time.monotonic()
                self._events.put(_event(line))


def _event(line: str) -> dict[str, Any]:
    """Anything that is not an event is a line for the log."""
    if len(line) <= LONGEST_LINE:
        with suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict) and isinstance(said.get("event"), str):
                return said
    return {"event": "log", "text": line[:500].rstrip()}
