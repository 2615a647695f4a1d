"""Does asking in a clever order save decisions? Oracle replay of labelled catalogues, our strategies against random order
and against small-text's, on the same features, pool, first products, head and budget, paired by seed.

    python benchmarks/active_learning.py ../shared/data --encoders var/encoders --out var/active_learning --seeds 20
    python benchmarks/active_learning.py ../shared/data --out var/active_learning --report     # tables and pictures

Needs ``pip install 'tagstudio[bench]'`` for small-text and matplotlib; without them their part is left out and said so.
A run can be cut off and started again: each replay is a line of ``curves.jsonl``, and what is there is not played again
(``--minutes 4`` stops by itself). Main runs have batches of 20; ``--batches 5,200`` and ``--noise 0.05`` add others;
``--guard`` plays a strategy that is bad on purpose, random order and the default policy, and says after how many
decisions each fell back to random; ``--long`` spends the whole pool, for the stopping rules.

Each set is split by family, 30 % for measuring. Ten products are drawn at random, the same for all, and decided; then
each chooser asks for its batches until the budget is spent. A decision is a product with all its facets. Score: micro-F1
on the test at its best threshold. Area: mean score between the first and the last decision. Tags that fewer than two
products have (three on oamine_en, whose values are an open vocabulary) are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.instant_vs_sklearn import load
from ml.active.guard import ALARMS, Verdict
from ml.active.selectors import RECIPES, Recipe
from ml.active.simulate import (
    Chooser,
    Curve,
    DefaultPolicy,
    Problem,
    State,
    chooser_of,
    replay,
    stopping,
    summary,
)
from ml.active.stopping import rules
from ml.active.uncertainty import Random, margin
from ml.active.view import Decided, PoolView, per_product
from ml.encoders import packaged
from ml.encoders.lexical import LexicalEncoder

SETS = {  # least, budget
    "magento_luma_en": (2, 160),
    "oamine_en": (3, 300),
    "yanxuan_zh": (2, 80),
    "grocery_store_en": (2, 40),
}
OURS = ("default", *(name for name in RECIPES if name != "bald_families"))
BASE = "random"


def problem_of(data: Path, name: str, encoders: Path, out: Path) -> Problem:
    """The set with lexical and MiniLM features side by side, which are kept beside the results."""
    examples, schema = load(data / name)
    kept = out / f"{name}.npy"
    if not kept.exists():
        parts = [LexicalEncoder.fit(examples).embed(examples)]
        if packaged.is_installed():
            parts.append(packaged.load_packaged(encoders).embed(examples))
        np.save(kept, np.hstack(parts))
    return Problem.of(name, schema, examples, np.load(kept), SETS[name][0])


# ---- small-text ---------------------------------------------------------------------------------------------------


class Known:
    """What small-text takes for a classifier: it answers from the view; a dataset is an array of rows. All rows are
    handed over as they lie, so that no query is charged with a copy."""

    def __init__(self, state: State) -> None:
        view, past = state.view, state.view.need_history("small-text")
        self.proba = np.vstack([view.probabilities, past.probabilities])
        self.embeddings = np.vstack([view.embeddings, past.embeddings])

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return self._of(self.proba, rows)

    def embed(self, rows: np.ndarray, return_proba: bool = False, **_: Any) -> Any:
        found = self._of(self.embeddings, rows)
        return (found, self._of(self.proba, rows)) if return_proba else found

    @staticmethod
    def _of(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return values if len(rows) == len(values) else values[rows]


def strategies_of_small_text() -> dict[str, Any]:
    """Those that take a classifier without dropout, training of their own or a native index; by name, a maker each."""
    try:
        import small_text as st
    except ImportError:
        print("small-text is not installed: its strategies are left out")
        return {}
    return {
        "st:BreakingTies": st.BreakingTies,
        "st:LeastConfidence": st.LeastConfidence,
        "st:PredictionEntropy": st.PredictionEntropy,
        "st:CVIRS": lambda: st.CategoryVectorInconsistencyAndRanking(pbar=None),
        "st:EmbeddingKMeans": st.EmbeddingKMeans,
        "st:GreedyCoreset": st.GreedyCoreset,
        "st:LightweightCoreset": st.LightweightCoreset,
        "st:Contrastive": st.ContrastiveActiveLearning,
    }


BARS = ("EmbeddingKMeans", "GreedyCoreset", "LightweightCoreset", "ContrastiveActiveLearning")


def query(strategy: Any, known: Known, past: Any, n: int, b: int) -> list[int]:
    """What a strategy of small-text asks of the first ``n`` rows; the others are decided."""
    from scipy.sparse import csr_matrix

    extra = {"pbar": None} if strategy.__class__.__name__ in BARS else {}
    rows, labelled, every = np.arange(n), np.arange(n, n + len(past.y)), np.arange(n + len(past.y))
    return [int(i) for i in strategy.query(known, every, rows, labelled, csr_matrix(past.y.astype(int)), n=b, **extra)]


def small_text() -> dict[str, Chooser]:
    def chooser(make: Any) -> Chooser:
        def choose(state: State, b: int) -> list[str]:
            np.random.seed(state.view.seed % 2**32)
            found = query(make(), Known(state), state.view.need_history("small-text"), len(state.view), b)
            return [state.view.ids[i] for i in found]

        return choose

    return {name: chooser(make) for name, make in strategies_of_small_text().items()}


# ---- runs -----------------------------------------------------------------------------------------------------------


def runs(options: argparse.Namespace) -> Iterator[tuple[str, str, int, float, int]]:
    for seed in range(options.first, options.first + options.seeds):
        for name in options.sets.split(","):
            for batch in map(int, options.batches.split(",")):
                for chooser in options.choosers:
                    yield name, chooser, batch, options.noise, seed


def play(options: argparse.Namespace) -> None:
    path, deadline = options.out / "curves.jsonl", time.monotonic() + 60 * options.minutes
    done = {tuple(row["key"]) for row in read(path)}
    peers = small_text()
    options.choosers = options.strategies.split(",") if options.strategies else [*OURS, *peers]
    problems: dict[str, Problem] = {}
    with path.open("a", encoding="utf-8") as lines, threadpool_limits(1):
        for key in runs(options):
            if key in done:
                continue
            if time.monotonic() > deadline:
                print("time is up; start again to go on")
                return
            name, chooser, batch, noise, seed = key
            if name not in problems:
                problems[name] = problem_of(options.data, name, options.encoders, options.out)
            choose = peers[chooser] if chooser in peers else chooser_of(chooser)
            watched = rules() if chooser == "default" else None
            budget = SETS[name][1] if not options.long else len(problems[name].split(seed)[0])
            curve = replay(problems[name], choose, seed=seed, batch=batch, budget=budget, noise=noise, rules=watched)
            lines.write(json.dumps({"key": key, **asdict(curve)}) + "\n")
            lines.flush()
    print("all played")


def read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Surest:
    """A strategy that is bad on purpose: it asks what the model knows best."""

    def utilities(self, view: PoolView) -> np.ndarray:
        return -per_product(margin(view.probabilities), view)


def guard(options: argparse.Namespace) -> None:
    """After how many decisions the guard catches the bad strategy, and how often it stops the good one."""
    with threadpool_limits(1):
        for name in options.sets.split(","):
            problem = problem_of(options.data, name, options.encoders, options.out)
            kinds = (("bad on purpose", Recipe(Surest())), ("random", Recipe(Random())), ("default", None))
            first: dict[str, list[tuple[int, Verdict, Curve]]] = {what: [] for what, _order in kinds}
            for what, order in kinds:
                fell = []
                for seed in range(options.first, options.first + options.seeds):
                    policy = Watched(order=order)
                    curve = replay(problem, policy, seed=seed, budget=SETS[name][1])
                    fell.append(policy.fell_back)
                    if policy.first is not None:
                        first[what].append((*policy.first, curve))
                early = [f for f in fell if f is not None and f <= 100]
                ever = [f for f in fell if f is not None]
                print(
                    f"{name:16} {what:15} fell back within 100 decisions in {len(early)} of {len(fell)}"
                    f"{share(len(early), len(fell))}, ever in {len(ever)}{share(len(ever), len(fell))}: {fell}",
                    flush=True,
                )
            least_loss(name, first["bad on purpose"], first["random"])


class Watched(DefaultPolicy):
    """Remembers the first verdict, and after how many decisions it came."""

    first: tuple[int, Verdict] | None = None

    def _look(self, state: State, past: Decided) -> None:
        super()._look(state, past)
        if self.first is None and self.verdict.looks:
            self.first = (len(state.asked), self.verdict)


def least_loss(
    name: str, bad: Sequence[tuple[int, Verdict, Curve]], random: Sequence[tuple[int, Verdict, Curve]]
) -> None:
    """What the curve alone must see of a loss, to call it one four times in five at the first look, beside what was lost
    by then on the test."""
    if not bad or not random:
        return
    spread = np.mean([(verdict.high - verdict.low) / (2 * norm.isf(0.025)) for _n, verdict, _curve in (*bad, *random)])
    least = (norm.isf(ALARMS / 4) + norm.isf(0.2)) * spread
    lost = 100 * np.mean([r.at(n) - b.at(n) for (n, _v, b), (_n, _w, r) in zip(bad, random, strict=False)])
    print(
        f"{name:16} first look after {np.mean([n for n, _v, _c in bad]):.0f} decisions, "
        f"{np.mean([v.slice for _n, v, _c in bad]):.0f} blind: the curve finds a loss of {least:.0f} points four times in "
        f"five; the bad strategy has lost {lost:.1f}",
        flush=True,
    )


def share(count: int, of: int) -> str:
    """The exact 95 % interval of a share (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    low = beta.ppf(0.025, count, of - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, of - count) if count < of else 1.0
    return f" [{low:.2f}, {high:.2f}]"


# ---- tables and pictures --------------------------------------------------------------------------------------------


def report(options: argparse.Namespace) -> None:
    groups: dict[tuple[str, int, float], dict[str, dict[int, Curve]]] = {}
    for row in read(options.out / "curves.jsonl"):
        name, chooser, batch, noise, seed = row.pop("key")
        groups.setdefault((name, batch, noise), {}).setdefault(chooser, {})[seed] = Curve(**row)
    table: list[dict[str, Any]] = []
    for (name, batch, noise), found in sorted(groups.items()):
        base = found.get(BASE, {})
        for chooser, curves in found.items():
            seeds = sorted(curves.keys() & base.keys())
            if not seeds:
                continue
            paired = {BASE: [base[s] for s in seeds], chooser: [curves[s] for s in seeds]}
            row = next(r for r in summary(paired) if r["strategy"] == chooser)
            table.append({"set": name, "batch": batch, "noise": noise, **row})
    with (options.out / "summary.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, table[0])
        writer.writeheader()
        writer.writerows(table)
    for setting in sorted({(r["batch"], r["noise"]) for r in table}):
        _print([r for r in table if (r["batch"], r["noise"]) == setting], *setting)
    for (name, batch, noise), found in sorted(groups.items()):
        for row in stopping({chooser: list(curves.values()) for chooser, curves in found.items()}):
            print(
                f"{name:16} batches of {batch}, {noise:.0%} wrong: {row['rule']:12} stopped {row['stopped']} of "
                f"{row['replays']} after {row['decisions']:.2f} of the decisions, {row['lost']:+.2f} points left "
                f"(most {row['lost_most']:+.2f})"
            )
    _draw(groups, options.out)


def _print(rows: Sequence[dict[str, Any]], batch: int, noise: float) -> None:
    sets = sorted({r["set"] for r in rows})
    print(f"\nbatches of {batch}, {noise:.0%} wrong answers: points of area against random [95 % interval] (share of "
          "random's decisions to its final score)")  # fmt: skip
    names = sorted(
        {r["strategy"] for r in rows}, key=lambda n: -np.mean([r["gain"] for r in rows if r["strategy"] == n])
    )
    print(f"{'':20}{'mean':>7}  " + "".join(f"{s:^36}" for s in sets))
    for name in names:
        cells, gains = [], []
        for s in sets:
            row = next((r for r in rows if (r["set"], r["strategy"]) == (s, name)), None)
            if row is None:
                cells.append(f"{'—':^36}")
                continue
            gains.append(row["gain"])
            cell = f"{row['gain']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}] ({row['decisions_to_random']:.2f}) n={row['seeds']}"
            cells.append(f"{cell:^36}")
        print(f"{name:20}{np.mean(gains):+7.2f}  " + "".join(cells))


def _draw(groups: dict[tuple[str, int, float], dict[str, dict[int, Curve]]], out: Path) -> None:
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print("matplotlib is not installed: no pictures")
        return
    shown = ("default", BASE, "margin", "typiclust", "st:BreakingTies", "st:EmbeddingKMeans")
    for (name, batch, noise), found in groups.items():
        figure, axes = pyplot.subplots(figsize=(7, 4.5))
        for chooser in shown:
            curves = list(found.get(chooser, {}).values())
            if curves:
                heights = np.array([c.f1 for c in curves])
                mean, error = heights.mean(axis=0), heights.std(axis=0) / max(len(curves), 1) ** 0.5
                axes.plot(curves[0].decisions, mean, label=chooser, lw=2.5 if chooser == "default" else 1.2)
                axes.fill_between(curves[0].decisions, mean - error, mean + error, alpha=0.12)
        axes.set(title=f"{name}, batches of {batch}" + (f", {noise:.0%} wrong" if noise else ""),
                 xlabel="products decided", ylabel="micro-F1 on the test")  # fmt: skip
        axes.legend()
        figure.savefig(out / f"{name}-{batch}-{noise:g}.png", dpi=110, bbox_inches="tight")
        pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("var/active_learning"))
    parser.add_argument("--encoders", type=Path, default=Path("var/encoders"), help="where the exported MiniLM lies")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--batches", default="20")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--strategies", default="")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--guard", action="store_true")
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.guard:
        guard(options)
    elif options.report:
        report(options)
    else:
        play(options)


if __name__ == "__main__":
    main()
