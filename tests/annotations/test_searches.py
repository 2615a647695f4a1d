"""Searches over plans: each trial is a job, proposed from the others, stopped when not worth it, kept under a name.

The child here is a script that speaks the protocol of ``python -m ml trial``: its score is a function of its plan.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

from annotations.actions import jobs, searches, training
from annotations.actions.errors import Conflict, Refused
from annotations.forms.search import SearchForm, read_values
from annotations.models import AuditEvent, Event, Job, PlanPreset, PlanSearch, TrainingRun
from annotations.queries.jobs import next_jobs
from annotations.queries.searches import Plot, plot, search_row
from annotations.tasks import run as tasks
from annotations.tasks import searches as task
from annotations.tasks.watched import Watched
from ml.search_space import USUAL

from .api.conftest import program
from .conftest import World, build_world

pytestmark = pytest.mark.django_db(transaction=True)

CHILD = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[1]); config = json.loads((folder / "config.json").read_text())
say = lambda **event: print(json.dumps(event), flush=True)
assert (folder / "examples.jsonl").read_text() == "one snapshot"
plan, folds = config["plan"], config["folds"]
good = 1 - abs(plan["epochs"] - 6) / 10
for fold in range(folds):
    for epoch in (1, 2):
        say(event="progress", stage="tags", step=epoch, total=2, epoch=epoch, epochs=2, loss=1.0, fold=fold, folds=folds,
            val={"primary": good}, at=fold + epoch / 2, score=good * epoch / 2)
        time.sleep(0.05)
say(event="done", score=good, folds=[good] * folds)
"""
RULES = {"space": {"epochs": [2, 4, 6, 8]}, "method": "grid", "folds": 2}


