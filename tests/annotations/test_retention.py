"""Which full models go: never the one in use, the one before, or one that something sits on. And which folders."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotations.actions import retention, searches, training
from annotations.models import AuditEvent, Catalogue, Event, Job, ModelVersion, PlanSearch, SearchTrial, TrainingRun
from annotations.queries.retention import will_go

from .conftest import World
from .test_registry import at

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shelf(world: World, settings: Any, tmp_path: Any) -> list[ModelVersion]:
    """Ten models, the second promoted first, then the third: full-2 is the one before, full-3 in use."""
    settings.MODELS_ROOT = tmp_path
    made = []
    for number in range(1, 11):
        folder = tmp_path / f"full-{number}"
        folder.mkdir()
        (folder / "bundle.json").write_text("{}")
        made.append(
            ModelVersion.objects.create(catalogue=world.catalogue, number=number, tier="full", path=folder.name)
        )
    for model in made[1:3]:
        training.promote(catalogue=world.catalogue, model=model, user=None)
    return made


def test_the_newest_the_one_in_use_and_the_one_before_stay(
    world: World, shelf: list[ModelVersion], tmp_path: Any
) -> None:
    assert [m.name for m in will_go(world.catalogue)] == ["full-1", "full-4", "full-5"]
    assert [m.name for m in will_go(world.catalogue, 1)] == ["full-1", *(f"full-{n}" for n in range(4, 10))]
    head = ModelVersion.objects.create(catalogue=world.catalogue, number=20, tier="instant", encoder=shelf[3])
    Catalogue.objects.filter(pk=world.catalogue.pk).update(serving=head)
    assert [m.name for m in will_go(world.catalogue)] == ["full-1", "full-5"], "the head that suggests sits on full-4"
    assert retention.tidy(catalogue=world.catalogue) == ["full-1", "full-5"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"full-{n}" for n in (2, 3, 4, 6, 7, 8, 9, 10))
    shelf[0].refresh_from_db()
    assert shelf[0].state == "discarded" and retention.tidy(catalogue=world.catalogue) == []
    assert training.rollback(catalogue=world.catalogue, user=None) == shelf[1], "the way back is open"


def test_the_page_says_what_will_go_and_an_admin_sets_the_number(world: World, shelf: list[ModelVersion]) -> None:
    admin = at(world, "admin")
    page = admin.get(reverse("training", args=["shop"])).content.decode()
    assert "full-5, full-4, full-1" in page or "full-1, full-4, full-5 go within a day" in page
    address = reverse("models_keep", args=["shop"])
    assert admin.post(address, {"kept": "0"}).status_code == 422
    assert admin.post(address, {"kept": "7"}).status_code == 302
    assert [m.name for m in will_go(Catalogue.objects.get())] == ["full-1"]
    assert AuditEvent.objects.get(word=Event.CATALOGUE_CHANGED).data == {"changed": {"models_kept": [5, 7]}}
    assert admin.post(address, {"kept": "7", "tidy": "1"}).status_code == 302
    assert will_go(Catalogue.objects.get()) == []


def test_the_command_says_first_and_does_then(world: World, shelf: list[ModelVersion], capsys: Any) -> None:
    call_command("tidy_models", "shop", "--dry-run", "--json")
    assert json.loads(capsys.readouterr().out)["would_go"] == ["full-1", "full-4", "full-5"]
    assert len(will_go(world.catalogue)) == 3
    call_command("tidy_models", "shop", "--json")
    assert json.loads(capsys.readouterr().out)["gone"] == ["full-1", "full-4", "full-5"]


def job(world: World, kind: str, state: str) -> Job:
    return Job.objects.create(kind=kind, queue="ml", catalogue=world.catalogue, state=state)


def folder(path: Path) -> Path:
    (path / "work").mkdir(parents=True)
    (path / "examples.jsonl").write_text("{}")
    return path


@pytest.fixture
def jobs_root(settings: Any, tmp_path: Path) -> Path:
    settings.JOBS_ROOT = tmp_path / "jobs"
    return tmp_path / "jobs"


def run_of(world: World, number: int, state: str, model: ModelVersion | None = None) -> TrainingRun:
    run = TrainingRun.objects.create(
        catalogue=world.catalogue, number=number, job=job(world, "train", state), model_version=model
    )
    folder(training.folder_of(run))
    return run


def test_folders_of_runs_go_with_their_models_and_failed_ones_when_newer_ones_came(
    world: World, jobs_root: Path
) -> None:
    Catalogue.objects.filter(pk=world.catalogue.pk).update(models_kept=2)
    kept = ModelVersion.objects.create(catalogue=world.catalogue, number=1, tier="full", state="retired")
    gone = ModelVersion.objects.create(catalogue=world.catalogue, number=2, tier="full", state="discarded")
    runs = [
        run_of(world, 1, "done", kept), run_of(world, 2, "done", gone), run_of(world, 3, "failed"),
        run_of(world, 4, "paused"), run_of(world, 5, "cancelled"), run_of(world, 6, "failed"),
    ]  # fmt: skip
    assert retention.tidy_folders(catalogue=world.catalogue) == [training.folder_of(r).name for r in (runs[2], runs[1])]
    there = [run.number for run in runs if training.folder_of(run).is_dir()]
    assert there == [1, 4, 5, 6], "a model that is kept keeps its run's, and one that rests goes on later"
    assert TrainingRun.objects.count() == 6 and retention.tidy_folders(catalogue=world.catalogue) == []


def test_folders_of_searches_go_when_no_trial_is_left_and_newer_ones_came(world: World, jobs_root: Path) -> None:
    Catalogue.objects.filter(pk=world.catalogue.pk).update(models_kept=1)
    for number, states in enumerate((("done", "paused"), ("done", "failed"), ("cancelled",), ("done",)), start=1):
        search = PlanSearch.objects.create(catalogue=world.catalogue, number=number)
        for place, state in enumerate(states, start=1):
            SearchTrial.objects.create(search=search, number=place, job=job(world, "trial", state))
        searches.lock_of(folder(searches.folder_of(search))).touch()
    rows = list(PlanSearch.objects.order_by("number"))
    other = PlanSearch.objects.create(catalogue=Catalogue.objects.create(slug="other", languages=["en"]), number=1)
    folder(searches.folder_of(other))
    call = {"dry": retention.folders_to_go(world.catalogue), "went": retention.tidy_folders(catalogue=world.catalogue)}
    assert [path.name for path in call["dry"]] == call["went"] == [f"search-{rows[2].pk}", f"search-{rows[1].pk}"]
    assert sorted(path.name for path in jobs_root.iterdir() if path.is_dir()) == sorted(
        f"search-{one.pk}" for one in (rows[0], rows[3], other)
    )
    assert not searches.lock_of(searches.folder_of(rows[1])).exists()
    assert searches.lock_of(searches.folder_of(rows[0])).exists()


def test_what_was_left_half_written_goes_after_a_day(world: World, jobs_root: Path) -> None:
    yesterday = time.time() - 25 * 3600
    for name in (".train-old", ".adopt-old", ".search-3-old", ".train-new", "something-else"):
        path = folder(jobs_root / name)
        if name.endswith("old"):
            os.utime(path, (yesterday, yesterday))
    working, ended = job(world, "drafts", "running"), job(world, "drafts", "failed")
    for one in (working, ended):
        folder(jobs_root / f"drafts-{one.pk}")
    retention.tidy_all()
    left = sorted(path.name for path in jobs_root.iterdir())
    assert left == sorted([".train-new", "something-else", f"drafts-{working.pk}"])
