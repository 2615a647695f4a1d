"""Web, workers and scheduler under one roof: started together, restarted when they die, stopped together.

Each runs in a process group of its own, so that Ctrl-C reaches only the supervisor, which then stops them in order and
leaves nobody behind. Their lines come out one by one, each with its service's name in front.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from tagstudio import child

SECONDS_TO_STOP = 20.0
# One that dies within SHORT_LIFE, so many times in a row, will not get better by itself.
SHORT_LIFE, SHORT_LIVES = 20.0, 5
COLOURS = ("36", "33", "32", "35", "34", "31")


@dataclass
class Service:
    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    reader: threading.Thread | None = None
    started: float = 0.0
    start_at: float = 0.0
    short_lives: int = 0


class Printer:
    """Lines of several services on one stream, a line at a time. Colours only on a terminal that wants them."""

    def __init__(self, names: Sequence[str], stream: IO[str] | None = None) -> None:
        self.stream = stream or sys.stdout
        self.width = max(map(len, names), default=0)
        colours = self.stream.isatty() and "NO_COLOR" not in os.environ
        self.colour = {name: COLOURS[n % len(COLOURS)] if colours else "" for n, name in enumerate(names)}
        self._lock = threading.Lock()

    def line(self, name: str, text: str) -> None:
        colour = self.colour.get(name, "")
        head = f"{name:<{self.width}} │ "
        if colour:
            head = f"\x1b[{colour}m{head}\x1b[0m"
        with self._lock, suppress(OSError, ValueError):
            self.stream.write(f"{head}{text}\n")
            self.stream.flush()

    def plain(self, text: str) -> None:
        with self._lock, suppress(OSError, ValueError):
            self.stream.write(text + "\n")
            self.stream.flush()


class Supervisor:
    """``run`` returns the exit code: 0 after Ctrl-C or SIGTERM, 1 when a service could not be kept alive."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        printer: Printer | None = None,
        once_up: Callable[[], None] | None = None,
    ) -> None:
        self.services = list(services)
        self.printer = printer or Printer(["system", *(s.name for s in services)])
        self.once_up = once_up
        self._stop = threading.Event()
        self._asked = 0
        self._code = 0

    def run(self) -> int:
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for service in self.services:
                self._start(service)
            if self.once_up:
                threading.Thread(target=self.once_up, daemon=True).start()
            while not self._stop.wait(0.2):
                for service in self.services:
                    self._look_after(service)
        finally:
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._code

    def stop(self) -> None:
        self._stop.set()

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._asked += 1
        self._stop.set()

    def _start(self, service: Service) -> None:
        # the launcher is told to pass SIGTERM on when we are killed ourselves
        service.process = subprocess.Popen(
            child.command(*service.command),
            env={**os.environ, **child.environment(), **service.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        service.started = time.monotonic()
        service.reader = threading.Thread(target=self._read, args=(service.name, service.process.stdout), daemon=True)
        service.reader.start()

    def _read(self, name: str, stream: IO[str]) -> None:
        with suppress(ValueError, OSError):
            for line in stream:
                self.printer.line(name, line.rstrip("\r\n"))

    def _look_after(self, service: Service) -> None:
        process, now = service.process, time.monotonic()
        if process is None:
            if now >= service.start_at:
                self._start(service)
            return
        code = process.poll()
        if code is None:
            return
        _kill_group(process.pid)  # what it may have left behind
        service.process = None
        service.short_lives = service.short_lives + 1 if now - service.started < SHORT_LIFE else 0
        if service.short_lives >= SHORT_LIVES:
            self.printer.line(
                "system", f"{service.name} ended {SHORT_LIVES} times in a row ({_ending(code)}): giving up"
            )
            self._code = 1
            self._stop.set()
            return
        pause = 0.5 * 2**service.short_lives
        service.start_at = now + pause
        self.printer.line("system", f"{service.name} ended ({_ending(code)}), starting it again in {pause:g} s")

    def _stop_all(self) -> None:
        running = [s.process for s in self.services if s.process and s.process.poll() is None]
        if running:
            self.printer.line("system", "stopping (Ctrl-C again: at once)")
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        end, asked = time.monotonic() + SECONDS_TO_STOP, self._asked
        while any(p.poll() is None for p in running) and time.monotonic() < end and self._asked == asked:
            time.sleep(0.05)
        for service in self.services:
            if service.process is not None:
                _kill_group(service.process.pid)
                service.process.wait()
            if service.reader is not None:
                service.reader.join(timeout=1)
        self.printer.line("system", "all stopped")


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
