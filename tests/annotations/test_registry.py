"""Models on the shelf: a note is kept, a bundle goes out as a zip and comes in as a candidate, once and checked."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotations.models import AuditEvent, Event, Job, ModelVersion, TrainingRun
from annotations.tasks import run as tasks
from tests.ml.bundles import full_bundle
from tests.ml.catalogue import products, schema

from .conftest import World, build_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(tmp_path: Path, settings: Any) -> World:
    settings.JOBS_ROOT, settings.MODELS_ROOT = tmp_path / "jobs", tmp_path / "models"
    settings.UPLOADS_ROOT, settings.PACKAGED_ENCODER = tmp_path / "uploads", False
    return build_world()


def at(world: World, role: str) -> Client:
    client = Client()
    client.force_login(world.people[role])
    return client


def shelved(world: World, settings: Any) -> ModelVersion:
    bundle = full_bundle(settings.MODELS_ROOT / "made", schema(), products())
    return ModelVersion.objects.create(
        catalogue=world.catalogue, number=1, tier="full", path="made", sha256=bundle.hash, card=bundle.card
    )


def test_out_as_a_zip_and_in_as_a_candidate(world: World, settings: Any) -> None:
    model, admin = shelved(world, settings), at(world, "admin")
    answer = admin.get(reverse("model_download", args=["shop", model.number]))
    assert answer.status_code == 200 and answer["Content-Disposition"].endswith('"shop-full-1.zip"')
    content = b"".join(answer.streaming_content)  # type: ignore[arg-type]
    assert "head.safetensors" in zipfile.ZipFile(io.BytesIO(content)).namelist()

    sent = SimpleUploadedFile("dir/elsewhere.zip", content, "application/zip")
    answer = admin.post(reverse("model_upload", args=["shop"]), {"bundle": sent})
    run = TrainingRun.objects.get()
    assert answer.status_code == 302 and answer["Location"].endswith(f"/training/{run.number}/")
    tasks.run_now(run.job)
    run.refresh_from_db()
    run.job.refresh_from_db()
    assert run.job.state == Job.State.DONE, run.job.error
    taken = run.model_version
    assert taken is not None and (taken.state, taken.sha256, taken.card["seed"]) == ("candidate", model.sha256, 7)
    assert (settings.MODELS_ROOT / taken.path / "bundle.json").is_file()
    assert not list(settings.UPLOADS_ROOT.rglob("*.zip")) and not list(settings.JOBS_ROOT.iterdir())
    page = admin.get(reverse("training_run", args=["shop", run.number])).content.decode()
    assert "elsewhere.zip" in page
    card = at(world, "viewer").get(reverse("model", args=["shop", taken.number])).content.decode()
    assert taken.sha256 in card and "numpy" in card


def test_what_is_no_model_is_refused_in_words(world: World, settings: Any) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bundle.json", '{"format": 1, "kind": "full", "files": {}}')
        archive.writestr("model.pkl", b"\x80\x04.")
    at(world, "admin").post(
        reverse("model_upload", args=["shop"]), {"bundle": SimpleUploadedFile("bad.zip", out.getvalue())}
    )
    run = TrainingRun.objects.get()
    tasks.run_now(run.job)
    run.job.refresh_from_db()
    assert run.job.state == Job.State.FAILED and "model.pkl" in run.job.error
    assert not ModelVersion.objects.exists() and not list(settings.JOBS_ROOT.iterdir())
    assert AuditEvent.objects.filter(word=Event.TRAINING_ENDED, data__outcome="failed").exists()


def test_a_note_is_kept_by_a_lead_and_shown_to_all(world: World, settings: Any) -> None:
    model = shelved(world, settings)
    address = reverse("model", args=["shop", model.number])
    assert at(world, "reviewer").post(address, {"note": "no"}).status_code == 403
    assert at(world, "lead").post(address, {"note": " Good on shoes <b> "}).status_code == 302
    assert "Good on shoes &lt;b&gt;" in at(world, "viewer").get(address).content.decode()
    assert AuditEvent.objects.filter(word=Event.MODEL_NOTED, target="full-1").count() == 1


def test_a_model_whose_files_are_gone_says_so(world: World, settings: Any) -> None:
    model = ModelVersion.objects.create(catalogue=world.catalogue, number=1, tier="full", path="nowhere")
    admin = at(world, "admin")
    assert admin.get(reverse("model_download", args=["shop", 1])).status_code == 404
    assert "its files are gone" in admin.get(reverse("model", args=["shop", model.number])).content.decode()
