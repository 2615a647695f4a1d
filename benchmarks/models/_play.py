"""Nouns one after the other, in processes that take the next one when they are done.

A module of its own: what a new process is to call must be importable, and a package's ``__main__`` is not, there.
"""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import pkgutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from benchmarks import models
from benchmarks.models._kept import Counting, Once, Over
from benchmarks.models.table import Missing, Row, text, write_csv

NOT_NOUNS = {"__main__", "table"}


def nouns() -> list[str]:
    """Modules of the package that may be named, whether they can be imported here or not."""
    names = [m.name for m in pkgutil.iter_modules(models.__path__)]
    return sorted(name for name in names if name not in NOT_NOUNS and not name.startswith("_"))


def kept_at(csv: Path) -> Path:
    """Where the measurements behind a noun's table are kept."""
    return csv.with_name(f"{csv.stem}.runs.csv")


def rows_of(module: ModuleType, once: Any, seeds: int = 0) -> Iterator[Row]:
    """Its rows; a ``rows`` that takes neither seeds nor ``once`` is asked without."""
    said = {"once": once, **({"seeds": seeds} if seeds else {})}
    takes = inspect.signature(module.rows).parameters
    return cast("Iterator[Row]", module.rows(**{name: value for name, value in said.items() if name in takes}))


def counted(name: str, csv: Path, seeds: int = 0) -> Counting:
    """What a noun would take, without measuring anything. Nothing is left of one that cannot be measured here."""
    counting = Counting(kept_at(csv))
    try:
        module = importlib.import_module(f"benchmarks.models.{name}")
        if hasattr(module, "rows"):
            for _row in rows_of(module, counting, seeds):
                pass
    except (Missing, ImportError):
        counting.left.clear()
    return counting


class Left:
    """What is left of one noun's seconds, corrected by how long those before took."""

    def __init__(self, seconds: Sequence[float]) -> None:
        self.number, self.seconds, self.said, self.took = len(seconds), sum(seconds), 0.0, 0.0

    def done(self, said: float, took: float) -> None:
        self.number, self.seconds = self.number - 1, self.seconds - said
        self.said, self.took = self.said + said, self.took + took

    def __str__(self) -> str:
        pace = self.took / self.said if self.said > 20 else 1.0
        return f"{self.number} measurements left, about {max(0.0, self.seconds) * pace / 60:.0f} min"


def run(name: str, seconds: float, csv: Path, seeds: int = 0, left: Sequence[float] = ()) -> None:
    """left: what it will take, as :func:`counted` has it."""
    begun, done, over = time.monotonic(), [], ""
    remaining = Left(left)
    once = Once(kept_at(csv), until=begun + seconds, told=remaining.done)
    try:
        module = importlib.import_module(f"benchmarks.models.{name}")
        if not hasattr(module, "rows"):
            return
        print(f"\n## {name}: {(module.__doc__ or '').strip().splitlines()[0]}", flush=True)
        with closing(rows_of(module, once, seeds)) as found:  # type: ignore[type-var]
            for row in found:
                done.append(row)
                write_csv(csv, done)
                cells = "  ".join(cell for cell in row.cells() if cell)
                print(f"  {name}: {cells}" + (f"  ({remaining})" if left else ""), flush=True)
    except Over:
        over = " Its time was over: the same command goes on from there."
    except (Missing, ImportError) as error:
        over = f" Left out: {error}."
    print(f"{name}: {len(done)} rows in {time.monotonic() - begun:.0f} s.{over}", flush=True)
    if done:
        print("\n" + text(done), flush=True)


def play(
    chosen: Sequence[str], wanted: Mapping[str, Sequence[float]], end: float, csv: Path, seeds: int, processes: int
) -> None:
    """All of them until ``end`` (of the wall's clock, which processes share), the longest first, each with its share of
    the time that is left. Raises what a noun raises, once the others are done."""
    order = in_turn(chosen, wanted)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        found = [
            pool.submit(_one, name, [sum(wanted[n]) for n in order[at:]], processes, end, csv, seeds, wanted[name])
            for at, name in enumerate(order)
        ]
    for one in found:
        one.result()


def in_turn(chosen: Sequence[str], wanted: Mapping[str, Sequence[float]]) -> list[str]:
    """The longest first: so processes that take the next noun when they are done end at about the same time."""
    return sorted(chosen, key=lambda name: -sum(wanted[name]))


def least_end(wanted: Mapping[str, Sequence[float]], processes: int) -> float:
    """Seconds until the last process is done, when nouns are taken so."""
    busy = [0.0] * processes
    for name in in_turn(list(wanted), wanted):
        busy[busy.index(min(busy))] += sum(wanted[name])
    return max(busy)


def share(ours_and_later: Sequence[float], processes: int, left: float) -> float:
    """Seconds for the first of these, of which those after it have not begun, when ``left`` seconds are left."""
    whole = sum(ours_and_later)
    return max(0.0, min(left, left * processes * ours_and_later[0] / whole if whole else left))


def _one(
    name: str, ours_and_later: Sequence[float], processes: int, end: float, csv: Path, seeds: int, left: Sequence[float]
) -> None:
    run(name, share(ours_and_later, processes, end - time.time()), csv / f"{name}.csv", seeds, left)
