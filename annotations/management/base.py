"""What every command shares: answers for programs and for people, exit codes, progress, and the way to a catalogue."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotations.actions.errors import NotFound, Refused
from annotations.models import Catalogue, User

Progress = Callable[[int, int | None], None]
BAR = 30  # cells
REDRAW = 0.1  # seconds between two pictures of the bar


class Failed(CommandError):
    """The command could not do what it was asked. ``answer`` is what ``--json`` prints besides the message."""

    def __init__(self, message: str, code: str = "failed", **answer: Any) -> None:
        super().__init__(message, returncode=1)
        self.code = code
        self.answer = answer


class JsonCommand(BaseCommand):
    """A command that answers with an object.

    A subclass says its arguments in ``arguments`` and returns its answer from ``answer``. With ``--json`` that object
    is the only thing on standard output, else it is shown as lines (``show`` may do better). A command whose output
    is a stream of lines writes them itself and returns None. Logs and the progress bar go to standard error. Exit
    codes: 0; 1 for a failure (with ``--json`` said as ``{"error": ..., "code": ...}``); 2 for wrong usage.
    """

    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        self.arguments(parser)

    def arguments(self, parser: CommandParser) -> None:
        """The command's own arguments."""

    def answer(self, **options: Any) -> dict[str, Any] | None:
        raise NotImplementedError

    def show(self, answer: dict[str, Any]) -> None:
        width = max(map(len, answer), default=0)
        for name, value in answer.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            self.stdout.write(f"{name:<{width}}  {text}")

    def handle(self, *args: Any, **options: Any) -> None:
        as_json = bool(options.pop("json"))
        for name in ("settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks", "verbosity"):
            options.pop(name, None)
        try:
            answer = self.answer(**options)
        except Refused as refusal:
            failure = Failed(refusal.message, refusal.code, **refusal.details)
        except Failed as raised:
            failure = raised
        except CommandError as error:
            failure = Failed(str(error))
        else:
            if answer is not None:
                if as_json:
                    self._print(answer)
                else:
                    self.show(answer)
            return
        if as_json:
            self._print({"error": str(failure), "code": failure.code, **failure.answer})
        raise failure

    def _print(self, answer: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(answer, ensure_ascii=False, default=str))

    def say(self, message: str) -> None:
        """A line for the person watching, on standard error."""
        self.stderr.write(message, style_func=str)

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """A function ``(done, total or None)`` that draws a bar on a terminal and is silent elsewhere."""
        stream: Any = self.stderr
        if not stream.isatty():
            yield _silent
            return
        bar = _Bar(stream, what)
        try:
            yield bar.draw
        finally:
            bar.end()

    @staticmethod
    def catalogue(slug: str) -> Catalogue:
        found = Catalogue.objects.filter(slug=slug).first()
        if found is None:
            raise NotFound(f"there is no catalogue “{slug}”: make it with create_catalogue", "no_catalogue", slug=slug)
        return found

    @staticmethod
    def user(name: str) -> User:
        found = User.objects.filter(username=name).first()
        if found is None:
            raise NotFound(f"there is no user “{name}”: make one with create_user", "no_user", user=name)
        return found

    @staticmethod
    @contextmanager
    def lines_of(file: str) -> Iterator[IO[str]]:
        """The text of a file, or of standard input for ``-``, as UTF-8 with or without a byte order mark."""
        if file == "-":
            yield sys.stdin
            return
        try:
            stream = Path(file).open(encoding="utf-8-sig")  # noqa: SIM115  closed below
        except OSError as error:
            raise Failed(f"{file} cannot be read: {error.strerror}", "file", file=file) from error
        with stream:
            yield stream


def _silent(done: int, total: int | None = None) -> None:
    pass


class _Bar:
    def __init__(self, stream: Any, what: str) -> None:
        self.stream, self.what = stream, what
        self.begun = time.monotonic()
        self.drawn = 0.0

    def draw(self, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if now - self.drawn < REDRAW and done != total:
            return
        self.drawn = now
        rate = done / max(now - self.begun, 0.001)
        if total:
            filled = min(BAR, BAR * done // total)
            left = (total - done) / rate if rate else 0.0
            text = f"{self.what} [{'#' * filled}{'.' * (BAR - filled)}] {done}/{total} {rate:.0f}/s {left:.0f} s left"
        else:
            text = f"{self.what} {done} {rate:.0f}/s"
        self.stream.write(f"\r\x1b[K{text}", ending="")
        self.stream.flush()

    def end(self) -> None:
        self.stream.write("\r\x1b[K", ending="")
        self.stream.flush()
