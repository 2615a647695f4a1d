"""What stands between a job in a folder and the process that watches it: events out, stop requests in."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, TextIO

from ml.bundle import BundleError
from ml.encoders.base import EncoderError
from ml.training.errors import Stopped, TrainingError
from ml.training.plan import PlanError

CANCEL = "cancel"  # a file in the folder
LOG = "log.jsonl"  # every event, with its time
EVERY_S = 0.5  # of progress events, except those that end an epoch
PATIENCE_S = 10.0  # with a predecessor that is just dying
LOOK_S = 0.25  # between looks for the file ``cancel``
PR_SET_PDEATHSIG = 1
EXPECTED = (PlanError, TrainingError, EncoderError, BundleError, OSError)  # their messages are written for people


class Channel:
    """Owns the process's standard output, its SIGTERM and the folder's lock while open.

    Standard output carries the events only: whatever a library prints goes to standard error. SIGTERM and a file
    ``cancel`` in the folder ask for the end: :attr:`stopping` becomes true, and outside of :meth:`patient` parts
    Stopped is raised at once. On Linux the process dies with its parent unless ``detached``.
    """

    def __init__(self, folder: Path, *, detached: bool = False, looks: bool = False) -> None:
        self.folder, self.detached = folder, detached
        self.looks = looks  # only reads what others write there, so it neither waits for them nor keeps a log
        self.first = os.environ.get("RANK", "0") == "0"  # of several processes that train together, one speaks
        self.stopping = ""  # why, once somebody asked
        self._patient = False
        self._told = 0.0
        self._log: TextIO | None = None
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        sys.stdout.flush()
        os.dup2(2, 1)
        if not self.detached and sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        self._former = signal.signal(signal.SIGTERM, self._on_signal)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        signal.signal(signal.SIGTERM, self._former)
        sys.stdout.flush()
        os.dup2(self._out.fileno(), 1)
        self._out.close()
        if self._log is not None:
            self._log.close()

    def emit(self, event: dict[str, Any]) -> None:
        """One line. Of progress events in quick succession only some are told; those with a validation always."""
        if not self.first:
            return
        now = time.monotonic()
        if event.get("event") == "progress" and "val" not in event:
            if now - self._told < EVERY_S:
                return
            self._told = now
        line = json.dumps(event, ensure_ascii=False)
        self._out.write(line + "\n")
        self._out.flush()
        if self._log is not None:  # the same, kept: what TensorBoard is given, and whoever looks later
            self._log.write(line[:-1] + f', "time": {time.time():.3f}}}\n')
            self._log.flush()

    def log(self, text: str) -> None:
        self.emit({"event": "log", "text": text})

    def guard(self, work: Callable[[], dict[str, object]]) -> int:
        """Do the work and tell how it ended; returns the exit code. ``work`` returns the fields of ``done``."""
        try:
            if not self.folder.is_dir():
                raise TrainingError(f"{self.folder}: no such folder")
            if self.first and not self.looks:
                self._lock()
                self._log = (self.folder / LOG).open("a", encoding="utf-8")
            if (self.folder / CANCEL).exists():
                self.stopping = "cancelled"
            self._raise_if_asked()
            done = work()
        except Stopped:
            self._patient = True  # one request is enough
            self.emit({"event": "stopped", "reason": self.stopping or "stopped"})
            return 143
        except EXPECTED as error:
            self.emit({"event": "failed", "reason": str(error)})
        except MemoryError:
            self.emit({"event": "failed", "reason": "out of memory; lower batch_size or max_length"})
        except Exception as error:
            traceback.print_exc()
            words = str(error)
            if "out of memory" in words.lower():
                words = f"the GPU is out of memory; lower batch_size or max_length ({words.splitlines()[0]})"
            self.emit({"event": "failed", "reason": f"{type(error).__name__}: {words}"})
        else:
            self._patient = True
            self.emit({"event": "done", **done})
            return 0
        return 1

    def patient(self, work: Callable[[], Any]) -> Any:
        """Do ``work``, which looks at :attr:`stopping` itself and ends at a place of its own choice."""
        self._patient = True
        try:
            return work()
        finally:
            self._patient = False
            self._raise_if_asked()

    def _raise_if_asked(self) -> None:
        if self.stopping:
            raise Stopped

    def _lock(self) -> None:
        """Held until the process ends, however it ends."""
        self._lock_file = (self.folder / ".lock").open("w")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TrainingError(f"{self.folder}: another process is at work in this folder") from None
                time.sleep(0.25)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stopping = self.stopping or "asked to stop"
        if not self._patient:
            raise Stopped

    def _watch(self) -> None:
        """Turns the file ``cancel`` into the signal, so that there is one way to stop."""
        while not self._closed.wait(LOOK_S):
            if (self.folder / CANCEL).exists():
                self.stopping = "cancelled"
                os.kill(os.getpid(), signal.SIGTERM)
                return
