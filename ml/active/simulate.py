"""Oracle replay: a labelled catalogue is decided again product by product, in the order that a chooser asks for, and
the head is refitted and measured after each batch. Same features, pool, first products, head and budget for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import expit

from ml.active.crossed import Decisions
from ml.active.guard import Verdict, due, judge
from ml.active.policy import rank
from ml.active.posterior import Posterior
from ml.active.proof import Proof
from ml.active.selectors import RECIPES, Recipe
from ml.active.stopping import Look, Rule
from ml.active.view import Decided, PoolView
from ml.evaluation.metrics import best_f1, mean_average_precision
from ml.examples import Example, in_fold, targets
from ml.instant import head
from ml.instant.model import applicable
from ml.schema import Schema

RIDGE = 0.05
MEMBERS = 4  # of the committee
WATCHED = 1000  # products of the pool that stopping rules look at


@dataclass(frozen=True)
class Problem:
    """A labelled catalogue as arrays.

    features ``(n, d)`` float32; y ``(n, T)`` 0 or 1; applies ``(n, T)`` bool: the tag's facet is a question about the
    product; facets: facet name to its columns
    """

    name: str
    ids: Sequence[str]
    families: Sequence[str]
    features: np.ndarray
    y: np.ndarray
    applies: np.ndarray
    facets: dict[str, Sequence[int]]
    tags: Sequence[str]

    @classmethod
    def of(
        cls, name: str, schema: Schema, examples: Sequence[Example], features: np.ndarray, least: int = 2
    ) -> Problem:
        """Decided products as a problem. Tags that fewer than ``least`` products have are left out: nobody could learn
        them on one and be measured on another. What nobody said counts as no question."""
        y, known = targets(schema, examples)
        known &= applicable(schema, examples)
        kept = np.flatnonzero((y * known).sum(axis=0) >= least)
        facets: dict[str, list[int]] = {}
        for column, old in enumerate(kept):
            facets.setdefault(schema.columns[old][0], []).append(column)
        return cls(
            name,
            [e.id for e in examples],
            [e.family for e in examples],
            np.asarray(features, dtype=np.float32),
            y[:, kept],
            known[:, kept],
            dict(facets),
            [schema.columns[c][1] for c in kept],
        )

    def split(self, seed: int, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the pool and of the test, whole families."""
        test = np.array([in_fold(f, share, f"replay {seed}") for f in self.families])
        return np.flatnonzero(~test), np.flatnonzero(test)


@dataclass(frozen=True)
class State:
    """What a chooser may look at before it asks for the next batch."""

    view: PoolView
    asked: Sequence[str]  # ids in the order of decisions
    families: Sequence[str]  # of these
    started: int  # how many of them were drawn at random before the first batch


Chooser = Callable[[State, int], list[str]]


@dataclass
class Curve:
    """decisions: products decided; f1: micro-F1 on the test at its best threshold; ap: mean average precision over
    tags; seconds: what the chooser took for each batch; stops: after how many decisions each stopping rule said so."""

    decisions: list[int] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)
    ap: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stops: dict[str, int] = field(default_factory=dict)

    def area(self, which: str = "f1") -> float:
        """Mean height between the first and the last decision."""
        x, y = np.array(self.decisions, dtype=float), np.array(getattr(self, which))
        return float(np.trapezoid(y, x) / (x[-1] - x[0])) if len(x) > 1 else float(y[0])

    def at(self, decisions: float) -> float:
        """F1 after so many decisions."""
        return float(np.interp(decisions, self.decisions, self.f1))

    def reaches(self, score: float) -> float:
        """Decisions after which the curve, drawn straight between points, is at the score; infinity where it never is."""
        x, y = np.array(self.decisions, dtype=float), np.array(self.f1)
        there = np.flatnonzero(y >= score)
        if not len(there):
            return float("inf")
        i = int(there[0])
        return float(x[0] if i == 0 else np.interp(score, y[i - 1 : i + 1], x[i - 1 : i + 1]))


class Head:
    """The instant tier's head alone, warm-started: what a product's features say, tag by tag."""

    def __init__(self, tags: int, dim: int) -> None:
        self.weights = np.zeros((dim + 1, tags), dtype=np.float32)
        self.has_head = np.zeros(tags, dtype=bool)
        self.rate = np.full(tags, 0.01, dtype=np.float32)
        self.rotation: head.Rotation | None = None
        self.features = np.zeros((0, dim), dtype=np.float32)
        self.known = np.zeros((0, tags), dtype=bool)

    def fit(self, features: np.ndarray, y: np.ndarray, known: np.ndarray) -> None:
        self.features, self.known = features, known
        self.rotation = head.rotate(features, RIDGE)
        support, seen = (y * known).sum(axis=0), known.sum(axis=0)
        self.has_head = (support > 0) & (seen > support)
        self.rate = ((support + 0.01) / (seen + 1)).astype(np.float32)
        active = np.flatnonzero(self.has_head)
        first = head.warm(self.rotation, self.weights[:, active])
        solved = head.solve(self.rotation, y[:, active], known[:, active], start=first)
        self.weights[:, active] = head.restore(self.rotation, solved)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        p = np.broadcast_to(self.rate, (len(features), len(self.rate))).copy()
        active = np.flatnonzero(self.has_head)
        p[:, active] = expit(head.logits(features, self.weights[:, active]))
        return p

    def variance(self, features: np.ndarray) -> np.ndarray:
        curvature = self.probabilities(self.features) if len(self.features) else np.zeros((0, len(self.rate)))
        mean = (curvature * (1 - curvature) * self.known).sum(axis=0) / max(len(self.features), 1)
        return Posterior.of(self.features, RIDGE).variance(features, mean)


