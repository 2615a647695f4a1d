"""Several processes are one: the same curve and weights as one process, by torchrun, on two CPU processes (gloo)."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from ml.training.distributed import Team
from tests.ml import tiny
from tests.ml.test_train_command import ENV, ROOT, curve, torch_weights

pytestmark = pytest.mark.torch
PLAN = {"epochs": 3, "dropout": 0.0, "checkpoint_every_s": 3600.0, "batch_size": 7}
TOGETHER = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
APART = """
import sys
from ml.training.distributed import Team
Team.wrap = lambda self, model, device: model  # each keeps its own gradients
from ml.commands import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("checkpoint"))


def trained(folder, base, *words, **plan):
    tiny.job(folder, str(base), **{**PLAN, **plan})
    ended = subprocess.run(
        [sys.executable, *words, "train", str(folder)],
        check=False,
        capture_output=True,
        text=True,
        env=ENV,
        cwd=ROOT,
        timeout=240,
    )
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert events[-1]["event"] == "done", (events[-1], ended.stderr[-2000:])
    return events


def close(first, second, tolerance=1e-4):
    losses = [np.array([point["loss"] for point in curve(folder)]) for folder in (first, second)]
    if len(losses[0]) != len(losses[1]) or not np.allclose(*losses, atol=tolerance):
        return False
    weights = [torch_weights(folder) for folder in (first, second)]
    return all(np.allclose(weights[0][name], weights[1][name], atol=10 * tolerance) for name in weights[0])


@pytest.mark.long
def test_two_processes_are_one(base, tmp_path):
    one, two, apart = tmp_path / "one", tmp_path / "two", tmp_path / "apart"
    trained(one, base, "-m", "ml")
    events = trained(two, base, *TOGETHER, "-m", "ml")
    steps = [e["step"] for e in events if e["event"] == "progress" and "val" not in e]
    assert steps == sorted(set(steps)), "one of them speaks"
    assert next(e for e in events if e["event"] == "device")["processes"] == 2
    assert close(one, two)
    script = tmp_path / "apart.py"
    script.write_text(APART)
    trained(apart, base, *TOGETHER, str(script))
    assert not close(one, apart), "control: gradients that are not joined are noticed"


@pytest.mark.long
def test_pretraining_and_the_loss_by_parts_are_those_of_the_whole(base, tmp_path):
    """Masked tokens are many in one part and few in the other, so a plain mean of means would differ."""
    one, two = tmp_path / "one", tmp_path / "two"
    plan = {"pretrain_steps": 6, "pretrain_batch_tokens": 256, "epochs": 1}
    trained(one, base, "-m", "ml", **plan)
    trained(two, base, *TOGETHER, "-m", "ml", **plan)
    assert close(one, two)


def test_a_part_is_weighed_by_what_it_asks():
    rows = np.arange(3)
    team = [Team(rank, 2) for rank in range(2)]
    means, asked = [torch.tensor(1.0), torch.tensor(4.0)], [torch.tensor(6.0), torch.tensor(2.0)]
    joined = sum(t.weigh(m, rows, n, torch.tensor(8.0)) for t, m, n in zip(team, means, asked, strict=True)) / 2
    assert float(joined) == pytest.approx((6 * 1.0 + 2 * 4.0) / 8)
    last = Team(3, 4)
    assert list(last.part(rows)) == [0] and float(last.weigh(means[1], rows, asked[1], torch.tensor(8.0))) == 0
    assert Team().weigh(means[1], rows, asked[1], asked[0]) is means[1]
