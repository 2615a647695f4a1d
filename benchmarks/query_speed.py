"""How long a strategy takes to choose among very many products: ours and small-text's of the same name, same arrays.

    python benchmarks/query_speed.py [--products 100000] [--tags 300] [--decided 1000] [--batch 20] [--limit 60]

Vectors are drawn round 500 centres, as wide as lexical and MiniLM together; scores are sparse as in a catalogue. Both
sides get the arrays ready made and nothing is copied for either: what is timed is the query alone, with the posterior,
the neighbours and the lengths that it needs. ``--rounds`` runs each, more of what is quick; a query that takes longer than
``--limit`` seconds of the processor is cut off, and the ratio is then a lower bound. Seconds are by the clock ("s") and
of the processor ("cpu", all threads). The default policy is timed as well, on all products and on the 5,000 of its shortlist.

Strategies of one name do not compute the same thing: ours ask each facet about its open tags; small-text takes one
maximum, the best two, or one entropy over all tags. "= least_confidence", "= margin" and "= entropy" are ours made to
compute exactly that, as a comparison of the arithmetic alone; they choose the same products, which is checked.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.active_learning import Known, query, strategies_of_small_text
from ml.active.policy import rank
from ml.active.selectors import RECIPES, Recipe
from ml.active.simulate import State
from ml.active.view import Decided, PoolView, in_blocks


def rows_of(work: Callable[[np.ndarray], np.ndarray]) -> Recipe:
    """``work`` on the scores of a block of products at a time, the lowest answers first."""

    class Strategy:
        def utilities(self, view: PoolView) -> np.ndarray:
            out = np.zeros(len(view))

            def part(rows: slice) -> None:
                out[rows] = -work(view.probabilities[rows])

            in_blocks(view, part)
            return out

    return Recipe(Strategy())


def best_two(p: np.ndarray) -> np.ndarray:
    left, place, every = p.copy(), p.argmax(axis=1), np.arange(len(p))
    left[every, place] = -1
    return p[every, place] - left.max(axis=1)


def one_entropy(p: np.ndarray) -> np.ndarray:
    """Minus that of the scores made to sum to one: log of the sum less the mean logarithm under them."""
    total = p.sum(axis=1)
    return np.einsum("nt,nt->n", p, np.log(p)) / total - np.log(total)


SAME = {
    "= least_confidence": rows_of(lambda p: p.max(axis=1)),
    "= margin": rows_of(best_two),
    "= entropy": rows_of(one_entropy),
}
PAIRS = {
    "least_confidence": "st:LeastConfidence",
    "margin": "st:BreakingTies",
    "entropy": "st:PredictionEntropy",
    "= least_confidence": "st:LeastConfidence",
    "= margin": "st:BreakingTies",
    "= entropy": "st:PredictionEntropy",
    "cvirs": "st:CVIRS",
    "coreset": "st:GreedyCoreset",
    "cal": "st:Contrastive",
    "typiclust": "st:EmbeddingKMeans",
}


def view_of(products: int, tags: int, decided: int, dim: int = 640) -> PoolView:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(500, dim)).astype(np.float32)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        x = centres[rng.integers(0, 500, n)] + rng.normal(size=(n, dim)).astype(np.float32)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x, np.clip(rng.beta(0.08, 2.0, size=(n, tags)), 1e-4, 1 - 1e-4).astype(np.float32)

    x, p = drawn(products)
    past, p_past = drawn(decided)
    y = (rng.random(p_past.shape) < p_past).astype(np.float32)
    known = np.ones(y.shape, dtype=bool)
    facets = {f"f{i}": list(c) for i, c in enumerate(np.array_split(np.arange(tags), 25))}
    return PoolView(
        ids=[f"p{i}" for i in range(products)], families=[f"f{i // 4}" for i in range(products)], embeddings=x,
        probabilities=p, open=np.ones(p.shape, dtype=bool), decided=past, support=y.sum(axis=0), facets=facets,
        tags=[f"t{i}" for i in range(tags)], history=Decided(past, y, known, p_past),
    )  # fmt: skip


ENOUGH = 0.3  # seconds of the processor that rounds go on for at least


class TooLong(Exception):
    pass


@dataclass(frozen=True)
class Took:
    """Seconds (by the clock of the quickest round, of the processor their mean), whether it was cut off, and what it
    chose."""

    wall: float
    cpu: float
    cut: bool = False
    found: Any = None


def timed(work: Callable[[], Any], limit: int, rounds: int) -> Took:

    def cut(*_: Any) -> None:
        raise TooLong

    took: list[Took] = []
    while len(took) < rounds or sum(t.cpu for t in took) < ENOUGH:
        signal.signal(signal.SIGPROF, cut)
        signal.setitimer(signal.ITIMER_PROF, limit)
        began, spent = time.perf_counter(), time.process_time()
        try:
            found, cut_off = work(), False
        except TooLong:
            found, cut_off = None, True
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        took.append(Took(time.perf_counter() - began, time.process_time() - spent, cut_off, found))
        if cut_off:
            break
    mean = sum(t.cpu for t in took) / len(took)  # the clock of the processor ticks coarsely
    return Took(min(t.wall for t in took), mean, took[-1].cut, took[-1].found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--tags", type=int, default=300)
    parser.add_argument("--decided", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--pairs", default=",".join(PAIRS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    fresh = view_of(options.products, options.tags, options.decided)
    peers = strategies_of_small_text()
    known = Known(State(fresh, [], [], 0))

    print(f"{options.products} products x {options.tags} tags, {options.decided} decided, {options.batch} asked for")
    print(f"{'strategy':20}{'ours: s':>9}{'cpu':>8}{'theirs: s':>12}{'cpu':>9}{'times':>9}{'by cpu':>9}")
    for ours in options.pairs.split(","):
        theirs = PAIRS[ours]
        # a view of its own each time: nothing that another strategy computed is at hand
        recipe = SAME[ours] if ours in SAME else RECIPES[ours]
        mine = timed(lambda r=recipe: r.pick(replace(fresh), options.batch), 600, options.rounds)
        line = f"{ours:20}{mine.wall:9.3f}{mine.cpu:8.3f}"
        if theirs in peers:
            past = fresh.need_history("small-text")
            make = peers[theirs]
            other = timed(
                lambda m=make, p=past: query(m(), known, p, len(fresh), options.batch), options.limit, options.rounds
            )
            more = "> " if other.cut else ""
            line += f"{more:>3}{other.wall:9.3f}{other.cpu:9.3f}{more:>3}{other.wall / mine.wall:6.1f}"
            line += f"{more:>3}{other.cpu / mine.cpu:6.1f}"
            if ours in SAME and not other.cut:
                line += f" {len({fresh.ids[i] for i in other.found} & set(mine.found))} of {options.batch} the same"
        print(line + f"   {theirs}", flush=True)
    some = fresh.take(np.arange(min(5000, len(fresh))))
    for name, view in (("policy, shortlist", some), ("policy, all", fresh)):
        mine = timed(lambda v=view: rank(replace(v)), 600, options.rounds)
        print(f"{name:20}{mine.wall:9.3f}{mine.cpu:8.3f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