@pytest.fixture
def world(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    settings.JOBS_ROOT = tmp_path / "jobs"
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    monkeypatch.setattr(
        task,
        "start_child",
        lambda claim, word, folder: Watched([sys.executable, str(script), str(folder)], folder=folder),
    )
    monkeypatch.setattr(task.training, "write_directory", snapshot)
    return build_world()


def snapshot(catalogue: Any, folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    for name, text in (("config.json", "{}"), ("schema.json", "{}"), ("examples.jsonl", "one snapshot")):
        (folder / name).write_text(text)
    return {"data_hash": "d" * 64, "decided_seq": 7, "decision_count": 3, "product_count": 4}


def start(world: World, **more: Any) -> PlanSearch:
    rules = {**RULES, **more}
    return searches.start_search(catalogue=world.catalogue, user=world.people["admin"], plan={}, rules=rules)


def work_all() -> None:
    while any(tasks.work(job) for job in next_jobs(["ml"], slots=["here"])):
        pass


@pytest.mark.long
def test_a_grid_is_searched_and_its_best_plan_becomes_a_preset(world: World) -> None:
    search = start(world, prune=False)
    work_all()
    row = search_row(search)
    assert [(r.state, r.trial.changes) for r in row.trials] == [("done", {"epochs": n}) for n in (2, 4, 6, 8)]
    assert row.best is not None and (row.best.trial.number, row.best.score) == (3, 1.0) and not row.live
    assert row.trials[0].trial.reports == [[0.5, 0.3], [1.0, 0.6], [1.5, 0.3], [2.0, 0.6]]
    search.refresh_from_db()
    assert (search.data_hash, search.product_count) == ("d" * 64, 4)
    preset = searches.keep_trial(trial=row.best.trial, user=None, name=" six epochs ")
    assert preset.name == "six epochs" and preset.plan["epochs"] == 6 and preset.plan["base"] == "packaged-minilm"
    with pytest.raises(Conflict):
        searches.keep_trial(trial=row.best.trial, user=None, name="six epochs")
    assert training.request_training(catalogue=world.catalogue, user=None, plan=preset.plan).plan["epochs"] == 6


@pytest.mark.long
def test_trials_that_are_clearly_worse_are_stopped(world: World) -> None:
    search = start(world, space={"epochs": [6, 5, 7, 6, 1, 6]})
    work_all()
    row = search_row(search)
    assert [r.state for r in row.trials] == ["done", "done", "done", "done", "pruned", "done"]
    assert row.trials[4].score == pytest.approx(0.25), "what it had come to"
    drawn = plot(row)
    assert drawn is not None and len(drawn.dots) == 6
    for dot in drawn.dots:
        assert Plot.LEFT <= dot.x <= Plot.RIGHT and Plot.TOP <= dot.y <= Plot.BOTTOM


@pytest.mark.long
def test_tpe_proposes_from_the_trials_there_are(world: World) -> None:
    pytest.importorskip("optuna")
    search = start(world, method="tpe", trials=14, prune=False, folds=1, space={"epochs": {"low": 1, "high": 16}})
    work_all()
    tried = [r.trial.changes["epochs"] for r in search_row(search).trials]
    assert len(tried) == 14 and all(1 <= n <= 16 for n in tried)
    assert min(abs(n - 6) for n in tried[7:]) <= 1


def test_trials_come_after_everything_else_and_one_to_a_slot(world: World) -> None:
    start(world)
    run = training.request_training(catalogue=world.catalogue, user=None, plan={})
    later = jobs.enqueue(kind="score", queue="ml", catalogue=world.catalogue)
    assert next_jobs(["ml"], slots=["box/gpu0"])[:2] == [str(run.job_id), str(later.pk)]
    assert jobs.claim(job_id=run.job_id, owner="a", slots=["box/gpu0"]) is not None
    assert next_jobs(["ml"], slots=["box/gpu0"]) == [str(later.pk)], "what must wait hides nothing"
    first, second = next_jobs(["ml"], slots=["box/gpu0", "box/gpu1"])[1:3]
    assert jobs.claim(job_id=first, owner="a", slots=["box/gpu0", "box/gpu1"]) is not None
    assert jobs.claim(job_id=second, owner="a", slots=["box/gpu0", "box/gpu1"]) is None


def test_it_is_stopped_paused_and_resumed_as_a_whole(world: World) -> None:
    search, admin = start(world), world.people["admin"]
    searches.pause_search(search=search, user=admin)
    assert search_row(search).paused and next_jobs(["ml"], slots=["here"]) == []
    searches.resume_search(search=search, user=admin)
    assert not search_row(search).paused
    tasks.work(next_jobs(["ml"], slots=["here"])[0])
    searches.cancel_search(search=search, user=admin)
    assert [r.state for r in search_row(search).trials] == ["done", "cancelled", "cancelled", "cancelled"]
    words = list(AuditEvent.objects.order_by("id").values_list("word", flat=True))
    assert words == [Event.SEARCH_STARTED, Event.SEARCH_STOPPED]


def test_killed_in_a_trial_it_goes_on_with_the_same_plan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    search = start(world)
    real = task.follow
    monkeypatch.setattr(task, "follow", kill)
    with pytest.raises(Killed):
        tasks.work(next_jobs(["ml"], slots=["here"])[0])
    monkeypatch.setattr(task, "follow", real)
    monkeypatch.setattr(task, "proposed", None)  # what is proposed is not proposed again
    Job.objects.filter(state="running").update(lease_until="2020-01-01T00:00Z")
    first = search_row(search).trials[0].trial
    assert tasks.work(str(first.job_id))
    assert search_row(search).trials[0].state == "done"


def test_another_machine_with_other_decisions_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(world)
    PlanSearch.objects.update(data_hash="e" * 64)
    tasks.work(next_jobs(["ml"], slots=["here"])[0])
    job = search_row(search).trials[0].trial.job
    assert job.state == Job.State.FAILED and "folder jobs" in job.error


@pytest.mark.parametrize("wrong", [{"space": {}}, {"space": {"epoch": [1]}}, {"method": "luck"}, {"trials": 0}])
def test_a_search_that_cannot_be_done_is_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        start(world, **wrong)
    assert not PlanSearch.objects.exists() and not Job.objects.exists()


def test_values_as_people_write_them() -> None:
    assert read_values("learning_rate", "1e-5..1e-3") == {"low": 1e-5, "high": 1e-3, "log": True, "points": 4}
    assert read_values("epochs", "4 – 20 / 3") == {"low": 4.0, "high": 20.0, "points": 3}
    assert read_values("batch_size", "8, 16，32") == [8, 16, 32]
    assert read_values("freeze", "none, all but last 2") == ["none", "all but last 2"]
    assert read_values("dropout", "0, 0.25") == [0, 0.25]
    with pytest.raises(Refused, match="neither a range"):
        read_values("epochs", "1e..2")


def test_the_form_offers_what_the_library_knows_as_usual() -> None:
    form = SearchForm()
    offered = [one for part in form.parts for one in part.fields]
    assert sorted(one.name for one in offered) == sorted(USUAL), "each once"
    assert all(read_values(one.name, str(one.values.value())) == USUAL[one.name] for one in offered)
    assert [one.name for one in offered if one.tick.value()] == ["epochs", "learning_rate"]
    assert [part.word for part in form.parts if part.open] == ["steps"], "the rest is there when one looks for it"
    with translation.override("zh-hans"):
        told = [one for part in SearchForm().parts for one in part.fields]
        assert not [one.name for one in told if str(one.about).isascii()], "told in Chinese"


def test_what_is_varied_may_be_a_kept_plan_and_refusals_stand_at_their_field(world: World) -> None:
    world.decide(world.products[0], black="accept")
    plan = {"base": "packaged-minilm", "spans": "weak"}
    kept = searches.keep_plan(catalogue=world.catalogue, user=None, name="with spans", plan=plan)
    sent = {
        "base": "packaged-minilm", "preset": "quick", "method": "grid", "trials": "9", "folds": "1", "seed": "1",
        "vary-span_layer": "on", "space-span_layer": "softmax, crf",
    }  # fmt: skip
    page, there = as_(world), reverse("plan_search_start", args=["shop"])
    refused = page.post(there, sent, headers={"accept-language": "zh-hans"})
    assert refused.status_code == 422
    form = refused.context["form"]
    assert set(form.errors) == {"space-span_layer"} and not str(form.errors["space-span_layer"][0]).isascii()
    assert page.post(there, {**sent, "kept": str(kept.pk)}).status_code == 302
    search = PlanSearch.objects.get()
    assert (search.plan["spans"], search.trials.count()) == ("weak", 2)
    assert page.post(there, {**sent, "kept": "999"}).status_code == 422
    path = {**sent, "base": "path", "vary-span_layer": "", "vary-epochs": "on", "space-epochs": "2, 4"}
    assert set(page.post(there, path).context["form"].errors) == {"path"}
    assert page.post(there, {**path, "path": "/models/bert"}).status_code == 302
    assert PlanSearch.objects.get(number=2).plan["base"] == "/models/bert"


def test_what_is_usual_is_written_down_when_a_search_begins(world: World) -> None:
    search = start(world, space={"dropout": "usual", "epochs": [2]})
    search.refresh_from_db()
    assert search.rules["space"] == {"dropout": USUAL["dropout"], "epochs": [2]} and search.trials.count() == 4
    with pytest.raises(Refused, match="say its values") as refused:
        start(world, space={"patience": "usual"})
    assert refused.value.details["field"] == "patience"


def told(*args: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("search_plans", "shop", *args, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.long
def test_the_command(world: World, tmp_path: Path) -> None:
    fields = {f["name"]: f for f in told("--fields")["fields"]}
    assert fields["dropout"]["usual"] == USUAL["dropout"] and fields["beams"]["never"] and fields["patience"]["why"]
    plan = tmp_path / "plan.json"
    plan.write_text('{"preset": "thorough"}')
    found = told("--vary", "epochs=4, 6", "--vary", "schedule", "--method", "grid", "--plan", str(plan), "--wait")
    assert len(found["trials"]) == 6 and found["best"]["changes"] == {"epochs": 6, "schedule": "linear"}
    assert PlanSearch.objects.get().plan["max_length"] == 256, "the preset's"
    assert len(told("--trials", "3")["trials"]) == 3, "the page's ticks, nothing waited for"
    for wrong in (["--vary", "epochs="], ["--vary", "epochs=1e..2"], ["--vary", "beams"], ["--vary", "patience"]):
        with pytest.raises(CommandError):
            told(*wrong)


def as_(world: World, name: str = "admin") -> Client:
    client = Client()
    client.force_login(world.people[name])
    return client


@pytest.mark.long
def test_the_pages(world: World) -> None:
    world.decide(world.products[0], black="accept")
    page = as_(world)
    html = page.get(reverse("plan_searches", args=["shop"])).content.decode()
    sent = {
        "base": "packaged-minilm", "preset": "quick", "method": "grid", "trials": "9", "folds": "1", "seed": "1",
        "vary-epochs": "on", "space-epochs": "4, 6",
    }  # fmt: skip
    assert all(f'name="{name}"' in html for name in sent)
    assert page.post(reverse("plan_search_start", args=["shop"]), {**sent, "space-epochs": "0"}).status_code == 422
    answer = page.post(reverse("plan_search_start", args=["shop"]), sent)
    assert answer["Location"] == reverse("plan_search", args=["shop", 1])
    assert "hx-get" in page.get(answer["Location"]).content.decode()
    work_all()
    html = page.get(answer["Location"]).content.decode()
    assert "<svg" in html and "hx-get" not in html and " style=" not in html
    page.post(reverse("plan_search_keep", args=["shop", 1, 2]), {"name": "the better"})
    assert PlanPreset.objects.get().plan["epochs"] == 6
    html = page.get(reverse("training", args=["shop"])).content.decode()
    assert "the better" in html
    page.post(reverse("training_start", args=["shop"]), {"kept": str(PlanPreset.objects.get().pk)})
    assert TrainingRun.objects.get().plan["epochs"] == 6
    viewer = as_(world, "viewer").get(answer["Location"]).content.decode()
    assert '<form method="post" action="/c/' not in viewer


@pytest.mark.long
def test_the_api(world: World) -> None:
    admin = program(world.people["admin"])
    asked = {"plan": {"preset": "quick"}, "rules": {"space": {"epochs": [2, 6]}, "method": "grid"}}
    answer = admin.post("plan-searches/", asked)
    assert answer.status_code == 202 and len(answer.json()["trials"]) == 2, answer.content
    assert admin.post("plan-searches/1/pause/").json()["trials"][0]["state"] == "paused"
    assert admin.post("plan-searches/1/resume/").json()["trials"][0]["state"] == "queued"
    fields = {f["name"]: f for f in admin.get("plan-searches/fields/").json()["fields"]}
    assert fields["loss"]["usual"] == USUAL["loss"] and fields["seed"]["never"] and fields["base"]["usual"] is None
    assert admin.post("plan-searches/1/explode/").status_code == 404
    work_all()
    found = admin.get("plan-searches/1/").json()
    assert [t["best"] for t in found["trials"]] == [False, True] and not found["live"]
    kept = admin.post("plan-presets/", {"name": "found", "search": 1, "trial": 2})
    assert kept.status_code == 201 and kept.json()["plan"]["epochs"] == 6
    assert admin.post("plan-presets/", {"name": "found", "plan": {"preset": "quick"}}).status_code == 409
    assert admin.post("plan-presets/", {"name": "x", "plan": {"epoch": 1}}).status_code == 422
    assert admin.get("plan-presets/").json()["results"][0]["name"] == "found"
