"""Searches over plans, as their pages and the API show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotations.models import Catalogue, Job, PlanPreset, PlanSearch, SearchTrial
from annotations.retelling import retell

LOW_EDGE = 0.05  # of the scores' range, left free below the worst in the plot


@dataclass(frozen=True, slots=True)
class TrialRow:
    """``state``: as its job's, and ``pruned``. ``score``: of one that was pruned, what it had come to."""

    trial: SearchTrial
    state: str
    score: float | None
    best: bool

    @property
    def step(self) -> str:
        return retell(self.trial.job.step)

    @property
    def error(self) -> str:
        return retell(self.trial.job.error)

    @property
    def changes(self) -> list[tuple[str, Any]]:
        return list((self.trial.changes or {}).items())


@dataclass(frozen=True, slots=True)
class SearchRow:
    search: PlanSearch
    trials: tuple[TrialRow, ...]

    @property
    def best(self) -> TrialRow | None:
        return next((row for row in self.trials if row.best), None)

    @property
    def ended(self) -> int:
        return sum(row.state in ("done", "pruned", "failed", "cancelled") for row in self.trials)

    @property
    def live(self) -> bool:
        return self.ended < len(self.trials)

    @property
    def paused(self) -> bool:
        """Nothing of it runs or waits any more, and not all has ended."""
        return self.live and not any(row.state in ("queued", "running") for row in self.trials)

    @property
    def names(self) -> list[str]:
        """The fields of the plan that it varies."""
        return list(self.search.rules.get("space", {}))


def searches_of(catalogue: Catalogue) -> Any:
    """In no order yet."""
    return PlanSearch.objects.filter(catalogue=catalogue).select_related("user")


def search_numbered(catalogue: Catalogue, number: int) -> PlanSearch | None:
    found: PlanSearch | None = searches_of(catalogue).filter(number=number).first()
    return found


def search_rows(catalogue: Catalogue) -> list[SearchRow]:
    """Newest first. Two queries."""
    found = list(searches_of(catalogue).order_by("-number"))
    trials = SearchTrial.objects.filter(search__in=found).select_related("job").order_by("number")
    by_search: dict[int, list[SearchTrial]] = {}
    for trial in trials:
        by_search.setdefault(trial.search_id, []).append(trial)
    return [_row(search, by_search.get(search.pk, [])) for search in found]


def search_row(search: PlanSearch) -> SearchRow:
    return _row(search, list(search.trials.select_related("job").order_by("number")))  # type: ignore[attr-defined]


def presets_of(catalogue: Catalogue) -> Any:
    return PlanPreset.objects.filter(catalogue=catalogue).select_related("trial__search", "user")


def _row(search: PlanSearch, trials: Sequence[SearchTrial]) -> SearchRow:
    done = [t for t in trials if t.score is not None and not t.pruned and t.job.state == Job.State.DONE]
    best = max(done, key=lambda t: (t.score or 0.0, -t.number), default=None)
    return SearchRow(
        search,
        tuple(
            TrialRow(
                trial,
                "pruned" if trial.pruned else trial.job.state,
                trial.score if trial.score is not None else (trial.reports[-1][1] if trial.reports else None),
                trial is best,
            )
            for trial in trials
        ),
    )


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    row: TrialRow


@dataclass(frozen=True, slots=True)
class Plot:
    """Scores by trial, and the best so far as a line of steps. ``low`` and ``high``: the scores at the plot's edges."""

    dots: tuple[Dot, ...]
    line: str
    low: float
    high: float

    WIDTH = 560
    HEIGHT = 200
    LEFT, RIGHT, TOP, BOTTOM = 44, 548, 14, 172


def plot(row: SearchRow) -> Plot | None:
    """None while no trial has a score."""
    scored = [(t, t.score) for t in row.trials if t.score is not None]
    if not scored:
        return None
    low, high = min(s for _t, s in scored), max(s for _t, s in scored)
    edge = max(high - low, 0.01) * LOW_EDGE
    low, high = low - edge, high + edge
    across = (Plot.RIGHT - Plot.LEFT) / max(1, len(row.trials))

    def x(number: int) -> float:
        return round(Plot.LEFT + (number - 0.5) * across, 1)

    def y(score: float) -> float:
        return round(Plot.BOTTOM - (Plot.BOTTOM - Plot.TOP) * (score - low) / (high - low), 1)

    steps, so_far = [], None
    for t, score in scored:
        if t.state == "done" and (so_far is None or score > so_far):
            if so_far is not None:
                steps.append(f"{x(t.trial.number)},{y(so_far)}")
            so_far = score
            steps.append(f"{x(t.trial.number)},{y(score)}")
    if so_far is not None:
        steps.append(f"{Plot.RIGHT},{y(so_far)}")
    dots = tuple(Dot(x(t.trial.number), y(score), t) for t, score in scored)
    return Plot(dots, " ".join(steps), low, high)
