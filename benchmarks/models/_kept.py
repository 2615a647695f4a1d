"""Measurements that are done once: each is written down as it comes, so that a run may be cut off anywhere and goes on.

A noun asks ``once(key, seconds, make)`` for each of its numbers. The key says all that shapes the number (catalogue, plan,
seed); what is in the file under it is not computed again, whatever has become of the code since, until the file is deleted
or ``--again`` is given. Asked by :class:`Counting` instead, the same noun computes nothing and says what it would take.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEAD = ("key", "seconds", "values")
Make = Callable[[], Mapping[str, float]]


class Over(Exception):
    """The time allowed is over; what was measured is kept."""


@dataclass(frozen=True)
class Measured:
    """Numbers by name, and the processor seconds that they took."""

    values: Mapping[str, float]
    seconds: float = 0.0

    def __getitem__(self, name: str) -> float:
        return self.values[name]


class Once:
    """Measures what the file does not hold, and appends it.

    until: of the monotonic clock; nothing more is begun after it
    told:  called after each measurement with what it was said to take and what it took by the clock, in seconds
    """

    def __init__(
        self, path: Path | None = None, *, until: float = math.inf,
        told: Callable[[float, float], None] = lambda said, took: None,
    ) -> None:  # fmt: skip
        self.path, self.until, self.told = path, until, told
        self.kept = read(path) if path else {}

    def __call__(self, key: str, seconds: float, make: Make) -> Measured:
        """Raises Over where it is not kept and the time is over. seconds: what it takes, about, on a core to itself."""
        if key in self.kept:
            return self.kept[key]
        if time.monotonic() > self.until:
            raise Over
        begun, worked = time.monotonic(), time.process_time()
        values = {name: float(value) for name, value in make().items()}
        found = self.kept[key] = Measured(values, time.process_time() - worked)
        if self.path:
            append(self.path, key, found)
        self.told(seconds, time.monotonic() - begun)
        return found


@dataclass
class Counting:
    """Measures nothing: ``left`` holds the seconds of each measurement that is not in the file, ``kept`` how many are."""

    path: Path | None = None
    left: list[float] = field(default_factory=list)
    kept: int = 0

    def __post_init__(self) -> None:
        self._found = read(self.path) if self.path else {}
        self._asked: set[str] = set()

    def __call__(self, key: str, seconds: float, make: Make) -> Measured:
        if key not in self._asked:
            self._asked.add(key)
            if key in self._found:
                self.kept += 1
            else:
                self.left.append(seconds)
        return self._found.get(key) or Measured(_Nothing())


class _Nothing(dict[str, float]):
    """Stands for numbers that nobody measured yet, whatever their names."""

    def __missing__(self, name: str) -> float:
        return 0.0


def key_of(*parts: Any, **more: Any) -> str:
    """A key that reads well: what the parts say, and the changes in order."""
    words = [json.dumps(p, sort_keys=True, ensure_ascii=False) if isinstance(p, Mapping) else str(p) for p in parts]
    return " | ".join([*words, *(f"{name}={value}" for name, value in sorted(more.items()))])


def read(path: Path) -> dict[str, Measured]:
    """What the file holds; a last line that was cut off is passed over."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        try:
            key, seconds, values = next(csv.reader([line]))
            found[key] = Measured(json.loads(values), float(seconds))
        except ValueError:  # the heading, or what a kill left of a line
            continue
    return found


def append(path: Path, key: str, measured: Measured) -> None:
    """One line, on the disk when it returns. What a kill left of a line before it is taken away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    former = path.read_bytes() if path.is_file() else b""
    whole = former[: former.rfind(b"\n") + 1]
    with path.open("ab") as out:
        out.truncate(len(whole))
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if not whole:
            writer.writerow(HEAD)
        writer.writerow([key, f"{measured.seconds:.2f}", json.dumps(dict(measured.values))])
        out.write(text.getvalue().encode())
        out.flush()
        os.fsync(out.fileno())
