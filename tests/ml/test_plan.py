import dataclasses
import json

import pytest

from ml.training.plan import PRESETS, Plan, PlanError, preset
from ml.training.plan_fields import SECTION_OF


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
        ({"base": "none"}, ["base:", "pictures to 'small'"]),
        ({"base": "none", "pictures": "small", "freeze": "encoder"}, ["freeze:", "about text"]),
        ({"base": "none", "pictures": "small", "pretrain_steps": 10}, ["pretrain_steps:", "about text"]),
        ({"base": "lstm", "tuning": "lora"}, ["base:", "no linear layers"]),
        ({"pictures": "small", "members": 3}, ["members:", "text alone"]),
        ({"pictures": " "}, ["pictures:", "small"]),
        ({"pictures": "small", "picture_freeze": "encoder"}, ["picture_freeze:", "random weights"]),
        ({"fusion": "gated"}, ["fusion:", "attention"]),
        ({"modality_dropout": 1.0}, ["modality_dropout:", "0.9"]),
        ({"preset": "fast"}, ["preset:", "quick"]),
        ({"preset": ["quick"]}, ["preset:", "quick"]),
        ([], ["JSON object"]),
    ],
)
def test_refusals_name_the_field_and_the_way_out(data, words):
    with pytest.raises(PlanError) as refusal:
        Plan.from_json(data)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)
    named = [name for name in refusal.value.names if name in SECTION_OF]
    assert named == [word[:-1] for word in words if word.endswith(":") and word[:-1] in SECTION_OF], "beside the field"


def test_frozen_and_explained():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Plan().epochs = 3
    assert all(len(spec.metadata["about"]) > 10 for spec in dataclasses.fields(Plan))


def test_a_file_that_is_no_plan(tmp_path):
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(PlanError, match=r"plan\.json"):
        Plan.load(tmp_path / "plan.json")


def test_every_field_lies_in_one_section():
    assert [spec.name for spec in dataclasses.fields(Plan)] == list(SECTION_OF)
    assert not any("{" in spec.metadata["about"] for spec in dataclasses.fields(Plan)), "a name left unfilled"


def test_a_refusal_names_all_fields_it_is_about():
    with pytest.raises(PlanError) as refusal:
        Plan.from_json({"prune_heads": 0.5, "tuning": "lora"})
    assert refusal.value.names == ("prune_heads", "prune_neurons")
    assert PlanError("a plan is a JSON object of fields, not list").names == ()
