"""When to stop: what the rules say of pools that have nothing left to teach, and of pools that have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.active.crossed import Crossed, Decisions, Interval, growth
from ml.active.proof import Proof, prove
from ml.active.simulate import DefaultPolicy, replay, stopping
from ml.active.stopping import Confident, LittleLeft, Look, Stabilised, agreement, expected_f1, rules
from tests.ml.pools import problem
from tests.ml.test_simulate import decided

OPEN = np.ones((200, 5), dtype=bool)


def scores(seed: int, sure: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    yes = np.random.default_rng(0).random(OPEN.shape) < 0.3
    return np.clip(np.where(yes, sure, 1 - sure) + rng.normal(scale=0.1, size=OPEN.shape), 0.001, 0.999)


def test_expected_f1_is_the_f1_that_calibrated_scores_turn_out_to_have() -> None:
    p = np.random.default_rng(1).beta(0.3, 0.9, size=(400, 50))
    truth = np.random.default_rng(2).random(p.shape) < p
    expected, cut = expected_f1(p, np.ones(p.shape, dtype=bool))
    checked = p >= cut
    assert expected == pytest.approx(2 * (checked & truth).sum() / (checked.sum() + truth.sum()), abs=0.01)
    for other in (cut / 2, cut * 1.5):  # and no other threshold is expected to do better
        some = p >= other
        assert 2 * p[some].sum() / (some.sum() + p.sum()) <= expected + 1e-9
    assert expected_f1(p, np.zeros(p.shape, dtype=bool)) == (0.0, 1.0)


def test_agreement_is_cohens_kappa() -> None:
    from sklearn.metrics import cohen_kappa_score

    a, b = scores(1, 0.6) > 0.5, scores(2, 0.6) > 0.5
    assert agreement(a, b, OPEN) == pytest.approx(cohen_kappa_score(a.ravel(), b.ravel()))
    nothing = np.zeros(OPEN.shape, dtype=bool)
    assert agreement(nothing, nothing, OPEN) == 1.0 and agreement(a, a, ~OPEN) == 1.0


def test_predictions_that_stand_still_stop_and_those_that_move_do_not() -> None:
    still, moving = Stabilised(), Stabilised()
    assert [still(Look(n, scores(0, 0.9), OPEN)) for n in range(5)] == [False, False, False, True, True]
    assert not any(moving(Look(n, scores(n, 0.6), OPEN)) for n in range(8))


def test_a_model_that_expects_no_errors_stops() -> None:
    assert Confident()(Look(10, np.where(scores(0, 0.9) > 0.5, 0.99, 0.004), OPEN))
    assert not Confident()(Look(10, scores(0, 0.8), OPEN))


def test_the_blind_slice_says_what_more_decisions_would_bring() -> None:
    few, many = prove(decided(60, 30)), prove(decided(900, 160))
    assert few is not None and many is not None
    assert few.ahead == 20 and many.ahead == 180
    for proof in (few, many):
        assert 0 <= proof.next.low <= proof.next.value <= proof.next.high
    # per decision, what is to come is worth less and less
    assert many.next.value / many.ahead < few.next.value / few.ahead
    assert not LittleLeft()(Look(60, scores(0, 0.9), OPEN)), "nothing was measured yet"
    assert LittleLeft(little=many.next.high + 0.01)(Look(900, scores(0, 0.9), OPEN, many))
    assert not LittleLeft(little=many.next.high - 0.01)(Look(900, scores(0, 0.9), OPEN, many))


@pytest.mark.long
def test_it_fires_where_nothing_is_left_to_learn_and_not_where_each_product_brings_something_new() -> None:
    """Whole pools: four kinds of products and their tags; a hundred and twenty kinds, of each a handful."""
    fired, level = {}, {}
    for name, whole in (("few kinds", problem(4, each=110, seed=3)), ("many kinds", problem(120, each=2, seed=3))):
        kinds = whole.y.shape[1] - 2  # the two sides of each kind are learned without end: that's not for this test
        only = replace(whole, y=whole.y[:, :kinds], applies=whole.applies[:, :kinds],
                       facets={"kind": list(range(kinds))}, tags=whole.tags[:kinds])  # fmt: skip
        curve = replay(only, DefaultPolicy(), seed=0, batch=50, budget=260, rules={"little_left": LittleLeft()})
        fired[name], level[name] = curve.stops.get("little_left"), curve
    assert fired["few kinds"] is not None and fired["many kinds"] is None
    assert level["few kinds"].f1[-1] - level["few kinds"].at(fired["few kinds"]) < 0.01
    assert level["many kinds"].f1[-1] - level["many kinds"].at(110) > 0.1  # when there first was a slice to go by


def test_what_the_later_half_brought_is_measured_on_families_that_neither_head_has_seen() -> None:
    """Twins with made-up tags, the second decided late: a head that has seen the first would call that progress."""
    rng = np.random.default_rng(0)
    features = np.tile(rng.normal(size=(60, 64)).astype(np.float32), (2, 1))
    y = np.tile((rng.random((60, 3)) < 0.5).astype(np.float32), (2, 1))
    past = Decisions(features, y, np.ones(y.shape, bool), [f"f{i % 60}" for i in range(120)], np.arange(120) < 20)
    apart = Crossed.of(past, np.random.default_rng(0))
    seen = Crossed.of(replace(past, families=[f"p{i}" for i in range(120)]), np.random.default_rng(0))  # the control
    more, trap = (growth(past, c, 24, np.random.default_rng(1), 0.95).value for c in (apart, seen))
    assert trap > 3 * max(more, 1.0), (more, trap)


@pytest.mark.long
def test_a_replay_says_when_each_rule_would_have_stopped_and_what_that_costs() -> None:
    whole = problem(each=60)
    curve = replay(whole, DefaultPolicy(), seed=0, budget=150, rules={**rules(), "at once": lambda look: True})
    assert curve.stops["at once"] == 10
    (row,) = [r for r in stopping({"default": [curve]}) if r["rule"] == "at once"]
    assert row["stopped"] == 1 and row["decisions"] == pytest.approx(10 / 150, abs=1e-3)
    assert row["lost"] == pytest.approx(100 * (curve.f1[-1] - curve.f1[0]), abs=0.01)
    plain = replay(whole, DefaultPolicy(), seed=0, budget=150)
    assert plain.f1 == curve.f1 and not plain.stops


def test_what_is_worth_little_depends_on_the_upper_end() -> None:
    proof = prove(decided(120, 40))
    assert isinstance(proof, Proof)
    near = replace(proof, next=Interval(0.2, 0.1, 0.4))
    unsure = replace(proof, next=Interval(0.2, 0.1, 0.9))
    assert not LittleLeft()(Look(1, OPEN, OPEN, replace(near, slice=20)))  # too few products to say so
    assert LittleLeft()(Look(1, OPEN, OPEN, near)) and not LittleLeft()(Look(1, OPEN, OPEN, unsure))