def replay(
    problem: Problem,
    chooser: Chooser,
    *,
    seed: int,
    start: int = 10,
    batch: int = 20,
    budget: int = 300,
    noise: float = 0.0,
    rules: Mapping[str, Rule] | None = None,
) -> Curve:
    """Play one chooser. The same seed gives the same split, first products and mistakes of the oracle to all.

    noise: share of a product's tags that the oracle misses, and of as many others that it adds. rules: stopping rules
    that are asked after each refit; the replay goes on, and the curve says when they would have stopped it.
    """
    pool, test = problem.split(seed)
    rng = np.random.default_rng(seed)
    answers = _answers(problem, noise, rng)
    known_test = problem.applies[test]
    place = {problem.ids[i]: i for i in pool}
    order = [int(i) for i in rng.permutation(pool)[:start]]
    watched = np.sort(rng.choice(pool, min(WATCHED, len(pool)), replace=False))
    model, curve = Head(problem.y.shape[1], problem.features.shape[1]), Curve()
    while True:
        rows = np.array(order)
        model.fit(problem.features[rows], answers[rows], problem.applies[rows])
        scores = model.probabilities(problem.features[test])
        curve.decisions.append(len(order))
        curve.f1.append(best_f1(problem.y[test], scores, known_test)[0])
        curve.ap.append(mean_average_precision(problem.y[test], scores, known_test))
        if rules:
            p = model.probabilities(problem.features[watched])
            look = Look(len(order), p, problem.applies[watched], getattr(chooser, "proof", None))
            for name, rule in rules.items():
                if rule(look):
                    curve.stops.setdefault(name, len(order))
        left = np.setdiff1d(pool, rows)
        b = min(batch, budget - len(order), len(left))
        if b <= 0:
            return curve
        state = State(
            view_of(problem, model, left, rows, answers, seed * 100_003 + len(order)),
            [problem.ids[i] for i in order],
            [problem.families[i] for i in order],
            min(start, len(order)),
        )
        began = time.perf_counter()
        chosen = list(dict.fromkeys(chooser(state, b)))
        curve.seconds.append(time.perf_counter() - began)
        if len(chosen) != b:
            raise ValueError(f"asked for {b} products, got {len(chosen)} different ones")
        order += [place[name] for name in chosen]


def _answers(problem: Problem, noise: float, rng: np.random.Generator) -> np.ndarray:
    if not noise:
        return problem.y
    y = problem.y.copy()
    for row in range(len(y)):
        yes, no = np.flatnonzero(y[row] > 0), np.flatnonzero((y[row] == 0) & problem.applies[row])
        missed = yes[rng.random(len(yes)) < noise]
        y[row, missed] = 0.0
        y[row, rng.choice(no, min(len(missed), len(no)), replace=False)] = 1.0
    return y


CHOOSERS = ("default", *RECIPES)


def chooser_of(name: str, *, blind_share: float = 0.05) -> Chooser:
    """A fresh chooser: the product's ``default`` policy, or a recipe by its name. Raises KeyError for any other."""
    if name == "default":
        return DefaultPolicy(blind_share=blind_share)
    recipe = RECIPES[name]
    return lambda state, b: recipe.pick(state.view, b)


def view_of(
    problem: Problem, model: Head, left: np.ndarray, rows: np.ndarray, answers: np.ndarray, seed: int
) -> PoolView:
    features, decided, known = problem.features[left], problem.features[rows], problem.applies[rows]
    return PoolView(
        ids=[problem.ids[i] for i in left],
        families=[problem.families[i] for i in left],
        embeddings=features,
        probabilities=np.where(problem.applies[left], model.probabilities(features), 0.0),
        open=problem.applies[left],
        decided=decided,
        support=(answers[rows] * known).sum(axis=0),
        facets=problem.facets,
        tags=problem.tags,
        seed=seed,
        history=Decided(decided, answers[rows], known, np.where(known, model.probabilities(decided), 0.0)),
        variance=lambda: model.variance(features),
        members=lambda: _members(problem, left, rows, answers, seed),
    )


