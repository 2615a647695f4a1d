"""compose.workers.yaml, without Docker: its workers as processes here, with the environment that it gives them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from annotations.actions import jobs
from annotations.models import Job
from annotations.queries.jobs import places
from tagstudio.devices import slots

from .conftest import ROOT, Worker, ended, until
from .test_slots import CALM, held, overlaps, trainings

NAMED = re.compile(r"\$\{(\w+)(?::?[-?]([^}]*))?\}")
TRAINS = ("TRAINING_SLOTS", "TRAINING_HOST", "CUDA_VISIBLE_DEVICES")
MINE = {"TRAINING_HOST": "", "CUDA_VISIBLE_DEVICES": ""}  # not those of the machine that tests


def filled(value: str) -> str:
    """``${NAME:-default}`` as compose fills it in where nobody sets anything."""
    return NAMED.sub(lambda found: found[2] or "", value)


def services() -> dict[str, dict[str, Any]]:
    """Both files as compose merges them: environments over one another, ``extends`` below."""
    whole = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    merged = {name: dict(said) for name, said in whole.items()}
    for name, said in yaml.safe_load((ROOT / "compose.workers.yaml").read_text())["services"].items():
        below = whole[said["extends"]["service"]] if "extends" in said else whole.get(name, {})
        environment = {**below.get("environment", {}), **said.get("environment", {})}
        merged[name] = {**below, **said, "environment": {k: filled(str(v)) for k, v in environment.items()}}
    return merged


def environment(name: str) -> dict[str, str]:
    said = services()[name]["environment"]
    return {key: said[key] for key in TRAINS if key in said}


def slots_of(said: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for key in TRAINS:
        monkeypatch.setenv(key, said[key]) if key in said else monkeypatch.delenv(key, raising=False)
    return [slot.name for slot in slots(os.environ["TRAINING_SLOTS"], os.environ.get("TRAINING_HOST", "box"))]


def test_each_trainer_has_a_gpu_and_a_slot_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = services()
    trainers = sorted(name for name in found if name.startswith("trainer"))
    assert slots_of(environment("worker-ml"), monkeypatch) == [], "suggestions are never behind a run"
    named = {name: slots_of(environment(name), monkeypatch) for name in trainers}
    assert named == {"trainer-0": ["gpu-box/gpu0"], "trainer-1": ["gpu-box-1/gpu0"]}
    shown = [found[name]["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] for name in trainers]
    assert shown == [["0"], ["1"]]
    for name in trainers:
        assert found[name]["command"] == ["python", "manage.py", "worker", "--queues", "ml"]
        assert found[name]["volumes"] == found["web"]["volumes"], "media, models and jobs are shared"
        assert found[name]["image"] == found["worker-ml"]["image"]


def test_control_one_name_for_both_machines_would_leave_a_gpu_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**environment("trainer-1"), "TRAINING_HOST": environment("trainer-0")["TRAINING_HOST"]}
    assert slots_of(wrong, monkeypatch) == slots_of(environment("trainer-0"), monkeypatch)


@pytest.mark.long
@pytest.mark.worker
@pytest.mark.django_db(transaction=True)
def test_its_workers_train_beside_each_other_and_never_two_on_one_gpu(
    worker: Callable[..., Worker], tmp_path: Path
) -> None:
    for name in ("worker-ml", "trainer-0", "trainer-1"):
        worker(**MINE | environment(name), **CALM)
    assert {place.slot for place in places()} == {"gpu-box/gpu0", "gpu-box-1/gpu0"}
    asked = trainings(tmp_path / "held", 6)
    until(lambda: Job.objects.filter(state=Job.State.RUNNING, needs="train").count() == 2)
    assert ended(jobs.enqueue(kind="fault-quick", queue="ml")).state == Job.State.DONE
    assert {ended(job).state for job in asked} == {Job.State.DONE}
    rows = held(tmp_path / "held")
    assert len(rows) == 6 and overlaps(rows) > 0
    for slot in ("gpu-box/gpu0", "gpu-box-1/gpu0"):
        mine = [row for row in rows if row[0] == slot]
        assert len({row[1] for row in mine}) == 1 and overlaps(mine) == 0
