"""``python -m ml`` as another process sees it: events, stops, kills, resumes, refusals, bundles."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from tokenizers import Tokenizer

from ml.bundle import BundleError, read_bundle
from ml.commands import main
from ml.encoders.hf import load_text_encoder
from ml.examples import read_jsonl, write_jsonl
from ml.schema import Schema
from ml.serving.full import FullModel
from ml.text import render
from ml.training.checkpoints import Checkpoints
from tests.ml import tiny

pytestmark = [pytest.mark.torch, pytest.mark.long]
ROOT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


def start(command, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "ml", command, str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV, cwd=ROOT,
    )  # fmt: skip


def finish(process):
    """(exit code, events); fails when standard output holds anything but events."""
    out, err = process.communicate(timeout=240)
    events = [json.loads(line) for line in out.splitlines()]
    assert all("event" in e for e in events), out
    return process.returncode, events, err


def run(command, folder):
    return finish(start(command, folder))


def here(command, folder, capfd):
    """The same in this process, which has torch loaded already: (exit code, events)."""
    threads = torch.get_num_threads()
    try:
        code = main([command, str(folder), "--detached"])
    finally:
        torch.set_num_threads(threads)
    return code, [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def until_step(process, step):
    """Reads events until training is past ``step``; returns those read."""
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1]["event"] == "progress" and seen[-1]["step"] >= step:
            return seen
        assert seen[-1]["event"] not in ("done", "failed"), seen[-1]
    raise AssertionError(process.stderr.read())


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    folder = tiny.job(tmp_path_factory.mktemp("job") / "job", str(base), epochs=16)
    code, events, err = run("train", folder)
    assert code == 0, (events[-1], err)
    return folder, events


def curve(folder):
    return json.loads((folder / "report.json").read_text())["curve"]


def test_events_bundle_and_report(trained):
    folder, events = trained
    assert events[-1]["event"] == "done" and events[-1]["bundle"] == "bundle"
    steps = [e for e in events if e["event"] == "progress"]
    assert {"step", "total", "epoch", "loss", "rate", "tokens_per_s", "eta_s"} <= set(steps[0])
    validated = [e["val"] for e in steps if "val" in e]
    assert len(validated) == 16 and all(0 <= v["micro_f1"] <= 1 for v in validated)
    report = json.loads((folder / "report.json").read_text())
    assert report["metrics"] == events[-1]["metrics"] and report["measured_on"] == "held_out"
    assert sum(report["data"][part] for part in ("train", "validation", "held_out")) == 48
    bundle = read_bundle(folder / "bundle")
    assert bundle.kind == "full" and bundle.hash == events[-1]["hash"]
    assert {"encoder/model.onnx", "encoder/tokenizer.json", "torch/model.safetensors", "head.safetensors"} <= set(
        bundle.card["files"]
    )


def test_no_family_on_two_sides(trained):
    from ml.examples import family_hash
    from ml.training.inputs import read_parts
    from ml.training.plan import Plan

    folder, _ = trained
    plan = Plan.from_json(json.loads((folder / "config.json").read_text())["plan"])
    parts = read_parts(folder, Schema.load(folder / "schema.json"), plan)
    sides = [{e.family for e in part} for part in (parts.train, parts.validation, parts.held_out)]
    assert all(sides) and not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert FullModel.load(folder / "bundle").families == {family_hash(f) for f in sides[0] | sides[1]}


def test_run_again_it_is_done_at_once(trained, capfd):
    folder, events = trained
    before = (folder / "report.json").stat().st_mtime_ns
    code, again = here("train", folder, capfd)
    assert code == 0 and again[-1] == events[-1] and (folder / "report.json").stat().st_mtime_ns == before


def test_served_without_torch_as_torch_has_it(trained):
    """Scores of a process that cannot import torch against those computed from the bundle's torch weights."""
    folder, _ = trained
    program = (
        "import sys, json\n"
        "class Blocked:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in ('torch', 'transformers'): raise ImportError(name + ' is blocked')\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "from pathlib import Path\n"
        "from ml.examples import read_jsonl, write_jsonl\n"
        "from ml.serving.full import FullModel\n"
        "folder = Path(sys.argv[1])\n"
        "model = FullModel.load(folder / 'bundle')\n"
        "found = list(read_jsonl(folder / 'examples.jsonl'))\n"
        "print(json.dumps(model.scores(found).tolist()))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, env=ENV, cwd=ROOT, check=True
    )
    served = np.array(json.loads(out.stdout))

    from safetensors.numpy import load_file

    from ml.serving.decoding import probabilities

    bundle = folder / "bundle"
    encoder = load_text_encoder(bundle / "torch", max_length=32)
    head = load_file(bundle / "head.safetensors")
    examples = list(read_jsonl(folder / "examples.jsonl"))
    pooled = encoder.pooled(encoder.tokenise([render(e).text for e in examples]))
    temperature = json.loads((bundle / "calibration.json").read_text())["temperature"]
    expected = probabilities(tiny.schema(), pooled @ head["weight"].T + head["bias"], temperature)
    np.testing.assert_allclose(served, expected, atol=2e-3)
    assert served.std() > 0.05, "all the same would agree with anything"


