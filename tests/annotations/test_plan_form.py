"""A plan as a form: every field can be set, what differs is seen, what does not go together is told at its field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation

from annotations import bridge
from annotations.forms.plan import BASES, SPEEDS, PlanForm, implied, plan_fields
from annotations.forms.plan_words import FIELDS, SECTIONS
from annotations.models import ModelVersion, PlanPreset, TrainingRun
from annotations.views.plans import checked
from ml.training.plan import PRESETS, Plan
from tests.annotations.conftest import World
from tests.annotations.test_views_training import as_, url

START = {"base": "packaged-minilm", "preset": "quick"}


def full(plan: dict[str, Any]) -> dict[str, Any]:
    return Plan.from_json(plan).to_json()


def said(form: PlanForm) -> dict[str, list[str]]:
    return {name: [str(m) for m in messages] for name, messages in form.errors.items()}


def test_every_field_of_a_plan_has_words_and_a_section() -> None:
    assert {spec.name for spec in plan_fields()} == set(FIELDS), "a field without words, or words without a field"
    assert [part.word for part in PlanForm().sections()] == list(SECTIONS)
    assert sum(len(part.fields) for part in PlanForm().sections()) == len(FIELDS)
    with translation.override("zh-hans"):
        form = PlanForm()
        assert not [n for n in FIELDS if str(form.fields[n].help_text).isascii()], "told in Chinese"


@pytest.mark.parametrize("base", [word for word, _name in BASES])
@pytest.mark.parametrize("preset", [word for word, _name in SPEEDS])
def test_base_and_preset_alone_are_a_plan(base: str, preset: str) -> None:
    form = PlanForm({"base": base, "preset": preset, "path": "/m/bert"})
    assert form.is_valid(), said(form)
    assert full(form.plan()) == {**form.unsaid, "base": "/m/bert" if base == "path" else base}


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"epochs": 12},
        {"preset": "thorough", "pictures": "small", "fusion": "attention", "modality_dropout": 0.25},
        {"preset": "quick", "base": "catalogue", "pretrain_steps": 50, "generation": "tags and texts", "beams": 2},
        {"base": "none", "pictures": "small", "picture_augment": "none"},
        {"base": "lstm", "contrastive_steps": 100, "contrastive": "pairs", "members": 3, "combine": "scores"},
        {"preset": "pretrain-first", "base": "/m/bert", "tuning": "lora", "rank": 4},
        {"teacher": "/models/full/3", "keep_blocks": 1, "prune_heads": 0.5, "learning_rate": 1},
        {**full({"preset": "thorough"}), "loss": "asymmetric", "focus": 4, "replay_share": 0.5},
    ],
)
def test_from_a_file_and_back_is_the_same_plan(plan: dict[str, Any]) -> None:
    form = PlanForm.of(json.loads(json.dumps(plan)))
    assert form.is_valid(), said(form)
    assert full(form.plan()) == full(plan)
    again = PlanForm.of(form.plan())
    assert again.is_valid() and full(again.plan()) == full(plan)


def test_presets_of_the_form_are_those_of_the_library() -> None:
    assert [word for word, _name in SPEEDS] == list(PRESETS)
    assert all(set(implied(base, preset)) <= set(FIELDS) for base, _ in BASES for preset, _ in SPEEDS)


def test_problems_of_a_file_are_named_by_field() -> None:
    form = PlanForm.of(
        {"epoch": 3, "preset": "magic", "epochs": "many", "dropout": 7, "loss": "hinge", "beams": True, "members": None}
    )
    found = said(form)
    assert set(found) == {"__all__", "preset", "epochs", "dropout", "loss", "beams", "members"}
    assert "“epoch”" in found["__all__"][0]


def test_what_differs_is_seen_on_the_closed_section() -> None:
    parts = {
        p.word: p for p in PlanForm({**START, "pictures": "small", "picture_size": "64", "epochs": "3"}).sections()
    }
    assert parts["pictures"].changed == [("What reads pictures", "small network")], "64 is what it is anyway"
    assert parts["steps"].changed == [("Epochs", "3")]
    assert not parts["loss"].changed


WRONG = [
    ({"pictures": "small", "members": "3"}, "members"),
    ({"tuning": "lora", "adversarial": "1"}, "adversarial"),
    ({"masked_replace": "0.1"}, "masked_replace"),
    ({"prune_heads": "0.5", "tuning": "ia3", "freeze": "none"}, "prune_heads"),
    ({"base": "none", "pictures": "none"}, "base"),
    ({"spans": "weak", "teacher": "/m/x"}, "spans"),
    ({"freeze": "the top"}, "freeze"),
]


@pytest.mark.parametrize(("sent", "name"), WRONG)
def test_a_combination_that_does_not_go_is_told_at_its_field(world: World, sent: dict[str, str], name: str) -> None:
    world.decide(world.products[0], black="accept")
    page = as_(world)
    for where in ("training_plan", "training_start"):
        answer = page.post(url(where), {**START, **sent})
        assert answer.status_code == 422
        form = answer.context["form"]
        assert name in form.errors and "__all__" not in form.errors
        assert not form.errors[name][0].startswith(name), "the label says already which field"
    assert not TrainingRun.objects.exists()
    section = next((p for p in form.sections() if name in {f.name for f in p.fields}), None)
    assert name == "base" or (section is not None and section.wrong)


@pytest.mark.parametrize(("sent", "name"), [*WRONG, ({"width": "100"}, "width"), ({"generation_base": "packaged-minilm"}, "generation_base"), ({"base": "catalogue", "pretrain_steps": "0"}, "pretrain_steps")])  # fmt: skip
def test_it_is_told_in_the_readers_language(sent: dict[str, str], name: str) -> None:
    form = PlanForm({**START, **sent})
    with translation.override("zh-hans"):
        assert checked(form) is None
        assert not form.errors[name][0].isascii(), form.errors[name]


def test_a_plan_is_shown_and_sent_as_a_file_and_nothing_starts(world: World) -> None:
    page = as_(world)
    sent = {**START, "loss": "asymmetric", "members": "3", "epochs": ""}
    shown = page.post(url("training_plan"), sent)
    assert json.loads(shown.context["plan_text"]) == {**START, "loss": "asymmetric", "members": 3}
    file = page.post(url("training_plan"), {**sent, "how": "download"})
    assert file["Content-Disposition"] == 'attachment; filename="plan-shop.json"'
    assert file.json() == {**START, "loss": "asymmetric", "members": 3}
    preset = PlanPreset.objects.create(catalogue=world.catalogue, name="ours", plan={"preset": "thorough", "beams": 2})
    shown = page.post(url("training_plan"), {**START, "kept": preset.pk})
    assert full(json.loads(shown.context["plan_text"])) == full(preset.plan)
    assert not TrainingRun.objects.exists()


def test_a_file_fills_in_the_form(world: World) -> None:
    page = as_(world)
    answer = page.post(url("training_plan_read"), {"plan": '{"preset": "thorough", "tuning": "lora"}'})
    assert answer.status_code == 200 and answer.context["plan_read"]
    html = answer.content.decode()
    assert '<option value="lora" selected>' in html and 'value="thorough" checked' in html
    upload = SimpleUploadedFile("plan.json", '\ufeff{"epochs": 0}'.encode())
    answer = page.post(url("training_plan_read"), {"plan": "", "file": upload})
    assert answer.status_code == 422 and "epochs" in answer.context["form"].errors


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '{"epochs": 1' + "0" * 5000 + "}", "[" * 100_000])
def test_what_is_no_plan_file_is_told(world: World, text: str) -> None:
    answer = as_(world).post(url("training_plan_read"), {"plan": text})
    assert answer.status_code == 422 and answer.context["plan_refused"]
    assert "Traceback" not in answer.content.decode()


def test_models_of_the_catalogue_are_offered_to_go_on_from_and_to_learn_from(
    world: World, settings: Any, tmp_path: Path
) -> None:
    settings.MODELS_ROOT = tmp_path
    assert "known-teacher" not in as_(world).get(url("training")).content.decode()
    for n in (1, 2):
        ModelVersion.objects.create(catalogue=world.catalogue, number=n, tier="full", path=f"full/{n}")
    (tmp_path / "full" / "2").mkdir(parents=True)
    html = as_(world).get(url("training")).content.decode()
    assert f'<option value="{tmp_path}/full/2">full-2</option>' in html
    assert f'<option value="{tmp_path}/full/2/torch">full-2</option>' in html
    assert "full/1" not in html, "its files are not here"


def test_only_admins_see_the_form(world: World) -> None:
    assert "data-plan" in as_(world).get(reverse("training", args=["shop"])).content.decode()
    assert "data-plan" not in as_(world, "lead").get(reverse("training", args=["shop"])).content.decode()


def test_what_the_api_is_refused_names_the_fields() -> None:
    with pytest.raises(bridge.plans.Refused) as refusal:
        bridge.checked_plan({"prune_heads": 0.5, "tuning": "lora"})
    assert refusal.value.details == {"fields": ["prune_heads", "prune_neurons"]}
