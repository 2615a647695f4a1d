"""Contrastive steps, self-training and the adversarial generator: formulas, who gets which gradient, and a whole run."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from ml.encoders.hf import load_text_encoder  # noqa: E402
from ml.heads.adversarial import NOISE, GanModel  # noqa: E402
from ml.heads.contrastive import likeness, pair_loss, supervised_contrastive  # noqa: E402
from ml.heads.tags import TagHead  # noqa: E402
from ml.text import render  # noqa: E402
from ml.training.contrastive import ContrastiveTask  # noqa: E402
from ml.training.loop import Recipe, fit  # noqa: E402
from ml.training.plan import Plan, PlanError  # noqa: E402
from ml.training.semi import pseudo_labelled  # noqa: E402
from ml.training.stages import Read, fine_tune  # noqa: E402
from tests.ml import tiny  # noqa: E402

pytestmark = pytest.mark.torch
EXAMPLES = tiny.examples(40)
UNDECIDED = tiny.examples(40, seed=7, decided=False)
SETTINGS = {"base": "x", "batch_size": 8, "learning_rate": 1e-3, "head_learning_rate": 1e-2, "device": "cpu"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


def encoder(base):
    return load_text_encoder(base, max_length=32)


def unit(*shape):
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1)


def test_likeness_is_jaccard_over_what_is_known_of_both():
    y = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0]])
    known = torch.ones(4, 4, dtype=torch.bool)
    known[3] = torch.tensor([True, False, True, True])  # its second tag is unknown, so it is as good as not there
    alike, asked = likeness(y, known)
    assert alike[0, 1] == pytest.approx(1 / 3) and alike[0, 2] == 0 and not asked.diagonal().any()
    assert alike[0, 3] == 1 and alike[1, 3] == pytest.approx(1 / 2)
    known[2] = torch.tensor([True, False, False, False])
    known[1] = torch.tensor([False, False, False, True])
    assert not likeness(y, known)[1][1, 2], "nothing right is known of both"


def test_supervised_contrastive_is_its_formula():
    z, y = unit(8, 5), torch.tensor([0, 1, 0, 2, 1, 0, 3, 1])
    alike = (y[:, None] == y[None]).float()
    asked = ~torch.eye(8, dtype=torch.bool)
    total, count = 0.0, 0
    for i in range(8):
        positives = [j for j in range(8) if j != i and y[j] == y[i]]
        if positives:
            others = sum(torch.exp(z[i] @ z[a] / 0.2) for a in range(8) if a != i)
            total += -sum(torch.log(torch.exp(z[i] @ z[p] / 0.2) / others) for p in positives) / len(positives)
            count += 1
    assert torch.allclose(supervised_contrastive(z, alike, asked, 0.2), total / count, atol=1e-5)
    assert float(supervised_contrastive(z, torch.zeros(8, 8), asked, 0.2)) == 0.0


@pytest.mark.long
def test_pair_loss_is_that_of_sentence_transformers():
    st = pytest.importorskip("sentence_transformers.sentence_transformer.losses", exc_type=ImportError)
    z, alike = unit(6, 5), torch.rand(6, 6)
    alike = (alike + alike.T) / 2
    asked = ~torch.eye(6, dtype=torch.bool)
    rows, columns = np.triu_indices(6, 1)

    class Given(torch.nn.Module):
        def forward(self, features):
            return {"sentence_embedding": features["z"]}

    theirs = st.CosineSimilarityLoss(Given())([{"z": z[rows]}, {"z": z[columns]}], alike[rows, columns])
    assert torch.allclose(pair_loss(z, alike, asked), theirs, atol=1e-6)


@pytest.mark.parametrize("kind", ["supervised", "pairs"])
def test_products_of_a_tag_come_together(base, kind):
    plan = Plan(**SETTINGS, contrastive=kind, contrastive_steps=30)
    task = ContrastiveTask(plan, tiny.schema(), encoder(base), EXAMPLES)
    tokens = task.model.encoder.tokenise([render(e).text for e in EXAMPLES])
    alike, asked = (t.numpy() for t in likeness(task.y, task.known))

    def fits():
        z = task.model.encoder.pooled(tokens)
        return np.corrcoef((z @ z.T)[asked], alike[asked])[0, 1]

    before = fits()
    progress = fit(task, Recipe(epochs=task.epochs, steps=30))
    assert progress.step == 30 and fits() > before + 0.2


def test_each_side_of_the_adversary_gets_its_own_gradient(base):
    """Beside two losses and two backward passes, as GAN-BERT has it."""
    model = GanModel(encoder(base), TagHead(tiny.schema(), 64), dropout=0.0).train()
    pooled = unit(6, 64).requires_grad_()
    torch.manual_seed(3)
    model.adversarial(pooled).backward()
    ours = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    moved = pooled.grad.clone()

    def bce(logits, real):
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))

    def reference(side):
        model.zero_grad()
        x = pooled.detach().clone().requires_grad_()
        torch.manual_seed(3)
        fake = torch.nn.functional.normalize(model.generator(torch.randn(6, NOISE)), dim=1) * 8
        if side == "features":
            loss = bce(model.real(model.features(x * 8)), 1.0) + bce(model.real(model.features(fake)), 0.0)
        else:
            apart = model.features(x.detach() * 8).mean(0) - model.features(fake).mean(0)
            loss = bce(model.real(model.features(fake)), 1.0) + (apart**2).mean()
        loss.backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}, x.grad

    told, gradient = reference("features")
    made, _ = reference("generator")
    for name, mine in ours.items():
        theirs = made[name] if name.startswith("generator") else told[name]
        assert torch.allclose(mine, theirs, atol=1e-5), name
    assert torch.allclose(moved, gradient, atol=1e-5), "what tells real ones shapes the encoder, the generator does not"
    model.eval()
    given = encoder(base).tokenise(["black bag"]).batch([0], 0, torch.device("cpu"))
    assert float(model(*given)[1]) == 0.0


def test_pseudo_labels_are_what_is_sure_and_nothing_else():
    p = np.full((3, 7), 0.5)
    p[0, 1], p[0, 4], p[1, :] = 0.95, 0.04, 0.01
    first, *rest = pseudo_labelled(tiny.schema(), UNDECIDED[:3], p, 0.9)
    assert not rest, "one that is sure of nothing but absence is left out, as is one that is sure of nothing"
    assert first.labels == {"colour": frozenset({"blue"})} and first.rejected == {"use": frozenset({"office"})}
    assert not first.complete and not UNDECIDED[0].labels


@pytest.mark.parametrize(
    "changes", [{"pseudo_rounds": 2}, {"generator_weight": 0.5}, {"contrastive_steps": 5}], ids=str
)
def test_a_plan_goes_through_its_stages(base, changes):
    places, sizes = [], []
    plan = Plan(**{**SETTINGS, "epochs": 6, "pseudo_confidence": 0.6, **changes})

    def run(task, place, **more):
        places.append(place)
        sizes.append(len(task.tokens))
        return fit(task, Recipe(**{"epochs": plan.epochs, **more}))

    read = Read(EXAMPLES[:32], EXAMPLES[32:], UNDECIDED)
    start = encoder(base)
    before = copy.deepcopy(start.state_dict())
    task, progress = fine_tune(plan, tiny.schema(), start, read, run)
    assert progress.best > 0.5
    if "pseudo_rounds" in changes:
        assert places[:2] == ["tags", "tags-round-1"] and sizes[1] > sizes[0] == 32
        assert task.validate()["primary"] == pytest.approx(progress.best, abs=1e-6), "the better of the rounds is kept"
    if "generator_weight" in changes:
        assert sizes == [72] and {"encoder", "head", "generator"} <= {n for n, _ in task.model.named_children()}
    if "contrastive_steps" in changes:
        assert places == ["tags-contrastive", "tags"]
    assert any(not torch.equal(before[n], p) for n, p in start.state_dict().items() if n in before)


def test_plans_that_cannot_be():
    with pytest.raises(PlanError, match="contrastive_steps"):
        Plan(base="x", contrastive_steps=3, freeze="encoder")
    with pytest.raises(PlanError, match="pseudo_rounds"):
        Plan(base="x", pseudo_rounds=1, teacher="t")
    with pytest.raises(PlanError, match="generator_weight"):
        Plan(base="x", generator_weight=0.1, spans="weak")
