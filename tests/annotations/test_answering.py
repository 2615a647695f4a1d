"""suggest: loaded lazily and once, swapped whole, by the former model meanwhile; int8 only where answers stay the same."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from annotations import bridge
from annotations.actions import learning
from annotations.bridge import suggesting
from annotations.models import Catalogue, ModelVersion
from annotations.tasks.run import run_now

from .conftest import World, build_world

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = [{"id": "x", "title": "Black wool coat"}]


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    settings.MODELS_ROOT, settings.PACKAGED_ENCODER = tmp_path / "models", False
    for kept in (suggesting._quick, suggesting._answers, suggesting._loading, suggesting._loaded):
        kept.clear()  # type: ignore[attr-defined]
    world = build_world(products=12)
    for product in world.products[:6]:
        world.decide(product, black="accept", complete="colour")
    refit(world)
    return world


def refit(world: World) -> ModelVersion:
    assert run_now(learning.request_refit(catalogue=world.catalogue)).state == "done"
    found = Catalogue.objects.get().serving
    assert found is not None
    return found


def test_nothing_is_loaded_before_somebody_asks_and_once_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not suggesting._quick
    loads: list[str] = []
    load = suggesting._fit_to_answer

    def counted(model: ModelVersion) -> Any:
        loads.append(model.path)
        time.sleep(0.2)
        return load(model)

    monkeypatch.setattr(suggesting, "_fit_to_answer", counted)
    catalogue, found = Catalogue.objects.get(), []
    model = catalogue.serving
    assert model is not None
    monkeypatch.setattr(ModelVersion.objects, "filter", lambda **_: _Row(model))  # threads here share no database
    threads = [threading.Thread(target=lambda: found.append(suggesting.answering(catalogue))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1 and len({id(p) for p in found}) == 1 and None not in found


class _Row:
    def __init__(self, model: ModelVersion) -> None:
        self.model = model

    def first(self) -> ModelVersion:
        return self.model


def test_the_former_model_answers_until_the_new_one_is_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bridge.suggest(Catalogue.objects.get(), ASKED)
    first = suggesting.answering(Catalogue.objects.get())
    for product in world.products[6:]:
        world.decide(product, red="accept", complete="colour")
    refit(world)
    release, load = threading.Event(), suggesting._fit_to_answer

    def slow(model: ModelVersion) -> Any:
        release.wait(20)
        return load(model)

    monkeypatch.setattr(suggesting, "_fit_to_answer", slow)
    monkeypatch.setattr(suggesting, "PATIENCE", 0.01)
    began = time.monotonic()
    assert bridge.suggest(Catalogue.objects.get(), ASKED) == before
    print(f"answered in {time.monotonic() - began:.2f} s by the former model")
    release.set()
    for thread in list(suggesting._loading.values()):
        thread.join(20)
    after = bridge.suggest(Catalogue.objects.get(), ASKED)
    assert after != before and suggesting.answering(Catalogue.objects.get()) is not first


def test_files_that_are_gone_leave_the_former_model_at_work(world: World, settings: Any) -> None:
    before = bridge.suggest(Catalogue.objects.get(), ASKED)
    broken = ModelVersion.objects.create(
        catalogue=world.catalogue, number=99, tier="instant", path="nowhere", state="promoted"
    )
    Catalogue.objects.filter(pk=world.catalogue.pk).update(serving=broken)
    assert bridge.suggest(Catalogue.objects.get(), ASKED) == before
    suggesting._quick.clear()
    with pytest.raises(LookupError):
        bridge.suggest(Catalogue.objects.get(), ASKED)


@pytest.mark.parametrize(("agreement", "quick"), [(0.99, True), (0.9899, False)])
def test_int8_serves_only_where_it_agrees(
    world: World, monkeypatch: pytest.MonkeyPatch, agreement: float, quick: bool
) -> None:
    model = Catalogue.objects.get().serving
    assert model is not None
    model.card = {**model.card, "int8": {"agreement": agreement, "products": 300}}
    asked: list[Any] = []
    monkeypatch.setattr(suggesting.int8, "with_twins", lambda exact, folder: asked.append(exact) or exact)
    suggesting._fit_to_answer(model)
    assert bool(asked) is quick
