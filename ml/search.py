"""Search over plans: what to try next, and when to stop trying. Pure functions of the trials so far; no torch.

A trial is a plan with changes and the scores it reported. Whoever keeps the trials (a folder, a database) asks for the
next one and, at each report, whether the trial is worth going on with. Nothing is remembered between two questions, so a
search that was killed goes on with the same trials, and any number of workers may ask.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ml.search_space import NEVER, USUAL, USUAL_WORD
from ml.training.plan import Plan, PlanError
from ml.training.plan_fields import typed

METHODS = ("grid", "random", "tpe")
MOST_TRIALS = 500
LEAST_OTHERS = 4  # that have come as far, before a trial is compared with them
FREE_SHARE = 0.2  # of its first fold, in which no trial is stopped
MOST_ROWS = 100_000  # of a grid that are looked at for plans that can be followed


class SearchError(ValueError):
    """A search that cannot be done; the message names what is wrong and what it may be, ``field`` the plan's field whose
    values it is about (empty: none)."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Dimension:
    """One field of the plan: ``values`` to choose from, or numbers from ``low`` to ``high``."""

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    points: int = 0  # of a range in a grid

    def draw(self, rng: np.random.Generator) -> Any:
        if self.values:
            return self.values[int(rng.integers(len(self.values)))]
        if self.log:
            return self._as(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return self._as(rng.uniform(self.low, self.high + (1 if self.whole else 0)))

    def grid(self) -> list[Any]:
        """Its values; of a range ``points`` at even distances (of their logarithms where it is logarithmic)."""
        if self.values:
            return list(self.values)
        space = np.geomspace if self.log else np.linspace
        return list(dict.fromkeys(self._as(v) for v in space(self.low, self.high, self.points)))

    def _as(self, value: float) -> Any:
        return max(int(self.low), min(int(value), int(self.high))) if self.whole else float(f"{value:.6g}")


@dataclass(frozen=True)
class Trial:
    """``reports``: ``(at, score)`` pairs, ``at`` rising: 1.5 is half-way through the second fold. ``score`` when done."""

    number: int
    changes: dict[str, Any]
    state: str = "running"  # running, done, pruned, failed
    score: float | None = None
    reports: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Search:
    """What to search. ``space``: plan field to a list of values, to ``{"low", "high", "log", "points"}``, or to
    ``"usual"``, which is what :mod:`ml.search_space` has for the field."""

    space: tuple[Dimension, ...]
    base: dict[str, Any] = field(default_factory=dict)
    method: str = "tpe"
    trials: int = 20
    folds: int = 1
    seed: int = 1
    prune: bool = True

    @classmethod
    def from_json(cls, data: Mapping[str, Any], base: Mapping[str, Any]) -> Search:
        """Raises SearchError (PlanError for ``base``) naming what cannot be followed."""
        known = {spec.name for spec in fields(cls)} - {"base"}
        if unknown := sorted(set(data) - known):
            raise SearchError(f"{unknown[0]}: not a field of a search; fields are {', '.join(sorted(known))}")
        plan = Plan.from_json(base)
        space = settled(data.get("space"))
        if not isinstance(space, Mapping) or not space:
            raise SearchError(
                'space: say what to vary, such as {"learning_rate": {"low": 1e-5, "high": 1e-3, "log": true}}'
            )
        made = cls(
            tuple(_dimension(str(name), value, plan) for name, value in space.items()),
            plan.to_json(),
            **{name: data[name] for name in known - {"space"} if name in data},
        )
        return made._checked()

    def _checked(self) -> Search:
        if self.method not in METHODS:
            raise SearchError(f"method: {self.method!r} is not one of {', '.join(METHODS)}")
        for name, low, high in (("trials", 1, MOST_TRIALS), ("folds", 1, 10), ("seed", 0, 2**31)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise SearchError(f"{name}: {value!r} is not a whole number from {low} to {high}")
        if self.method == "grid":
            if endless := [d.name for d in self.space if not d.values and d.points < 2]:
                raise SearchError(f"space: a grid needs values, or 'points' (2 or more), for {endless[0]}", endless[0])
            rows = sum(1 for _ in itertools.islice(_rows(self), self.trials))
            if not rows:
                raise SearchError("space: no combination of its values makes a plan that can be followed")
            return replace(self, trials=rows)
        return self

    def plan(self, changes: Mapping[str, Any]) -> Plan:
        return Plan.from_json({**self.base, **changes})


def propose(search: Search, number: int, trials: Sequence[Trial]) -> dict[str, Any]:
    """The changes of trial ``number`` (from 1), given the others. Equal questions have equal answers.

    Changes that make no plan together (an adapter and adversarial training, say) are drawn again; a grid leaves them out.
    """
    if search.method == "grid":
        row = next(itertools.islice(_rows(search), number - 1, None), None)
        if row is None:
            raise SearchError(f"the grid has fewer than {number} points")
        return row
    draws = _by_tpe(search, number, trials) if search.method == "tpe" else _at_random(search, number)
    for changes in itertools.islice(draws, 100):
        try:
            search.plan(changes)
        except PlanError as error:
            refused = error
        else:
            return changes
    raise SearchError(f"space: nothing drawn from it makes a plan ({refused})")


def worth_it(search: Search, mine: Trial, others: Sequence[Trial]) -> bool:
    """Whether to go on after the last report of ``mine``: the median stopping rule (Golovin et al. 2017, Vizier).

    It is stopped when its best so far is below the median of what the others had come to at the same place. Never in
    the first fifth of its first fold, and not before LEAST_OTHERS have come as far.
    """
    if not search.prune or not mine.reports or mine.reports[-1][0] < FREE_SHARE:
        return True
    at, best = mine.reports[-1][0], mine.reports[-1][1]
    reached = [_at(trial, at) for trial in others if trial.number != mine.number]
    known = [score for score in reached if score is not None]
    return len(known) < LEAST_OTHERS or best >= statistics.median(known)


def settled(space: Any) -> Any:
    """The space with what is usual in place of the word; anything that is no space is left for whoever checks it.

    Raises SearchError for a field that has nothing usual.
    """
    if not isinstance(space, Mapping):
        return space
    for name, value in space.items():
        if value == USUAL_WORD and name not in USUAL:
            raise SearchError(f"space: nothing is usual for {name}; say its values", name)
    return {name: USUAL[name] if value == USUAL_WORD else value for name, value in space.items()}


def best(trials: Sequence[Trial]) -> Trial | None:
    done = [trial for trial in trials if trial.state == "done" and trial.score is not None]
    return max(done, key=lambda trial: (trial.score or 0.0, -trial.number), default=None)


def _at(trial: Trial, at: float) -> float | None:
    """What a trial had come to at this place; one that ended earlier with a score, that score."""
    before = [score for place, score in trial.reports if place <= at]
    if not before or (trial.state != "done" and trial.reports[-1][0] < at):
        return None
    return before[-1]


def _rows(search: Search) -> Iterator[dict[str, Any]]:
    """The grid's combinations that make a plan, in order."""
    for row in itertools.islice(itertools.product(*(d.grid() for d in search.space)), MOST_ROWS):
        changes = dict(zip((d.name for d in search.space), row, strict=True))
        try:
            search.plan(changes)
        except PlanError:
            continue
        yield changes


def _at_random(search: Search, number: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng((search.seed, number))
    while True:
        yield {d.name: d.draw(rng) for d in search.space}


def _by_tpe(search: Search, number: int, trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Tree-structured Parzen estimator (Bergstra et al. 2011) by optuna, over a study made anew from the trials.

    Trials that still run count as bad ones (``constant_liar``), so that workers beside each other look elsewhere.
    """
    try:
        import optuna
    except ImportError as error:
        raise SearchError("method: 'tpe' needs optuna (extra ml); 'random' and 'grid' work without") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    states = {
        "running": optuna.trial.TrialState.RUNNING, "done": optuna.trial.TrialState.COMPLETE,
        "pruned": optuna.trial.TrialState.PRUNED, "failed": optuna.trial.TrialState.FAIL,
    }  # fmt: skip
    space = {d.name: _distribution(optuna, d) for d in search.space}
    for again in itertools.count():
        sampler = optuna.samplers.TPESampler(
            seed=(search.seed * 1_000_003 + number * 101 + again) % 2**32, constant_liar=True, multivariate=True,
            n_startup_trials=min(10, max(3, search.trials // 4)),
        )  # fmt: skip
        study = optuna.create_study(sampler=sampler, direction="maximize")
        for trial in sorted(trials, key=lambda t: t.number):
            if trial.number != number and set(trial.changes) == set(space):
                study.add_trial(
                    optuna.trial.create_trial(
                        state=states[trial.state], params=trial.changes, distributions=space,
                        value=trial.score if trial.state == "done" else None,
                        intermediate_values={step: score for step, (_at, score) in enumerate(trial.reports)},
                    )
                )  # fmt: skip
        yield dict(study.ask(space).params)


def _distribution(optuna: Any, d: Dimension) -> Any:
    if d.values:
        return optuna.distributions.CategoricalDistribution(d.values)
    if d.whole:
        return optuna.distributions.IntDistribution(int(d.low), int(d.high), log=d.log)
    return optuna.distributions.FloatDistribution(d.low, d.high, log=d.log)


def _dimension(name: str, value: Any, plan: Plan) -> Dimension:
    spec = next((spec for spec in fields(Plan) if spec.name == name), None)
    if spec is None:
        raise SearchError(f"space: {name} is no field of a plan", name)
    if name in NEVER:
        raise SearchError(f"space: {name} can't be searched: {NEVER[name]}", name)
    if isinstance(value, list | tuple):
        if not value:
            raise SearchError(f"space: {name} has no values", name)
        made = Dimension(name, values=tuple(typed(spec, one) for one in value))
        tried = made.values
    elif isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "high", "log", "points"}:
        numbers = [value["low"], value["high"], value.get("points", 0)]
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            raise SearchError(f"space: low, high and points of {name} are numbers", name)
        low, high, log = float(numbers[0]), float(numbers[1]), bool(value.get("log", False))
        if not low < high or (log and low <= 0):
            above = ", and above 0 to be logarithmic" if log else ""
            raise SearchError(f"space: {name} needs low below high{above}", name)
        made = Dimension(name, low=low, high=high, log=log, whole=type(spec.default) is int, points=int(numbers[2]))
        tried = (made._as(low), made._as(high))
    else:
        raise SearchError(f'space: {name} takes a list of values, or {{"low": …, "high": …, "log": true}}', name)
    for one in tried:
        _fits(plan, name, one)
    return made


def _fits(plan: Plan, name: str, value: Any) -> None:
    """Raises SearchError when the field alone cannot be this; what fields forbid each other is drawn again."""
    try:
        replace(Plan(), **{name: value})
    except PlanError as error:
        try:  # some fields need others (adapters no frozen blocks): the base may have them
            replace(plan, **{name: value})
        except PlanError:
            raise SearchError(f"space: {error}", name) from error
