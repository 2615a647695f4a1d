"""Models on a shared storage: a worker without the file fetches it once, and only what has the right hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, storages
from django.urls import reverse

from annotations import bridge
from annotations.actions import learning, training
from annotations.actions.errors import Refused
from annotations.bridge import shelf
from annotations.models import Catalogue, ModelVersion
from annotations.tasks.run import run_now
from ml.bundle import BundleError
from tagstudio.settings import env
from tests.ml.bundles import full_bundle
from tests.ml.catalogue import products, schema

from .conftest import World, build_world
from .test_registry import at

pytestmark = pytest.mark.django_db(transaction=True)
ELSEWHERE = {"BACKEND": "django.core.files.storage.InMemoryStorage"}


@pytest.fixture(params=["memory", "folder"])
def shared(request: Any, settings: Any, tmp_path: Path) -> Any:
    settings.MODELS_ROOT, settings.PACKAGED_ENCODER = tmp_path / "one", False
    folder = {
        "BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / "shared")}
    }  # fmt: skip
    settings.STORAGES = {**settings.STORAGES, "models": ELSEWHERE if request.param == "memory" else folder}
    return storages["models"]


def another_machine(settings: Any) -> None:
    """A worker that has never seen a model."""
    settings.MODELS_ROOT = settings.MODELS_ROOT.with_name(settings.MODELS_ROOT.name + "x")
    for kept in (bridge.suggesting._loaded, bridge.suggesting._quick, bridge.suggesting._answers):
        kept.clear()  # type: ignore[attr-defined]
    bridge.encoders._loaded.cache_clear()


def test_a_worker_without_the_files_fetches_what_suggests(shared: Any, settings: Any) -> None:
    world = build_world(products=12)
    for product in world.products[:6]:
        world.decide(product, black="accept", complete="colour")
    run_now(learning.request_refit(catalogue=world.catalogue))
    catalogue = Catalogue.objects.get()
    asked = [{"id": "x", "title": "Black wool coat"}]
    answer = bridge.suggest(catalogue, asked)
    assert answer[0]["suggestions"]
    another_machine(settings)
    assert bridge.suggest(catalogue, asked) == answer
    assert (settings.MODELS_ROOT / catalogue.serving.path / "bundle.json").is_file()  # type: ignore[union-attr]
    assert not list(settings.MODELS_ROOT.rglob(".fetch-*"))


def on_the_shelf(world: World, settings: Any) -> ModelVersion:
    bundle = full_bundle(settings.MODELS_ROOT / "made", schema(), products())
    bridge.share("made")
    return ModelVersion.objects.create(
        catalogue=world.catalogue, number=1, tier="full", path="made", sha256=bundle.hash, card=bundle.card
    )


def spoil(storage: Any, name: str, content: bytes) -> None:
    storage.delete(name)
    storage.save(name, ContentFile(content))


def test_what_has_another_hash_is_not_taken(shared: Any, settings: Any) -> None:
    world = build_world(products=0)
    model = on_the_shelf(world, settings)
    another_machine(settings)
    assert shelf.at_hand("made", model.sha256).joinpath("head.safetensors").is_file(), "the control"
    another_machine(settings)
    spoil(shared, "made/head.safetensors", b"\x08" + bytes(15))
    with pytest.raises(BundleError, match=r"head\.safetensors.*sha256"):
        shelf.at_hand("made", model.sha256)
    assert not (settings.MODELS_ROOT / "made").exists() and not list(settings.MODELS_ROOT.rglob(".fetch-*"))
    refused = at(world, "admin").get(reverse("model_download", args=["shop", 1]))
    assert refused.status_code == 422 and "sha256" in refused.content.decode()


def test_a_whole_bundle_that_is_another_one_is_not_taken(shared: Any, settings: Any) -> None:
    model = on_the_shelf(build_world(products=0), settings)
    another_machine(settings)
    with pytest.raises(BundleError, match="another one"):
        shelf.at_hand("made", "0" * 64)
    assert shelf.at_hand("made", model.sha256).is_dir()


@pytest.mark.parametrize("name", ["../out.json", "/out.json", "model.pkl"])
def test_a_manifest_that_leads_elsewhere_is_refused(shared: Any, settings: Any, name: str) -> None:
    on_the_shelf(build_world(products=0), settings)
    another_machine(settings)
    spoil(shared, "made" + shelf.MANIFEST, b'{"files": {"%s": {"bytes": 1, "sha256": "0"}}}' % name.encode())
    with pytest.raises(BundleError, match="not read"):
        shelf.at_hand("made")


def test_half_a_bundle_is_no_bundle_and_is_put_again(shared: Any, settings: Any) -> None:
    on_the_shelf(build_world(products=0), settings)
    shared.delete("made" + shelf.MANIFEST)  # the machine that put it was cut off
    assert shelf.is_there("made") and not shared.exists("made" + shelf.MANIFEST)
    bridge.share("made")
    another_machine(settings)
    assert shelf.is_there("made") and shelf.at_hand("made").joinpath("schema.json").is_file()


def test_discarding_takes_it_off_both(shared: Any, settings: Any) -> None:
    world = build_world(products=0)
    model = on_the_shelf(world, settings)
    training.discard(catalogue=world.catalogue, model=model, user=None)
    assert not (settings.MODELS_ROOT / "made").exists() and not shared.exists("made" + shelf.MANIFEST)
    assert not shared.exists("made/head.safetensors")


class Away(InMemoryStorage):
    def exists(self, name: str) -> bool:
        raise RuntimeError("no route to host")


def test_a_storage_that_is_away_stops_no_suggestions(settings: Any, tmp_path: Path) -> None:
    settings.MODELS_ROOT, settings.PACKAGED_ENCODER = tmp_path / "one", False
    settings.STORAGES = {**settings.STORAGES, "models": {"BACKEND": "tests.annotations.test_shelf.Away"}}
    world = build_world(products=12)
    job = run_now(learning.request_refit(catalogue=world.catalogue))
    assert job.state == "done", job.error
    assert bridge.suggest(Catalogue.objects.get(), [{"id": "x", "title": "Black coat"}])
    with pytest.raises(Refused, match="cannot be reached"):
        bridge.files_here("gone", "0")


def test_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def read(url: str) -> Any:
        monkeypatch.setenv("MODELS_STORAGE", url)
        return env.models_storage("MODELS_STORAGE", tmp_path)

    assert read("")["OPTIONS"] == {"location": str(tmp_path)}
    assert read("file:///mnt/models")["OPTIONS"] == {"location": "/mnt/models"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    options = read("s3://shelf/tagstudio?endpoint_url=https://minio.example:9000")["OPTIONS"]
    assert (options["bucket_name"], options["location"]) == ("shelf", "tagstudio")
    assert options["endpoint_url"] == "https://minio.example:9000"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install .*s3"):
        read("s3://shelf")
    with pytest.raises(ImproperlyConfigured, match="neither"):
        read("ftp://shelf")
