"""Searching over plans: equal questions have equal answers, grids are whole, TPE finds what random draws miss."""

import json
import math
from dataclasses import fields

import pytest

from ml import search_space
from ml.search import Search, SearchError, Trial, best, propose, worth_it
from ml.training.plan import Plan

BASE = {"preset": "quick"}
RATES = {"learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}, "epochs": {"low": 2, "high": 40}}


def search(**more):
    return Search.from_json({"space": RATES, **more}, BASE)


def test_a_grid_is_tried_whole_and_once():
    space = {"learning_rate": {"low": 1e-5, "high": 1e-3, "log": True, "points": 3}, "freeze": ["none", "encoder"]}
    found = search(space=space, method="grid", trials=100)
    assert found.trials == 6
    rows = [propose(found, n, []) for n in range(1, 7)]
    assert len({json.dumps(row) for row in rows}) == 6
    assert sorted({row["learning_rate"] for row in rows}) == pytest.approx([1e-5, 1e-4, 1e-3])
    with pytest.raises(SearchError, match="fewer"):
        propose(found, 7, [])


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_equal_questions_have_equal_answers_and_lie_in_the_space(method):
    pytest.importorskip("optuna")
    trials = [Trial(n, {"learning_rate": 10**-n, "epochs": n}, "done", 1 / n) for n in range(2, 6)]
    found = search(method=method, trials=10)
    for number in range(6, 12):
        changes = propose(found, number, trials)
        assert changes == propose(found, number, list(reversed(trials)))
        assert 1e-5 <= changes["learning_rate"] <= 1e-2 and 2 <= changes["epochs"] <= 40
        assert type(changes["epochs"]) is int
    assert propose(found, 6, trials) != propose(found, 7, trials)


def hill(changes):
    """Best at a rate of 3e-4 and 24 epochs."""
    return -abs(math.log10(changes["learning_rate"] / 3e-4)) - abs(changes["epochs"] - 24) / 20


def test_tpe_learns_from_its_trials():
    """The control is random: over several seeds TPE's last ten trials lie higher."""
    pytest.importorskip("optuna")
    means = {}
    for method in ("random", "tpe"):
        late = []
        for seed in range(4):
            found, trials = search(method=method, trials=30, seed=seed), []
            for number in range(1, 31):
                changes = propose(found, number, trials)
                trials.append(Trial(number, changes, "done", hill(changes)))
            late += [trial.score for trial in trials[-10:]]
        means[method] = sum(late) / len(late)
    print(f"mean score of the last ten of thirty: {means}")
    assert means["tpe"] > means["random"] + 0.2


def test_workers_beside_each_other_look_at_different_places():
    pytest.importorskip("optuna")
    found = search(method="tpe", trials=12)
    done = [Trial(n, propose(search(method="random"), n, []), "done", 0.1 * n) for n in range(1, 7)]
    first = propose(found, 7, done)
    second = propose(found, 8, [*done, Trial(7, first)])
    assert first != second


def reports(*scores):
    return tuple((0.25 * (n + 1), score) for n, score in enumerate(scores))


def test_a_trial_below_the_median_is_stopped_and_none_too_early():
    others = [Trial(n, {}, "done", 0.5, reports(0.2, 0.4, 0.5, 0.5)) for n in range(1, 5)]
    found = search()
    assert worth_it(found, Trial(9, {}, reports=reports(0.2, 0.4)), others), "as good as the median"
    assert not worth_it(found, Trial(9, {}, reports=reports(0.2, 0.3)), others)
    assert worth_it(found, Trial(9, {}, reports=((0.1, 0.0),)), others), "too early to say"
    assert worth_it(found, Trial(9, {}, reports=reports(0.2, 0.3)), others[:3]), "too few to compare with"
    assert worth_it(search(prune=False), Trial(9, {}, reports=reports(0.0, 0.0)), others)


def test_one_that_was_stopped_is_compared_only_as_far_as_it_came():
    others = [Trial(n, {}, "pruned", None, reports(0.1, 0.1)) for n in range(1, 5)]
    assert worth_it(search(), Trial(9, {}, reports=reports(0.1, 0.1, 0.0)), others)


def test_the_best_is_the_first_of_equals_and_done():
    trials = [Trial(1, {}, "done", 0.5), Trial(2, {}, "done", 0.5), Trial(3, {}, "pruned", None, reports(0.9))]
    assert best(trials) == trials[0] and best(trials[2:]) is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"space": {}}, "what to vary"),
        ({"space": {"learning_rat": [1]}}, "no field"),
        ({"space": {"device": ["cpu"]}}, "no matter of the result"),
        ({"space": {"epochs": []}}, "no values"),
        ({"space": {"epochs": [0]}}, "epochs: 0"),
        ({"space": {"tuning": ["lora", "magic"]}}, "magic"),
        ({"space": {"learning_rate": {"low": 0.1, "high": 0.01}}}, "low below high"),
        ({"space": {"learning_rate": {"low": 0, "high": 0.01, "log": True}}}, "above 0"),
        ({"space": {"learning_rate": 0.1}}, "list of values"),
        ({"space": RATES, "method": "grid"}, "points"),
        ({"space": RATES, "method": "luck"}, "grid, random, tpe"),
        ({"space": RATES, "trials": 0}, "trials"),
        ({"space": RATES, "fold": 3}, "fold: not a field"),
    ],
)
def test_a_search_that_cannot_be_done_says_why(wrong, words):
    with pytest.raises(SearchError, match=words):
        Search.from_json(wrong, BASE)


