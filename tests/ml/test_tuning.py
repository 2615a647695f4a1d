"""Losses, adversarial steps and adapters: each against the formula of its paper or another's implementation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from ml.encoders.hf import load_text_encoder  # noqa: E402
from ml.heads.tags import TagLoss, asymmetric_loss, focal_weights  # noqa: E402
from ml.training.adversarial import perturbed  # noqa: E402
from ml.training.distributed import ALONE  # noqa: E402
from ml.training.loop import Recipe, fit  # noqa: E402
from ml.training.plan import Plan, PlanError  # noqa: E402
from ml.training.tasks import TagTask  # noqa: E402
from ml.training.tuning import fold  # noqa: E402
from tests.ml import tiny  # noqa: E402

pytestmark = pytest.mark.torch
EXAMPLES = tiny.examples(40)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


def task(base, **changes):
    settings = {"batch_size": 8, "epochs": 3, "learning_rate": 1e-2, "head_learning_rate": 1e-2, "device": "cpu"}
    plan = Plan(base="x", **{**settings, **changes})
    encoder = load_text_encoder(base, max_length=32, dropout=plan.dropout)
    return TagTask(plan, tiny.schema(), encoder, EXAMPLES[:32], EXAMPLES[32:])


def numbers(tensor):
    return tensor.detach().numpy().astype(np.float64)


def test_focal_loss_is_its_formula():
    logits, y = torch.randn(50, 3) * 3, (torch.rand(50, 3) < 0.3).float()
    p = 1 / (1 + np.exp(-numbers(logits)))
    right = np.where(numbers(y) > 0.5, p, 1 - p)
    ours = focal_weights(logits, y, 2.0) * torch.nn.functional.binary_cross_entropy_with_logits(
        logits, y, reduction="none"
    )
    assert np.allclose(numbers(ours), -((1 - right) ** 2) * np.log(right), atol=1e-5)
    assert torch.equal(focal_weights(logits, y, 0.0), torch.ones(50, 3)), "without focus it is cross-entropy"


def test_asymmetric_loss_is_its_formula():
    logits, y = torch.randn(50, 3) * 3, (torch.rand(50, 3) < 0.3).float()
    p = 1 / (1 + np.exp(-numbers(logits)))
    shifted = np.maximum(p - 0.05, 0)
    expected = np.where(numbers(y) > 0.5, -np.log(p), -(shifted**3) * np.log(1 - shifted))
    assert np.allclose(numbers(asymmetric_loss(logits, y, 3.0)), expected, atol=1e-5)


def test_unknown_answers_stay_out_of_every_loss():
    y, known = torch.zeros(2, 7), torch.zeros(2, 7, dtype=torch.bool)
    known[0, 4] = True
    for kind in ("cross-entropy", "focal", "asymmetric"):
        logits = torch.randn(2, 7, requires_grad=True)
        loss = TagLoss(tiny.schema(), kind=kind)(logits, y, known)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert gradient.nonzero().tolist() == [[0, 4]], kind


def test_the_adversary_moves_along_the_gradient_and_goes_back():
    weight = torch.randn(20, 5, requires_grad=True)
    target = torch.randn(20, 5)

    def loss():
        return ((weight - target) ** 2).sum()

    before, at_rest = weight.detach().clone(), loss()
    at_rest.backward()
    with perturbed(weight, 1e-3):
        moved = weight.detach() - before
        assert abs(float(moved.norm()) - 1e-3) < 1e-6
        # to first order the loss rises by epsilon times the length of the gradient: nothing of that length hurts more
        assert abs((loss() - at_rest).item() / (1e-3 * float(weight.grad.norm())) - 1) < 1e-2
        other = torch.randn(20, 5)
        assert (((before + 1e-3 * other / other.norm() - target) ** 2).sum()).item() < loss().item()
    assert torch.equal(weight.detach(), before)
    weight.grad = None
    with perturbed(weight, 1.0):
        assert torch.equal(weight.detach(), before), "no gradient, nothing to move along"


def test_an_adversarial_step_adds_the_gradient_at_the_moved_place(base):
    """One step of the loop, with plain gradient descent in its place worked out by hand."""
    import ml.training.loop as loop

    plain, hard = (task(base, dropout=0.0, epochs=1) for _ in range(2))
    seen = []

    class Watching(torch.optim.AdamW):
        def step(self, closure=None):
            seen.append([p.grad.clone() for group in self.param_groups for p in group["params"]])

    kept, loop.torch.optim.AdamW = loop.torch.optim.AdamW, Watching
    try:
        for one, epsilon in ((plain, 0.0), (hard, 0.5)):
            for head in one.model.head.parameters():
                torch.nn.init.constant_(head, 0.1)
            fit(one, Recipe(epochs=1, steps=1, clip_norm=0.0, adversarial=epsilon))
    finally:
        loop.torch.optim.AdamW = kept
    rows = plain.batches(0)[0]
    plain.model.train()
    plain.loss(rows, 0, plain.model, ALONE)[0].backward()
    words = plain.model.encoder.word_vectors
    clean = [p.grad.clone() for group in plain.parameters() for p in group["params"]]
    with torch.no_grad():
        words.add_(words.grad, alpha=0.5 / float(words.grad.norm()))
    plain.model.zero_grad()
    plain.loss(rows, 0, plain.model, ALONE)[0].backward()
    moved = [p.grad for group in plain.parameters() for p in group["params"]]
    for got, a, b in zip(seen[1], clean, moved, strict=True):
        assert torch.allclose(got, a + b, atol=1e-5)
    assert any(not torch.allclose(a, b) for a, b in zip(*seen, strict=True)), "and it makes a difference"


@pytest.mark.parametrize("tuning", ["lora", "adalora", "ia3"])
def test_adapters_train_little_and_fold_without_a_trace(base, tuning):
    pytest.importorskip("peft")
    one, whole = task(base, tuning=tuning, rank=4), task(base)
    frozen = {n: p.detach().clone() for n, p in one.model.encoder.named_parameters() if not p.requires_grad}
    few, many = (
        sum(p.numel() for p in t.model.encoder.parameters() if p.requires_grad) for t in (one, whole)
    )  # fmt: skip
    assert 0 < few < 0.25 * many
    before = one.logits(one.validation_tokens)
    fit(one, Recipe(epochs=3))
    for name, parameter in one.model.encoder.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name]), f"{name} is frozen"
    adapted = one.logits(one.validation_tokens)
    assert not np.allclose(before, adapted)
    fold(one.model.encoder)
    assert type(one.model.encoder.backbone).__name__ == "BertModel"
    assert np.allclose(one.logits(one.validation_tokens), adapted, atol=1e-4), "folded, it answers the same"
    untouched = load_text_encoder(base, max_length=32)
    changed = [
        n for n, p in one.model.encoder.backbone.named_parameters()
        if not torch.equal(p, dict(untouched.backbone.named_parameters())[n])
    ]  # fmt: skip
    assert changed and all("weight" in n or "bias" in n for n in changed), "what was learned lies in the weights"


def test_adalora_gives_ranks_away_and_lora_does_not(base):
    pytest.importorskip("peft")
    left = {}
    for tuning in ("lora", "adalora"):
        one = task(base, tuning=tuning, rank=4, epochs=6)
        fit(one, Recipe(epochs=6))
        left[tuning] = [
            int((p.abs() > 0).sum()) for n, p in one.model.encoder.named_parameters() if "lora_E" in n
        ]  # fmt: skip
    assert left["lora"] == [] and len(set(left["adalora"])) > 1, "some matrices keep more ranks than others"
    assert sum(left["adalora"]) < 6 * len(left["adalora"]), "and all together fewer than they began with"


def test_a_plan_that_contradicts_itself_is_refused():
    with pytest.raises(PlanError, match="adversarial"):
        Plan(base="x", adversarial=1.0, tuning="lora")
    with pytest.raises(PlanError, match="adversarial"):
        Plan(base="x", adversarial=1.0, freeze="embeddings")
    with pytest.raises(PlanError, match="tuning"):
        Plan.from_json({"tuning": "lorra"})
