"""Oracle replay: the same for all, measured on what nobody was asked about; the guard and the proof that come of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ml.active.guard import judge
from ml.active.proof import Decisions, prove
from ml.active.selectors import RECIPES, Recipe
from ml.active.simulate import Curve, DefaultPolicy, State, replay, summary
from ml.active.uncertainty import margin
from ml.active.view import PoolView, per_product
from ml.commands import main
from ml.examples import write_jsonl
from tests.ml.catalogue import products, schema
from tests.ml.pools import problem


class Surest:
    """A strategy made bad on purpose: it asks what the model knows best."""

    def utilities(self, view: PoolView) -> np.ndarray:
        return -per_product(margin(view.probabilities), view)


def by(name: str):  # type: ignore[no-untyped-def]
    return lambda state, b: RECIPES[name].pick(state.view, b)


def test_a_replay_asks_each_product_once_and_starts_alike_for_all() -> None:
    asked: dict[str, list[str]] = {}

    def watch(name: str):  # type: ignore[no-untyped-def]
        def choose(state: State, b: int) -> list[str]:
            asked[name] = list(state.asked)
            assert not set(state.asked) & set(state.view.ids)
            return RECIPES[name].pick(state.view, b)

        return choose

    curves = {name: replay(problem(), watch(name), seed=1, batch=15, budget=60) for name in ("random", "typiclust")}
    assert asked["random"][:10] == asked["typiclust"][:10] and asked["random"] != asked["typiclust"]
    for curve in curves.values():
        assert curve.decisions == [10, 25, 40, 55, 60]
        assert curve.f1[-1] > curve.f1[0]
    assert curves["random"].f1[0] == curves["typiclust"].f1[0]
    pool, test = problem().split(1)
    assert not set(pool) & set(test) and len(pool) + len(test) == len(problem().ids)


def test_a_noisy_oracle_costs_something() -> None:
    clean, noisy = (np.mean([replay(problem(), by("random"), seed=s, budget=50, noise=n).f1[-1] for s in range(3)])
                    for n in (0.0, 0.4))  # fmt: skip
    assert noisy < clean - 0.03


def test_areas_and_decisions_saved_are_read_off_the_curve() -> None:
    curve = Curve([10, 20, 40], [0.2, 0.4, 0.6], [0.0, 0.0, 0.0], [0.0])
    assert curve.area() == pytest.approx((0.3 * 10 + 0.5 * 20) / 30)
    assert curve.reaches(0.5) == pytest.approx(30) and curve.reaches(0.1) == 10
    assert curve.reaches(0.7) == float("inf")
    better = Curve([10, 20, 40], [0.2, 0.6, 0.7], [0.0, 0.0, 0.0], [0.0])
    rows = {r["strategy"]: r for r in summary({"random": [curve] * 3, "x": [better] * 3})}
    assert rows["random"]["gain"] == 0 and rows["random"]["decisions_to_random"] == 1
    assert rows["x"]["gain"] == rows["x"]["low"] > 0 and rows["x"]["decisions_to_random"] == 0.5


def test_the_policy_beats_random_and_a_strategy_made_bad_is_caught_within_100_labels() -> None:
    gains, caught = [], []
    for seed in range(4):
        base = replay(problem(each=60), by("random"), seed=seed, budget=110)
        good, bad = DefaultPolicy(), DefaultPolicy(order=Recipe(Surest()))
        gains.append(replay(problem(each=60), good, seed=seed, budget=110).area() - base.area())
        replay(problem(each=60), bad, seed=seed, budget=110)
        caught.append((good.fell_back, bad.fell_back))
    assert np.mean(gains) > 0
    assert sum(b is not None and b <= 100 for _, b in caught) >= 3, caught
    assert sum(g is not None for g, _ in caught) <= 1, caught


def decided(count: int, slice_: int, *, bad: bool = False, seed: int = 0) -> Decisions:
    """Of ``count`` decisions ``slice_`` at random; the others from one cluster alone where the order was bad."""
    whole, rng = problem(each=200, seed=3), np.random.default_rng(seed)
    order = rng.permutation(len(whole.ids))
    first, rest = order[:slice_], order[slice_:]
    if bad:
        rest = rest[np.argsort(-whole.y[rest, 0], kind="stable")]
    rows = np.concatenate([first, rest[: count - slice_]])
    random = np.arange(count) < slice_
    mixed = rng.permutation(count)
    rows, random = rows[mixed], random[mixed]
    known = np.ones((count, whole.y.shape[1]), dtype=bool)
    return Decisions(whole.features[rows], whole.y[rows], known, [whole.families[i] for i in rows], random)


def test_the_proof_finds_a_bad_order_and_no_gain_where_there_is_none() -> None:
    same, bad = prove(decided(120, 40)), prove(decided(120, 40, bad=True))
    assert same is not None and bad is not None
    assert same.gain.low < 0 < same.gain.high
    assert bad.worse > 0.8 and bad.gain.value < same.gain.value and bad.saved.value < 0
    assert [p.decisions for p in same.actual] == [20, 40, 60, 80, 100, 120]
    assert [p.measured for p in same.random] == sorted((p.measured for p in same.random), reverse=True)
    assert all(p.f1.low <= p.f1.value <= p.f1.high for p in (*same.actual, *same.random) if p.measured)
    assert same.remaining(0.0) == 0 and same.remaining(min(same.actual[-1].f1.value + 0.02, 0.99)) > 0
    assert same.remaining(0.99999) == float("inf")


def test_no_family_is_measured_by_a_head_that_has_seen_it() -> None:
    """Twins with made-up tags: who has seen the one knows the other, and nobody else can know."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(40, 64)).astype(np.float32), 2, axis=0)
    y = np.repeat((rng.random((40, 3)) < 0.5).astype(np.float32), 2, axis=0)
    families = [f"f{i // 2}" for i in range(80)]
    random = np.tile([True, False], 40)
    found = prove(Decisions(features, y, np.ones(y.shape, bool), families, random))
    guess = 2 * y.mean() / (1 + y.mean())
    assert found is not None and found.actual[-1].f1.value < guess + 0.1


def test_too_small_a_slice_proves_nothing_and_stops_nobody() -> None:
    assert prove(decided(60, 8)) is None
    assert not judge(decided(60, 8, bad=True)).random
    assert judge(decided(120, 40, bad=True)).random
    assert judge(decided(900, 40)).slice < 40  # a sample of both sides


def test_the_command_replays_a_folder_and_says_what_is_wrong_with_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    examples = products(("S", "M", "L"))
    schema().save(tmp_path / "schema.json")
    write_jsonl(tmp_path / "examples.jsonl", examples)
    config = {"choosers": ["default", "margin"], "seeds": 2, "budget": 30, "batch": 10}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert main(["simulate", str(tmp_path), "--detached"]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert {r["strategy"] for r in report["choosers"]} == {"default", "margin", "random"}
    assert len((tmp_path / "curves.csv").read_text().splitlines()) == 1 + 3 * 2 * 3
    (tmp_path / "config.json").write_text(json.dumps({"choosers": ["magic"]}))
    assert main(["simulate", str(tmp_path), "--detached"]) == 1
    assert "no chooser is called 'magic'" in capfd.readouterr().out
    (tmp_path / "config.json").unlink()
    write_jsonl(tmp_path / "examples.jsonl", examples[:5])
    assert main(["simulate", str(tmp_path), "--detached"]) == 1
    assert "too few to replay" in capfd.readouterr().out
