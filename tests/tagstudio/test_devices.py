"""What a machine trains on: named slots, a GPU in one of them alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tagstudio import devices
from tagstudio.devices import Slot, slots


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "gpus")


def test_a_machine_without_gpu_trains_on_its_processor() -> None:
    assert slots("auto", "box") == slots("cpu", "box") == (Slot("box/cpu"),)
    assert slots("auto", "box")[0].environment == {"CUDA_VISIBLE_DEVICES": ""}
    assert slots("none", "box") == ()


def test_each_gpu_is_a_slot(tmp_path: Path) -> None:
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert [slot.name for slot in slots("auto", "box")] == ["box/gpu0", "box/gpu1"]
    assert slots("0+1", "box") == (Slot("box/gpu0+1", ("0", "1")),)
    assert slots("0+1", "box")[0].environment == {"CUDA_VISIBLE_DEVICES": "0,1"}


def test_numbers_count_within_what_one_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers that were each given one GPU of a machine must not take them for the same one."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert slots("auto", "box") == (Slot("box/gpu3", ("3",)),)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert slots("auto", "box") == (Slot("box/cpu"),)


@pytest.mark.parametrize("wrong", ["gpu0", "0,0", "0+1,1", "cpu,cpu", "0;1", ","])
def test_nonsense_is_refused_with_the_name_of_the_setting(wrong: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="TRAINING_SLOTS"):
        slots(wrong, "box")
