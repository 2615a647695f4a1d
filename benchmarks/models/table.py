"""A line of ``make bench-models`` and the table that the lines make: an option beside what it is an option of, seed by seed.

A module of this package (a *noun*) has ``rows()``, which yields :class:`Row` one after the other as they are measured; it
may raise :class:`Missing` where what it needs is not here. Intervals are bootstrap over paired seeds: with a handful of
seeds they are narrow rather than wide, so that a difference whose interval touches zero is none.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

EXACT = 6  # seeds up to which every one of the n ** n resamples is looked at, so that nothing is drawn
DRAWS = 10_000
HEAD = ("what", "data", "measure", "mean", "against", "gain", "95 % interval", "seeds", "seconds", "note")


class Missing(Exception):
    """What a noun needs (data, a package, a GPU) is not here; the message says what."""


@dataclass(frozen=True)
class Row:
    """One option measured.

    what:      the option that is on, e.g. ``"focal loss"``
    data:      the catalogue, and how much of it
    measure:   what the numbers are; higher is better, and points are hundredths
    base:      what it is compared with; the same split, budget and seed
    values:    one number a seed
    baselines: the base's numbers of the same seeds; empty where nothing is compared
    seconds:   of all that this row alone computed
    note:      what a reader must know to trust or use it
    """

    what: str
    data: str
    measure: str
    base: str
    values: list[float]
    baselines: list[float] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""

    def __post_init__(self) -> None:
        if not self.values or (self.baselines and len(self.values) != len(self.baselines)):
            raise ValueError(f"{self.what}: {len(self.values)} values beside {len(self.baselines)} baselines")

    @property
    def gains(self) -> list[float]:
        return (
            [ours - theirs for ours, theirs in zip(self.values, self.baselines, strict=True)] if self.baselines else []
        )

    def cells(self) -> list[str]:
        """As text, in the order of HEAD."""
        gain = span = ""
        if self.gains:
            low, high = bootstrap(self.gains)
            gain, span = (
                f"{np.mean(self.gains):+.2f}",
                f"[{low:+.2f}, {high:+.2f}]" if len(self.gains) > 1 else "one seed",
            )
        return [
            self.what, self.data, self.measure, f"{np.mean(self.values):.2f}", self.base, gain, span,
            str(len(self.values)), f"{self.seconds:.0f}" if self.seconds else "", self.note,
        ]  # fmt: skip


def bootstrap(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """``(low, high)``: percentiles of the mean over resamples of the seeds (Efron 1979). One seed gives a point."""
    given, n = np.asarray(values, dtype=float), len(values)
    if n <= EXACT:
        picks = np.array(list(itertools.product(range(n), repeat=n)))
    else:
        picks = np.random.default_rng(0).integers(0, n, (DRAWS, n))
    low, high = np.quantile(given[picks].mean(axis=1), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def text(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table, losses and all, for ``benchmarks/README.md``."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(cell.replace("|", "/") for cell in row.cells()) + " |" for row in rows]
    return "\n".join(lines)


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """The table, and every seed's number behind it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([*HEAD, "values", "baselines"])
        for row in rows:
            numbers = (" ".join(f"{v:.4f}" for v in part) for part in (row.values, row.baselines))
            writer.writerow([*row.cells(), *numbers])
