"""Adapters and prefixes, optimisers, and several seeds as one: against formulas, served as they were trained."""

from __future__ import annotations

import copy
import json

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from ml.encoders.adapters import CARD, Prefix, attach  # noqa: E402
from ml.encoders.base import EncoderError  # noqa: E402
from ml.encoders.hf import load_text_encoder  # noqa: E402
from ml.examples import read_jsonl  # noqa: E402
from ml.serving.decoding import probabilities  # noqa: E402
from ml.serving.full import FullModel  # noqa: E402
from ml.text import render  # noqa: E402
from ml.training.job import Job  # noqa: E402
from ml.training.loop import Recipe, fit  # noqa: E402
from ml.training.optimisers import new_optimiser  # noqa: E402
from ml.training.plan import Plan, PlanError  # noqa: E402
from ml.training.stages import averaged, together  # noqa: E402
from ml.training.tasks import TagTask  # noqa: E402
from tests.ml import tiny  # noqa: E402

pytestmark = pytest.mark.torch
EXAMPLES = tiny.examples(40)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


def batch(encoder, count=4):
    tokens = encoder.tokenise([render(e).text for e in EXAMPLES[:count]])
    return tokens.batch(range(count), encoder.pad_id, encoder.device)


def task(base, seed=1, **changes):
    plan = Plan(**{"base": "x", "batch_size": 8, "learning_rate": 1e-2, "device": "cpu", "seed": seed, **changes})
    encoder = load_text_encoder(base, max_length=32, dropout=plan.dropout)
    return TagTask(plan, tiny.schema(), encoder, EXAMPLES[:32], EXAMPLES[32:])


def test_adapters_begin_as_nothing_and_are_their_formula(base):
    plain, adapted = (load_text_encoder(base, max_length=32).eval() for _ in range(2))
    attach(adapted, "adapters", 4)
    assert torch.equal(plain(*batch(plain))[1], adapted(*batch(adapted))[1])
    part = adapted.blocks[0].output.dense
    torch.nn.init.normal_(part.up.weight)
    x = torch.randn(3, 256)
    h = x @ part.linear.weight.T + part.linear.bias
    inner = h @ part.down.weight.T
    expected = h + torch.nn.functional.gelu(inner) @ part.up.weight.T
    assert torch.allclose(part(x), expected, atol=1e-5)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_prefix_is_more_keys_and_values(base, attention):
    """One attention against softmax over prefix and tokens by hand, padding included."""
    encoder = load_text_encoder(base, max_length=32).eval()
    encoder.backbone.set_attn_implementation(attention)
    attach(encoder, "prefix", 5)
    module, seen = encoder.blocks[0].attention.self, {}
    module.register_forward_hook(lambda m, args, out: seen.update(x=args[0], out=out[0]))
    ids, mask = batch(encoder)
    assert not mask.bool().all(), "some are padded"
    encoder(ids, mask)
    x = seen["x"]
    q, k, v = (layer(x) for layer in (module.query, module.key, module.value))
    k, v = (
        torch.cat([p[0].expand(len(x), -1, -1), t], 1) for p, t in ((module.prefix.key, k), (module.prefix.value, v))
    )
    scores = q @ k.transpose(1, 2) / 8.0
    real = torch.cat([torch.ones(len(x), 5), mask.float()], 1)
    scores = scores.masked_fill(real[:, None] == 0, float("-inf"))
    expected = scores.softmax(2) @ v
    assert torch.allclose(seen["out"][mask.bool()], expected[mask.bool()], atol=1e-5)


@pytest.mark.parametrize("kind", ["adapters", "prefix"])
def test_they_train_alone_and_a_checkpoint_keeps_them(base, kind, tmp_path):
    one = task(base, tuning=kind, rank=6)
    frozen = {n: p.detach().clone() for n, p in one.model.encoder.named_parameters() if not p.requires_grad}
    few = sum(p.numel() for p in one.model.encoder.parameters() if p.requires_grad)
    assert 0 < few < 0.1 * sum(p.numel() for p in frozen.values())
    before = one.logits(one.validation_tokens)
    fit(one, Recipe(epochs=3))
    assert not np.allclose(before, one.logits(one.validation_tokens))
    assert all(torch.equal(p, frozen[n]) for n, p in one.model.encoder.named_parameters() if n in frozen)
    encoder = one.model.encoder.eval()
    encoder.save(tmp_path)
    again = load_text_encoder(tmp_path, max_length=32).eval()
    assert torch.allclose(again(*batch(again))[1], encoder(*batch(encoder))[1], atol=1e-6)
    assert any(isinstance(m, Prefix) for m in again.modules()) is (kind == "prefix")
    card = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).unlink()
    plain, base_one = (load_text_encoder(p, max_length=32).eval() for p in (tmp_path, base))
    assert torch.allclose(plain(*batch(plain))[1], base_one(*batch(base_one))[1]), "the base beside them is untouched"
    with pytest.raises(EncoderError, match="already"):
        attach(again, kind, 6)
    (tmp_path / CARD).write_text(json.dumps({**card, "size": card["size"] + 1}))
    with pytest.raises(EncoderError, match="adapters"):
        load_text_encoder(tmp_path, max_length=32)