def _members(
    problem: Problem, left: np.ndarray, rows: np.ndarray, answers: np.ndarray, seed: int
) -> Iterator[np.ndarray]:
    """Heads on bootstrap samples of what is decided."""
    rng = np.random.default_rng(seed)
    for _ in range(MEMBERS):
        drawn = rng.choice(rows, len(rows))
        member = Head(answers.shape[1], problem.features.shape[1])
        member.fit(problem.features[drawn], answers[drawn], problem.applies[drawn])
        yield member.probabilities(problem.features[left])


def summary(curves: Mapping[str, Sequence[Curve]], baseline: str = "random", seed: int = 0) -> list[dict[str, Any]]:
    """A row a chooser: area, its paired difference to the baseline with a 95 % bootstrap interval over seeds, and the
    share of the baseline's decisions after which it is at the baseline's final score.

    Curves of one place in the lists were played with one seed. A curve that never gets there counts as needing all.
    """
    rng = np.random.default_rng(seed)
    base = curves[baseline]
    draws = rng.integers(0, len(base), (2000, len(base)))
    out = []
    for name, found in curves.items():
        gain = 100 * np.array([c.area() - b.area() for c, b in zip(found, base, strict=True)])
        need = np.array([min(c.reaches(b.f1[-1]) / b.decisions[-1], 1.0) for c, b in zip(found, base, strict=True)])
        low, high = np.quantile(gain[draws].mean(axis=1), [0.025, 0.975])
        out.append(
            {
                "strategy": name,
                "seeds": len(found),
                "area": round(100 * float(np.mean([c.area() for c in found])), 2),
                "gain": round(float(gain.mean()), 2),
                "low": round(float(low), 2),
                "high": round(float(high), 2),
                "final": round(100 * float(np.mean([c.f1[-1] for c in found])), 2),
                "decisions_to_random": round(float(need.mean()), 3),
                "seconds": round(float(np.mean([np.mean(c.seconds) for c in found])), 4),
            }
        )
    return sorted(out, key=lambda row: -row["gain"])


def stopping(curves: Mapping[str, Sequence[Curve]]) -> list[dict[str, Any]]:
    """A row a chooser and rule: in how many replays it stopped before the end, after which mean share of the decisions,
    and how many points of F1 the rest would still have brought (mean and most, over the replays that it stopped)."""
    out = []
    for chooser, found in curves.items():
        for rule in dict.fromkeys(name for c in found for name in c.stops):
            early = [(c, c.stops[rule]) for c in found if c.stops.get(rule, c.decisions[-1]) < c.decisions[-1]]
            lost = [100 * (c.f1[-1] - c.at(n)) for c, n in early]
            out.append(
                {
                    "strategy": chooser,
                    "rule": rule,
                    "replays": len(found),
                    "stopped": len(early),
                    "decisions": round(float(np.mean([n / c.decisions[-1] for c, n in early])), 3) if early else 1.0,
                    "lost": round(float(np.mean(lost)), 2) if early else 0.0,
                    "lost_most": round(float(np.max(lost)), 2) if early else 0.0,
                }
            )
    return out


class DefaultPolicy:
    """The product's own order as a chooser: :func:`ml.active.policy.rank` with its blind slice and its guard.

    order: utilities to use instead of the policy's, to see the guard catch a strategy that is bad on purpose.
    fell_back: after how many decisions the guard first sent the queue random; None: never. proof: what the last look at
    the blind slice measured.
    """

    def __init__(self, *, blind_share: float = 0.05, guarded: bool = True, order: Recipe | None = None) -> None:
        self.blind_share, self.guarded, self.order = blind_share, guarded, order
        self.random: set[str] = set()
        self.fell_back: int | None = None
        self.verdict = Verdict()
        self.proof: Proof | None = None
        self._looked = 0

    def __call__(self, state: State, b: int) -> list[str]:
        view = state.view
        self.random |= set(state.asked[: state.started])
        if self.guarded and view.history is not None and due(len(state.asked), self._looked):
            self._look(state, view.history)
        order = self.order.pick(view, len(view)) if self.order is not None else None
        ranking = rank(
            view,
            blind_share=self.blind_share,
            decided=len(state.asked),
            blind_decided=len(self.random),
            random=self.verdict.random,
            order=order,
        )
        first = np.argsort(-ranking.utilities, kind="stable")[:b]
        self.random |= {view.ids[i] for i in first if ranking.blind[i]}
        return [view.ids[i] for i in first]

    def _look(self, state: State, past: Decided) -> None:
        self._looked = len(state.asked)
        drawn = np.array([name in self.random for name in state.asked])
        decisions = Decisions(past.embeddings, past.y, past.known, state.families, drawn)
        self.verdict, found = judge(decisions, self.verdict, seed=state.view.seed)
        self.proof = found or self.proof
        if self.verdict.random and self.fell_back is None:
            self.fell_back = len(state.asked)