def test_it_has_learned_and_score_writes_lines(trained, capfd):
    folder, _ = trained
    code, events = here("score", folder, capfd)
    assert code == 0 and events[-1]["products"] == 48
    lines = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    found = {line["id"]: line["tags"] for line in lines}
    right = [set(found[e.id].get("colour", ())) == e.labels["colour"] for e in tiny.examples(48)]
    assert np.mean(right) > 0.8, np.mean(right)


def test_evaluate_leaves_out_what_was_seen_and_compares(trained, tmp_path, capfd):
    folder, _ = trained
    (tmp_path / "config.json").write_text(json.dumps({k: str(folder / "bundle") for k in ("candidate", "current")}))
    (tmp_path / "examples.jsonl").write_bytes((folder / "examples.jsonl").read_bytes())
    code, events = here("evaluate", tmp_path, capfd)
    report = json.loads((tmp_path / "report.json").read_text())
    assert code == 0 and events[-1]["metrics"] == report["metrics"]
    held_out = json.loads((folder / "report.json").read_text())
    assert report["seen"] == held_out["data"]["train"] + held_out["data"]["validation"]
    assert report["metrics"]["micro_f1"] == held_out["metrics"]["micro_f1"]
    assert report["comparison"]["flips"] == [] and report["comparison"]["overall"]["f1_gain"]["high"] == 0


def test_a_bundle_trains_on(trained, tmp_path, capfd):
    """From the bundle of a run, in a folder whose second plan is refused."""
    base = str(trained[0] / "bundle" / "torch")
    folder = tiny.job(tmp_path / "next", base, epochs=1)
    code, events = here("train", folder, capfd)
    assert code == 0, events
    code, events = here("train", tiny.job(folder, base, epochs=2), capfd)
    assert code == 1 and "another plan" in events[-1]["reason"]


def test_an_encoder_from_the_catalogue_alone(tmp_path, capfd):
    """Tokenizer and weights from its own texts, the undecided ones too; killed and resumed, the tokenizer stays."""
    folder = tiny.job(
        tmp_path / "job", "catalogue", epochs=2, pretrain_steps=20, pretrain_batch_tokens=256, layers=1, width=64
    )
    write_jsonl(folder / "unlabelled.jsonl", [replace(e, id=f"u{e.id}") for e in tiny.examples(60, 1, decided=False)])
    code, events = here("train", folder, capfd)
    assert code == 0, events[-1]
    stages = [e["stage"] for e in events if e["event"] == "progress"]
    assert stages[0] == "pretrain" and stages[-1] == "tags"
    assert json.loads((folder / "report.json").read_text())["data"]["undecided"] >= 40
    tokens = Tokenizer.from_file(str(folder / "bundle/encoder/tokenizer.json")).encode("black 手表").tokens
    assert tokens == ["[CLS]", "black", "手", "表", "[SEP]"]
    assert FullModel.load(folder / "bundle").encoder.dim == 64


def test_a_changed_bundle_is_refused(trained, tmp_path):
    import shutil

    folder, _ = trained
    copy = tmp_path / "bundle"
    shutil.copytree(folder / "bundle", copy)
    (copy / "calibration.json").write_text('{"temperature": 1, "thresholds": []}')
    with pytest.raises(BundleError, match=r"calibration\.json"):
        FullModel.load(copy)


def test_killed_and_resumed_has_the_undisturbed_curve(base, tmp_path, capfd):
    plan = {"epochs": 60, "checkpoint_every_s": 0.2}
    whole = tiny.job(tmp_path / "whole", str(base), **plan)
    assert here("train", whole, capfd)[0] == 0
    killed = tiny.job(tmp_path / "killed", str(base), **plan)
    process = start("train", killed)
    until_step(process, 60)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert checkpoints(killed).newest().step > 0, "it was killed before its first checkpoint"
    code, events = here("train", killed, capfd)
    assert code == 0, events[-1]
    assert any("resumed after step" in e.get("text", "") for e in events)
    assert min(e["step"] for e in events if e["event"] == "progress") > 1
    assert curve(killed) == curve(whole)
    first, second = (torch_weights(f) for f in (killed, whole))
    assert first.keys() == second.keys() and all(np.array_equal(first[n], second[n]) for n in first)


def checkpoints(folder):
    return Checkpoints(folder / "work/checkpoints/tags")


def torch_weights(folder):
    from safetensors.numpy import load_file

    return load_file(folder / "bundle/torch/model.safetensors")


