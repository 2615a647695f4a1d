"""The loop: resumed equals undisturbed, early stopping keeps the best, a broken checkpoint is passed over."""

import shutil

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from ml.encoders.catalogue import new_encoder  # noqa: E402
from ml.encoders.hf import load_text_encoder  # noqa: E402
from ml.training.checkpoints import Checkpoints  # noqa: E402
from ml.training.errors import Stopped, TrainingError  # noqa: E402
from ml.training.loop import Recipe, fit, in_buckets, rate_factor  # noqa: E402
from ml.training.plan import Plan  # noqa: E402
from ml.training.tasks import MaskedTask, TagTask  # noqa: E402
from tests.ml import tiny  # noqa: E402

pytestmark = pytest.mark.torch
PLAN = Plan(base="x", batch_size=8, epochs=4, learning_rate=1e-3, head_learning_rate=1e-2, device="cpu")
RECIPE = Recipe(epochs=4, checkpoint_every_s=1e9)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


def tag_task(base, plan=PLAN):
    examples = tiny.examples(40)
    return TagTask(plan, tiny.schema(), load_text_encoder(base, max_length=32), examples[:32], examples[32:])


def masked_task(base):
    plan = Plan(base="x", pretrain_steps=12, pretrain_batch_tokens=256)
    texts = [" ".join(e.texts.values()) for e in tiny.examples(40)]
    return MaskedTask(plan, load_text_encoder(base, max_length=32), texts)


class Stopper:
    """Asks for the end before each of the steps given."""

    def __init__(self, *steps):
        self.steps, self.asked = list(steps), -1

    def __call__(self):
        self.asked += 1
        return self.asked in self.steps