@pytest.mark.long
@pytest.mark.parametrize("plan", [{"tuning": "prefix", "rank": 8}, {"members": 2, "combine": "scores"}], ids=str)
def test_served_as_trained(base, tmp_path, plan):
    folder = tiny.job(tmp_path / "job", str(base), epochs=2, **plan)
    Job(folder).run()
    model, examples = FullModel.load(folder / "bundle"), list(read_jsonl(folder / "examples.jsonl"))
    assert model.encoder.dim == (128 if "members" in plan else 64)
    scores = model.scores(examples)
    assert scores.std() > 0.01
    if "members" in plan:
        assert {p.name for p in (folder / "work/checkpoints").iterdir()} == {"tags", "tags-member-1"}
        return
    encoder = load_text_encoder(folder / "bundle" / "torch", max_length=32)
    pooled = encoder.pooled(encoder.tokenise([render(e).text for e in examples]))
    expected = probabilities(tiny.schema(), model.logits(pooled), model.calibration.temperature)
    np.testing.assert_allclose(scores, expected, atol=2e-3)


def test_members_as_one_are_the_mean_of_scores_or_of_weights(base):
    tasks = [task(base, seed=seed, epochs=2) for seed in (1, 2)]
    for one in tasks:
        fit(one, Recipe(epochs=2, seed=one.plan.seed))
    models = [t.model.eval() for t in tasks]
    given = batch(models[0].encoder)
    each = [m(*given) for m in models]
    assert not torch.allclose(*each)
    joined = together(models).eval()
    assert torch.allclose(joined(*given), (each[0] + each[1]) / 2, atol=1e-5)
    weight, bias = joined.head.exported()
    pooled = joined.encoder(*given)[1].detach().numpy()
    assert np.allclose(pooled @ weight.T + bias, joined(*given).detach().numpy(), atol=1e-4)
    states = [copy.deepcopy(m.state_dict()) for m in models]
    mean = averaged(models).state_dict()
    assert all(torch.allclose(mean[n], (states[0][n] + states[1][n]) / 2) for n in mean if mean[n].is_floating_point())


@pytest.mark.parametrize("name", ["sgd", "adafactor"])
def test_optimisers_step_as_torch_says_and_are_resumed(base, name, tmp_path):
    from ml.training.checkpoints import Checkpoints
    from ml.training.errors import Stopped

    weight = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    weight.grad = torch.ones(2, 2)
    new_optimiser(name, [{"params": [weight], "lr": 0.1, "weight_decay": 0.0}]).step()
    if name == "sgd":
        assert torch.allclose(weight, torch.tensor([[0.81, 1.81], [2.81, 3.81]])), (
            "0.1 (1 + 0.9): Nesterov's first step"
        )
    rate = {"learning_rate": 1e-2, "head_learning_rate": 0.1, "optimiser": name}
    whole, cut, rest = (task(base, **rate) for _ in range(3))
    recipe = Recipe(epochs=3, optimiser=name)
    fit(whole, recipe)
    steps = iter([False] * 5 + [True] * 9)
    with pytest.raises(Stopped):
        fit(cut, recipe, checkpoints=Checkpoints(tmp_path), stop=lambda: next(steps))
    fit(rest, recipe, checkpoints=Checkpoints(tmp_path))
    first, second = (t.model.state_dict() for t in (whole, rest))
    assert all(torch.equal(first[n], second[n]) for n in first)


def test_plans_that_cannot_be():
    with pytest.raises(PlanError, match="combine"):
        Plan(base="x", members=2, combine="scores", tuning="prefix")
    with pytest.raises(PlanError, match="optimiser"):
        Plan(base="x", optimiser="adam")
