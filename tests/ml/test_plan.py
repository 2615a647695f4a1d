import dataclasses
import json

import pytest

from ml.training.plan import PRESETS, Plan, PlanError, preset


def test_round_trip_through_json():
    plan = Plan.from_json({"preset": "thorough", "epochs": 7, "learning_rate": 1})
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert (plan.epochs, plan.learning_rate, plan.max_length) == (7, 1.0, PRESETS["thorough"]["max_length"])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_plans(name):
    plan = preset(name)
    assert all(getattr(plan, field) == value for field, value in PRESETS[name].items())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"epoch": 3}, ["epoch:", "did you mean 'epochs'"]),
        ({"zzz": 3}, ["zzz:", "fields are base"]),
        ({"epochs": "3"}, ["epochs:", "whole number"]),
        ({"epochs": True}, ["epochs:", "whole number"]),
        ({"epochs": 2.5}, ["epochs:", "whole number"]),
        ({"epochs": 0}, ["epochs:", "between 1 and"]),
        ({"dropout": float("nan")}, ["dropout:", "between"]),
        ({"schedule": "square"}, ["schedule:", "linear, cosine, constant"]),
        ({"freeze": "top"}, ["freeze:", "all but last N"]),
        ({"base": " "}, ["base:", "packaged-minilm"]),
        ({"base": "catalogue"}, ["pretrain_steps:", "pretrain-first"]),
        ({"width": 100}, ["width:", "64"]),
        ({"preset": "fast"}, ["preset:", "quick"]),
        ({"preset": ["quick"]}, ["preset:", "quick"]),
        ([], ["JSON object"]),
    ],
)
def test_refusals_name_the_field_and_the_way_out(data, words):
    with pytest.raises(PlanError) as refusal:
        Plan.from_json(data)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_frozen_and_explained():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Plan().epochs = 3
    assert all(len(spec.metadata["about"]) > 10 for spec in dataclasses.fields(Plan))


def test_a_file_that_is_no_plan(tmp_path):
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(PlanError, match=r"plan\.json"):
        Plan.load(tmp_path / "plan.json")