def same_weights(first, second):
    other = second.state_dict()
    return all(torch.equal(value, other[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize("make", [tag_task, masked_task])
def test_a_resumed_run_is_the_undisturbed_one(base, tmp_path, make):
    undisturbed = make(base)
    recipe = RECIPE if make is tag_task else Recipe(epochs=undisturbed.epochs, steps=12)
    whole = fit(undisturbed, recipe)
    for at in (3, 5):  # a process dies in the middle of the first epoch, the next one at the start of a later one
        with pytest.raises(Stopped):
            fit(make(base), recipe, checkpoints=Checkpoints(tmp_path), stop=Stopper(at))
    last = make(base)
    resumed = fit(last, recipe, checkpoints=Checkpoints(tmp_path))
    assert resumed.curve == whole.curve and len(whole.curve) == whole.step
    assert resumed.validations == whole.validations
    assert same_weights(undisturbed.model, last.model)


def test_control_a_resume_without_the_optimiser_is_noticed(base, tmp_path, monkeypatch):
    whole = fit(tag_task(base), RECIPE)
    with pytest.raises(Stopped):
        fit(tag_task(base), RECIPE, checkpoints=Checkpoints(tmp_path), stop=Stopper(5))
    monkeypatch.setattr("ml.training.loop.unpack_optimiser", lambda *_: None)
    assert fit(tag_task(base), RECIPE, checkpoints=Checkpoints(tmp_path)).curve != whole.curve


def test_a_finished_run_is_not_trained_again(base, tmp_path):
    first, second = tag_task(base), tag_task(base)
    fit(first, RECIPE, checkpoints=Checkpoints(tmp_path))
    steps = []
    fit(second, RECIPE, checkpoints=Checkpoints(tmp_path), emit=lambda e: steps.append(e["event"]))
    assert "progress" not in steps and same_weights(first.model, second.model)


def test_a_broken_checkpoint_is_passed_over_and_two_are_kept(base, tmp_path):
    recipe = Recipe(epochs=2, checkpoint_every_s=0.0)
    with pytest.raises(Stopped):
        fit(tag_task(base), recipe, checkpoints=Checkpoints(tmp_path), stop=Stopper(3))
    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == ["step-000000002", "step-000000003"]
    weights = tmp_path / kept[-1] / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    (tmp_path / ".step-000000004-left").mkdir()
    assert Checkpoints(tmp_path).newest().step == 2
    resumed = fit(tag_task(base), recipe, checkpoints=Checkpoints(tmp_path))
    assert resumed.curve == fit(tag_task(base), recipe).curve
    assert not list(tmp_path.glob(".step-*"))
    shutil.rmtree(tmp_path / kept[-1], ignore_errors=True)


def test_early_stopping_keeps_the_best(base, monkeypatch):
    scores = iter([0.2, 0.9, 0.5, 0.4, 0.3, 0.2])
    task = tag_task(base)
    states = []

    def validate():
        states.append({n: t.clone() for n, t in task.model.state_dict().items()})
        return {"primary": next(scores)}

    monkeypatch.setattr(task, "validate", validate)
    done = fit(task, Recipe(epochs=6, patience=2))
    assert (done.best, done.best_epoch, done.epoch) == (0.9, 1, 4)
    assert all(torch.equal(t, states[1][n]) for n, t in task.model.state_dict().items())
    assert not all(torch.equal(t, states[3][n]) for n, t in states[1].items())


def test_it_learns(base):
    task = tag_task(base)
    done = fit(task, Recipe(epochs=12))
    assert done.curve[-1]["loss"] < 0.5 * done.curve[0]["loss"]
    assert task.validate()["micro_f1"] > 0.8


def test_pretraining_lowers_the_loss(base):
    task = masked_task(base)
    losses = [p["loss"] for p in fit(task, Recipe(epochs=40, steps=60)).curve]
    assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[:5])


def test_a_loss_that_is_no_number_says_what_to_do(base):
    task = tag_task(base)
    with torch.no_grad():
        task.model.head.linear.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="learning_rate"):
        fit(task, RECIPE)


@pytest.mark.parametrize(
    ("freeze", "trains"), [("none", "all"), ("embeddings", "blocks"), ("all but last 1", "last"), ("encoder", "")]
)
def test_freeze(base, freeze, trains):
    task = tag_task(base, Plan(base="x", batch_size=8, freeze=freeze, learning_rate=1e-2))
    before = {n: t.clone() for n, t in task.model.encoder.backbone.state_dict().items()}
    fit(task, Recipe(epochs=1))
    moved = {n for n, t in task.model.encoder.backbone.state_dict().items() if not torch.equal(t, before[n])}
    places = {n.split(".")[0] if n.startswith("emb") else ".".join(n.split(".")[:3]) for n in moved}
    wanted = {
        "all": {"embeddings", "encoder.layer.0", "encoder.layer.1"},
        "blocks": {"encoder.layer.0", "encoder.layer.1"},
        "last": {"encoder.layer.1"},
        "": set(),
    }[trains]
    assert places == wanted


def test_more_blocks_than_there_are(base):
    with pytest.raises(TrainingError, match="2 blocks"):
        tag_task(base, Plan(base="x", freeze="all but last 3"))


def test_buckets_hold_every_row_once_and_little_padding():
    lengths = np.random.default_rng(0).integers(3, 100, 1000)
    for unit, size in (("examples", 16), ("tokens", 1024)):
        batches = in_buckets(lengths, size, unit, seed=1, epoch=0)
        assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
        computed = sum(len(b) * lengths[b].max() for b in batches)
        assert computed < 1.15 * lengths.sum()
        assert all(len(b) * lengths[b].max() <= 1024 for b in batches) or unit == "examples"
        again = in_buckets(lengths, size, unit, seed=1, epoch=0)
        assert all((a == b).all() for a, b in zip(batches, again, strict=True))
        other = in_buckets(lengths, size, unit, seed=1, epoch=1)
        assert [b.tolist() for b in other] != [b.tolist() for b in batches]


def test_rates_rise_and_fall():
    rates = [rate_factor(s, 100, 0.1, "linear") for s in range(100)]
    assert rates[9] == 1.0 and rates[0] == pytest.approx(0.1) and rates[99] == pytest.approx(1 / 90)
    assert rate_factor(99, 100, 0.1, "constant") == 1.0
    assert rate_factor(55, 100, 0.1, "cosine") == pytest.approx(0.5)
    assert rate_factor(0, 1, 0.0, "linear") == 1.0


def test_new_encoder_is_the_same_for_the_same_seed(base):
    tokenizer = load_text_encoder(base).tokenizer
    sizes = {"layers": 1, "width": 64, "max_length": 32, "dropout": 0.1}
    first, second, other = (new_encoder(tokenizer, seed=s, **sizes) for s in (1, 1, 2))
    assert same_weights(first, second) and not same_weights(first, other)
