"""The log of a run, as TensorBoard reads it: each step once, also after a kill."""

import json

import pytest

from ml.commands import main
from ml.commands.tensorboard import latest, scalars

pytest.importorskip("tensorboardX")


def progress(step, loss, **more):
    return json.dumps({"event": "progress", "stage": "tags", "step": step, "loss": loss, "time": 100.0 + step, **more})


LINES = [
    json.dumps({"event": "log", "text": "begun"}), progress(1, 0.9), progress(2, 0.8), progress(3, 0.7),
    progress(2, 0.81), progress(3, 0.6), progress(3, 0.6, val={"primary": 0.5}), '{"event": "progress", "st',
    progress(4, float("nan")),
]  # fmt: skip


def test_a_step_taken_again_is_there_once():
    found = latest(scalars(LINES))
    assert {k: v[0] for k, v in found.items()} == {
        ("tags/loss", 1): 0.9, ("tags/loss", 2): 0.81, ("tags/loss", 3): 0.6, ("tags/validation/primary", 3): 0.5,
    }  # fmt: skip


def read(folder):
    """Scalars of the event files, by the format's own definition."""
    from tensorboardX.proto import event_pb2

    found = {}
    for file in folder.rglob("events*"):
        data, at = file.read_bytes(), 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 8], "little")
            event = event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                found[(str(file.parent.relative_to(folder)), value.tag, event.step)] = value.simple_value
    return found


def test_the_command_writes_what_tensorboard_reads(tmp_path, capfd):
    (tmp_path / "trials" / "1").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "trials" / "1"):
        (folder / "log.jsonl").write_text("\n".join(LINES) + "\n")
    for _ in range(2):  # again, it is written anew
        assert main(["tensorboard", str(tmp_path), "--detached"]) == 0
        assert json.loads(capfd.readouterr().out.splitlines()[-1])["runs"] == 2
    found = read(tmp_path / "tensorboard")
    assert found[(".", "tags/loss", 2)] == pytest.approx(0.81)
    assert found[("trials/1", "tags/validation/primary", 3)] == pytest.approx(0.5)
    assert len(found) == 8


def test_a_folder_without_a_log_is_refused_in_words(tmp_path, capfd):
    assert main(["tensorboard", str(tmp_path), "--detached"]) == 1
    assert "folder of a run" in json.loads(capfd.readouterr().out.splitlines()[-1])["reason"]
