"""What each option of ``ml`` gains or loses, with paired seeds and intervals.

    python -m benchmarks.models                      every noun, at most 60 minutes, in two processes
    python -m benchmarks.models tuning spans --minutes 20 --processes 1
    python -m benchmarks.models --count              what it would take, nothing measured

Each module of this package with ``rows()`` is a noun. Every measurement is appended to ``FOLDER/NOUN.runs.csv`` as it comes
and never done again: a run may be interrupted anywhere, and the same command goes on. What it will take is said first, what
is left after each row. Nouns share the time by what they want of it; one whose time is over says so, and begins there the
next time. Real catalogues are looked for in ``../shared/data`` beside the checkout or in TAGSTUDIO_SHARED.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import multiprocessing
import os
import pkgutil
import sys
import time
from collections.abc import Iterator, Sequence
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


def run_all(chosen: Sequence[str], wanted: dict[str, list[float]], end: float, csv: Path, seeds: int) -> None:
    """One after the other, each with its share of the time until ``end`` (of the wall's clock, which processes share)."""
    for number, name in enumerate(chosen):
        rest = sum(sum(wanted[other]) for other in chosen[number:])
        share = sum(wanted[name]) / rest if rest else 1.0
        run(name, max(0.0, end - time.time()) * share, csv / f"{name}.csv", seeds, wanted[name])


def dealt(wanted: dict[str, list[float]], hands: int) -> list[list[str]]:
    """The nouns in ``hands`` lists that take about as long, the longest noun first."""
    lists: list[list[str]] = [[] for _ in range(hands)]
    for name in sorted(wanted, key=lambda n: -sum(wanted[n])):
        min(lists, key=lambda some: sum(sum(wanted[n]) for n in some)).append(name)
    return [some for some in lists if some]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nouns", nargs="*", help=f"which of {', '.join(nouns())}; all where none is named")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=2, help="of one thread each")
    parser.add_argument("--seeds", type=int, default=0, help="for nouns whose rows() takes seeds; 0 leaves it to them")
    parser.add_argument("--csv", type=Path, default=Path("var/bench-models"), help="folder of one CSV a noun")
    parser.add_argument("--count", action="store_true", help="say what it would take, and end")
    parser.add_argument("--again", action="store_true", help="forget what was measured before")
    options = parser.parse_args()
    chosen = options.nouns or nouns()
    if unknown := set(chosen) - set(nouns()):
        parser.error(f"no such noun: {', '.join(sorted(unknown))}; there are {', '.join(nouns())}")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if options.again:
        for name in chosen:
            kept_at(options.csv / f"{name}.csv").unlink(missing_ok=True)
    end, wanted = time.time() + 60 * options.minutes, {}
    for name in chosen:
        counting = counted(name, options.csv / f"{name}.csv", options.seeds)
        wanted[name] = counting.left
        minutes = sum(counting.left) / 60
        print(f"{name}: {len(counting.left)} to measure, about {minutes:.1f} min of one core; {counting.kept} kept")
    hands = dealt(wanted, max(1, min(options.processes, len(chosen))))
    longest = max(sum(sum(wanted[name]) for name in some) for some in hands) / 60
    print(f"together about {longest:.0f} min in {len(hands)} processes; {options.minutes:.0f} are allowed", flush=True)
    if options.count:
        return 0
    tell = (wanted, end, options.csv, options.seeds)
    others = [multiprocessing.get_context("spawn").Process(target=run_all, args=(some, *tell)) for some in hands[1:]]
    for other in others:
        other.start()
    run_all(hands[0], *tell)
    for other in others:
        other.join()
    return int(any(other.exitcode for other in others))


if __name__ == "__main__":
    sys.exit(main())