def test_what_makes_no_plan_together_is_drawn_again():
    space = {"tuning": ["full", "lora"], "adversarial": [0.0, 0.5]}
    found = Search.from_json({"space": space, "method": "random"}, {"base": "packaged-minilm"})
    rows = [propose(found, n, []) for n in range(1, 30)]
    assert {"tuning": "lora", "adversarial": 0.5} not in rows and len({json.dumps(r) for r in rows}) == 3


def test_every_field_of_a_plan_is_offered_or_says_why_not():
    names = [spec.name for spec in fields(Plan)]
    groups = (search_space.USUAL, search_space.SAID_ALONE, search_space.NEVER)
    assert sorted(name for group in groups for name in group) == sorted(names), "each once"
    plain = Plan()
    for name, space in search_space.USUAL.items():
        default = getattr(plain, name)
        inside = default in space if isinstance(space, list) else space["low"] <= default <= space["high"]
        assert inside, f"{name}: what a plan has anyway is among what is tried"
    for name, why in search_space.NEVER.items():
        with pytest.raises(SearchError, match=why):
            search(space={name: [1, 2]})


WITH = {  # what a field needs beside it to be anything else than its default
    "pictures": {"base": "packaged-minilm"}, "picture_freeze": {"pictures": "/models/vit"},
    "masked_replace": {"pretrain_steps": 10}, "span_layer": {"spans": "weak"}, "span_features": {"spans": "weak"},
    "value_swap": {"spans": "weak"},
    "adversarial": {"freeze": "none"}, "layers": {"base": "catalogue", "pretrain_steps": 10},
}  # fmt: skip


@pytest.mark.parametrize("name", search_space.USUAL)
def test_what_is_usual_makes_plans_and_reads_back_as_it_is_written(name):
    usual = search_space.USUAL[name]
    assert search_space.read(name, search_space.written(usual)) == usual, "as people write it and back"
    base = {**BASE, **WITH.get(name, {})}
    made = Search.from_json({"space": {name: "usual"}, "method": "grid"}, base)
    tried = [propose(made, n, [])[name] for n in range(1, made.trials + 1)]
    if isinstance(usual, list):
        assert tried == usual, "all of them can be followed"
    else:
        assert len(tried) == 4 and tried[0] >= usual["low"] and tried[-1] <= usual["high"]
    assert all(type(value) is type(getattr(Plan(), name)) for value in tried)
    assert propose(Search.from_json({"space": {name: "usual"}, "method": "random"}, base), 1, [])[name] is not None


def test_nothing_is_usual_for_some_fields_but_their_values_can_be_said():
    with pytest.raises(SearchError, match="say its values"):
        search(space={"patience": "usual"})
    assert propose(search(space={"patience": [0, 3]}, method="grid"), 2, []) == {"patience": 3}


def test_a_grid_leaves_out_what_makes_no_plan():
    space = {"tuning": ["full", "lora"], "adversarial": [0, 0.5]}
    found = search(space=space, method="grid")  # the quick preset freezes the embeddings: nothing to move
    rows = [propose(found, n, []) for n in range(1, found.trials + 1)]
    assert rows == [{"tuning": "full", "adversarial": 0.0}, {"tuning": "lora", "adversarial": 0.0}]
    with pytest.raises(SearchError, match="no combination"):
        search(space={"tuning": ["lora"], "prune_heads": [0.3]}, method="grid")


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_all_that_is_offered_may_be_varied_at_once(method):
    pytest.importorskip("optuna")
    space = dict.fromkeys(search_space.USUAL, "usual")
    plain = {"base": "catalogue", "pretrain_steps": 10}
    for name in (
        "tuning",
        "keep_blocks",
        "pictures",
        "picture_freeze",
        "span_layer",
        "value_swap",
        "freeze",
        "contrastive_steps",
    ):
        del space[name]  # these go with few others, so that nearly nothing drawn of all is a plan
    found, trials = search_of(space, plain, method), []
    for number in range(1, 8):
        changes = propose(found, number, trials)
        found.plan(changes)
        trials.append(Trial(number, changes, "done", number / 10))


def search_of(space, base, method):
    return Search.from_json({"space": space, "method": method, "trials": 8}, base)
