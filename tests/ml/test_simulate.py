"""Oracle replay: the same for all, measured on what nobody was asked about; the guard and the proof that come of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.active.crossed import Crossed, Decisions, known_already
from ml.active.guard import ALARMS, DOUBT, Verdict, judge, verdict_of
from ml.active.proof import prove
from ml.active.selectors import RECIPES, Recipe
from ml.active.simulate import Curve, DefaultPolicy, State, replay, summary
from ml.active.uncertainty import margin
from ml.active.view import PoolView, per_product
from ml.commands import main
from ml.evaluation.paired import Interval
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


def test_the_policy_beats_random_and_is_not_stopped() -> None:
    gains, stopped = [], []
    for seed in range(4):
        base, policy = replay(problem(each=60), by("random"), seed=seed, budget=110), DefaultPolicy()
        gains.append(replay(problem(each=60), policy, seed=seed, budget=110).area() - base.area())
        stopped.append(policy.fell_back)
        assert policy.verdict.looks == 2 and policy.proof is not None  # after 70 and 90 decisions
    assert np.mean(gains) > 0
    assert sum(fell is not None for fell in stopped) <= 1, stopped


def test_once_the_guard_says_so_the_policy_asks_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[bool, list[str]] = {}
    for falls in (False, True):
        verdict = Verdict(random=falls, looks=1)
        monkeypatch.setattr("ml.active.simulate.judge", lambda past, before, seed=0, verdict=verdict: (verdict, None))
        policy = DefaultPolicy(order=Recipe(Surest()))

        def watch(state: State, b: int, policy: DefaultPolicy = policy, falls: bool = falls) -> list[str]:
            asked[falls] = policy(state, b)
            return asked[falls]

        replay(problem(each=60), watch, seed=0, budget=50)
        assert policy.fell_back == (30 if falls else None)
    assert len(set(asked[False]) & set(asked[True])) < 10


def decided(count: int, slice_: int, *, bad: bool = False, seed: int = 0, kinds: int = 8) -> Decisions:
    """Of ``count`` decisions ``slice_`` at random; the others from one cluster alone where the order was bad."""
    whole, rng = problem(kinds, each=200 if kinds == 8 else 80, seed=3), np.random.default_rng(seed)
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
    now = same.actual[-1].f1.value
    rising = replace(same, next=Interval(2.0, 1.0, 3.0), ahead=same.decisions)  # points, by the last doubling
    assert rising.remaining(0.0) == 0 and rising.remaining(now + 0.02) == pytest.approx(same.decisions)
    assert rising.remaining(now + 0.04) == pytest.approx(3 * same.decisions)
    assert rising.remaining(now + 0.061) == float("inf")  # beyond three doublings
    still = replace(same, next=Interval(0.0, 0.0, 0.4))
    assert still.remaining(now + 0.01) == float("inf")


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
    assert judge(decided(60, 8, bad=True), Verdict()) == (Verdict(), None)
    caught, found = judge(decided(200, 60, bad=True, kinds=50), Verdict())
    assert caught.random and caught.looks == 1 and found is not None
    assert judge(decided(900, 40), Verdict())[0].slice < 40  # a sample of both sides


def test_each_look_spends_less_and_a_fall_back_ends_when_the_loss_is_gone() -> None:
    proof = prove(decided(120, 40))
    assert proof is not None

    def looked(chance: float, before: Verdict, known: float = 1.0) -> Verdict:
        return verdict_of(replace(proof, worse=1 - chance, known=known), before)

    spent = [ALARMS / (2 * k * (k + 1)) for k in range(1, 200)]
    assert 2 * sum(spent) < ALARMS
    first = looked(0.9 * spent[0], Verdict())
    assert first.random and first.looks == 1
    assert not looked(0.9 * spent[0], Verdict(looks=1)).random  # the control: the same finding at a later look
    assert looked(0.9 * spent[1], Verdict(looks=1)).random
    assert looked(0.3, first).random and not looked(0.6, first).random
    # what was known already counts against the order, unless the curve speaks for it
    assert looked(DOUBT - 0.01, Verdict(), known=0.9 * spent[0]).random
    assert not looked(DOUBT - 0.01, Verdict(), known=1.1 * spent[0]).random
    assert not looked(DOUBT + 0.01, Verdict(), known=0.9 * spent[0]).random
    assert Verdict.from_json({"random": True, "gone": 1}) == Verdict(random=True)


def asked(seed: int, *, easy: bool) -> tuple[Decisions, Crossed]:
    """A hundred decisions, 14 of them random; the others at random too, or those that a head knows best already."""
    whole, rng = problem(30, each=60, seed=3), np.random.default_rng(seed)
    order = rng.permutation(len(whole.ids))
    first, rest = order[:14], order[14:]
    if easy:
        rest = rest[np.argsort(-whole.y[rest, 0] - whole.y[rest, 1], kind="stable")]
    rows = np.concatenate([first, rest[:86]])
    known = np.ones((100, whole.y.shape[1]), dtype=bool)
    past = Decisions(whole.features[rows], whole.y[rows], known, [whole.families[i] for i in rows], np.arange(100) < 14)
    return past, Crossed.of(past, rng)


def test_fourteen_blind_products_tell_that_what_is_asked_was_known() -> None:
    def level(seed: int, easy: bool) -> float:
        past, crossed = asked(seed, easy=easy)
        return known_already(past, crossed.whole, np.random.default_rng(seed))

    assert sum(level(seed, True) < 0.025 for seed in range(8)) >= 6
    assert sum(level(seed, False) < 0.1 for seed in range(20)) <= 5  # exact: two expected


def test_products_answered_in_part_are_not_taken_for_known() -> None:
    """A grid answers one facet, an easy one, of what is not blind."""
    past, crossed = asked(1, easy=False)
    easy = np.arange(past.known.shape[1]) < 4
    part = replace(past, known=past.known & (past.random[:, None] | easy))
    assert known_already(part, crossed.whole, np.random.default_rng(0)) == 1.0
    some = past.known & (past.random[:, None] | (np.arange(100) < 60)[:, None] | easy)
    level = known_already(replace(past, known=some), crossed.whole, np.random.default_rng(0))
    assert 0.05 < level < 1.0, level


@pytest.mark.long
def test_a_random_order_is_hardly_ever_called_worse_and_one_that_asks_one_thing_mostly_is() -> None:
    """With many tags, as in a catalogue: the random curve has far to rise when the slice is small."""
    false = 0
    for seed in range(12):
        verdict = Verdict()
        for count in (70, 100):
            verdict = judge(decided(count, count // 5, seed=seed, kinds=50), verdict, seed=seed)[0]
            false += verdict.random
    found = [judge(decided(200, 60, bad=True, seed=s, kinds=50), Verdict(), seed=s)[0].random for s in range(5)]
    assert false <= 2 and sum(found) >= 3, (false, found)


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
    assert {row["rule"] for row in report["stopping"]} <= {"little_left", "stabilised", "confident"}
    assert len((tmp_path / "curves.csv").read_text().splitlines()) == 1 + 3 * 2 * 3
    (tmp_path / "config.json").write_text(json.dumps({"choosers": ["magic"]}))
    assert main(["simulate", str(tmp_path), "--detached"]) == 1
    assert "no chooser is called 'magic'" in capfd.readouterr().out
    (tmp_path / "config.json").unlink()
    write_jsonl(tmp_path / "examples.jsonl", examples[:5])
    assert main(["simulate", str(tmp_path), "--detached"]) == 1
    assert "too few to replay" in capfd.readouterr().out