@pytest.mark.parametrize("how", ["SIGTERM", "cancel"])
def test_stopped_at_the_next_step_with_a_checkpoint(base, tmp_path, how, capfd):
    folder = tiny.job(tmp_path / "job", str(base), epochs=4000, checkpoint_every_s=3600.0)
    process = start("train", folder)
    until_step(process, 5)
    if how == "SIGTERM":
        process.terminate()
    else:
        (folder / "cancel").touch()
    code, events, _ = finish(process)
    assert code == 143
    assert events[-1] == {"event": "stopped", "reason": "cancelled" if how == "cancel" else "asked to stop"}
    assert checkpoints(folder).newest().step >= 5, "nothing was kept of what had been computed"
    if how == "cancel":  # cancelled is cancelled, until somebody takes the file away
        code, events = here("train", folder, capfd)
        assert code == 143 and [e["event"] for e in events] == ["stopped"]


def test_dies_with_its_parent(base, tmp_path):
    """Its output goes to a file, so that no broken pipe tells it. The control is one that was told to live on."""
    folders = [tiny.job(tmp_path / name, str(base), epochs=10_000) for name in ("bound", "detached")]
    program = (
        "import pathlib, subprocess, sys, time\n"
        "command = [sys.executable, '-m', 'ml', 'train']\n"
        "outs = [pathlib.Path(folder) / 'out' for folder in sys.argv[1:]]\n"
        "for folder, more, out in zip(sys.argv[1:], ([], ['--detached']), outs):\n"
        "    print(subprocess.Popen([*command, folder, *more], stdout=out.open('w')).pid, flush=True)\n"
        "while not all('\"log\"' in out.read_text() for out in outs): time.sleep(0.05)\n"
        "print('going', flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, folders)], stdout=subprocess.PIPE, text=True, env=ENV, cwd=ROOT
    )
    bound, detached = (int(parent.stdout.readline()) for _ in range(2))
    try:
        assert parent.stdout.readline() == "going\n"
        parent.kill()
        parent.communicate()
        deadline = time.monotonic() + 60
        while alive(bound) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(bound)
        assert alive(detached)
    finally:
        os.kill(detached, signal.SIGKILL)


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def test_two_at_once_in_one_folder(base, tmp_path, capfd, monkeypatch):
    folder = tiny.job(tmp_path / "job", str(base))
    monkeypatch.setattr("ml.commands.channel.PATIENCE_S", 0.5)
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, events = here("train", folder, capfd)
    assert code == 1 and "another process" in events[-1]["reason"]


def broken_inputs(base, folder):
    """(name, what is done to the folder, words of the reason)."""
    plan = {"base": str(base), "device": "cpu"}

    def config(**changes):
        (folder / "config.json").write_text(json.dumps({"plan": {**plan, **changes}}))

    empty = {"facets": [], "version": 1}
    pickled, remote = folder / "pickled", folder / "remote"
    return {
        "empty examples": (lambda: (folder / "examples.jsonl").write_text(""), "too few"),
        "few examples": (lambda: tiny.job(folder, str(base), count=6), "6 decided"),
        "no examples": ((folder / "examples.jsonl").unlink, "examples"),
        "broken line": (lambda: (folder / "examples.jsonl").write_text("{}\n"), "line 1"),
        "no tags": (lambda: (folder / "schema.json").write_text(json.dumps(empty)), "no tags"),
        "no schema": (lambda: (folder / "schema.json").write_text("[1]"), "schema"),
        "no config": (lambda: (folder / "config.json").write_text("nonsense"), "JSON"),
        "unknown field": (lambda: config(epoch=3), "did you mean 'epochs'"),
        "no checkpoint": (lambda: config(base="/nowhere/at/all"), "no such folder"),
        "no gpu": (lambda: config(device="cuda"), "GPU"),
        "pickled": (lambda: (make_foreign(base, pickled, "bin"), config(base=str(pickled))), "pickled"),
        "code": (lambda: (make_foreign(base, remote, "auto_map"), config(base=str(remote))), "auto_map"),
    }


def make_foreign(base, folder, how):
    import shutil

    shutil.copytree(base, folder)
    if how == "bin":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    else:
        card = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**card, "auto_map": {"AutoModel": "evil.Model"}}))


def test_bad_input_fails_in_plain_words(base, tmp_path, capfd):
    """In this process, since a dozen interpreters would take a minute; the exit path is that of the real command."""
    for name, case in broken_inputs(base, tmp_path / "unused").items():
        if name == "no gpu" and torch.cuda.is_available():
            continue
        folder = tiny.job(tmp_path / name.replace(" ", "-"), str(base))
        _, words = case
        broken_inputs(base, folder)[name][0]()
        code, events = here("train", folder, capfd)
        assert code == 1 and events[-1]["event"] == "failed", (name, events)
        assert words in events[-1]["reason"] and "Traceback" not in events[-1]["reason"], (name, events[-1])
        assert not (folder / "bundle").exists()


def test_without_torch_the_reason_says_what_to_install(base, tmp_path, monkeypatch, capfd):
    from importlib import util

    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "torch" else find(name, *rest))
    code, events = here("train", tiny.job(tmp_path / "job", str(base)), capfd)
    assert code == 1 and "tagstudio[ml]" in events[-1]["reason"]
