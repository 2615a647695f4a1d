"""Distillation and pruning: the formulas, that nothing else changes, and that what comes out is smaller and serves."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from ml.compression import Importance, compact, importance, keep_blocks, prune  # noqa: E402
from ml.encoders.blocks import blocks_of  # noqa: E402
from ml.encoders.hf import load_text_encoder  # noqa: E402
from ml.examples import write_jsonl  # noqa: E402
from ml.heads.distillation import SoftTagLoss  # noqa: E402
from ml.serving.full import FullModel  # noqa: E402
from ml.training.distil import DistilTask, bundled_teacher  # noqa: E402
from ml.training.distributed import ALONE  # noqa: E402
from ml.training.errors import TrainingError  # noqa: E402
from ml.training.job import Job  # noqa: E402
from ml.training.loop import Recipe, fit  # noqa: E402
from ml.training.plan import Plan, PlanError  # noqa: E402
from ml.training.tasks import TagTask  # noqa: E402
from tests.ml import tiny  # noqa: E402

pytestmark = pytest.mark.torch
EXAMPLES = tiny.examples(40)
SETTINGS = {"base": "x", "batch_size": 8, "learning_rate": 1e-3, "head_learning_rate": 1e-2, "device": "cpu"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


def encoder(base):
    """With two heads of 32 a block, since one head can't be pruned; the same weights."""
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "num_attention_heads": 2}))
    return load_text_encoder(base, max_length=32)


def some(encoder):
    return encoder.tokenise([e.texts["title"] + " " + e.texts["description"] for e in EXAMPLES])


def test_soft_loss_is_the_divergence_of_torch():
    schema, loss = tiny.schema(), SoftTagLoss(tiny.schema(), 2.0)
    logits, taught = torch.randn(6, 7) * 2, torch.randn(6, 7) * 2
    asked = torch.ones(6, 7, dtype=torch.bool)
    asked[0] = False
    asked[1, schema.facet_columns["use"]] = False
    total, count = 0.0, 0
    for row in range(6):
        for facet in schema.facets:
            columns = schema.facet_columns[facet.slug]
            if not asked[row, columns].any():
                continue
            mine, theirs = logits[row, columns] / 2, taught[row, columns] / 2
            if facet.single:
                p, q = (torch.cat([torch.zeros(1), x]).softmax(0) for x in (theirs, mine))
                total += torch.nn.functional.kl_div(q.log(), p, reduction="sum")
            else:
                p, q = (torch.stack([x.sigmoid(), 1 - x.sigmoid()]) for x in (theirs, mine))
                total += torch.nn.functional.kl_div(q.log(), p, reduction="sum")
            count += 1
    assert torch.allclose(loss(logits, taught, asked), 4 * total / count, atol=1e-5)
    assert float(loss(taught, taught, asked)) == pytest.approx(0.0, abs=1e-6)


def test_a_students_loss_leaves_people_their_share(base):
    """On undecided products the teacher alone speaks; with its weight 0 it is plain fine-tuning."""
    undecided = tiny.examples(16, seed=5, decided=False)

    def teacher(examples):
        return np.random.default_rng(0).normal(size=(len(examples), 7))

    def task(weight):
        plan = Plan(**{**SETTINGS, "teacher": "t", "teacher_weight": weight, "dropout": 0.0})
        one = encoder(base)
        return DistilTask(plan, tiny.schema(), one, EXAMPLES[:32], EXAMPLES[32:], undecided=undecided, teacher=teacher)

    decided, open_ = np.arange(8), np.arange(32, 40)
    plain = TagTask(Plan(**SETTINGS, dropout=0.0), tiny.schema(), encoder(base), EXAMPLES[:32], EXAMPLES[32:])

    def loss(task, rows):
        task.model.eval()
        return float(task.loss(rows, 0, task.model, ALONE)[0])

    assert loss(task(0.0), decided) == pytest.approx(loss(plain, decided), abs=1e-6)
    assert loss(task(0.0), open_) == 0.0 and loss(task(1.0), open_) > 0.1


def test_importance_is_what_a_gate_changes(base):
    """Each part's share of the loss against a finite difference of a gate on it."""
    one = encoder(base).eval()
    tokens = some(one).batch(range(4), one.pad_id, one.device)
    aim = torch.randn(4, 64)

    def losses():
        for row in range(4):  # one product a batch, so that the mean over products is exact
            yield ((one(tokens[0][row : row + 1], tokens[1][row : row + 1])[1] - aim[row]) ** 2).sum()

    found = importance(one, losses)
    block = blocks_of(one)[1]
    expected = np.zeros(2)
    for head in range(2):
        kept = block.mixed.weight.detach().clone()
        columns = slice(32 * head, 32 * head + 32)
        ends = []
        for gate in (0.99, 1.01):
            with torch.no_grad():
                block.mixed.weight[:, columns] = kept[:, columns] * gate
                ends.append([float(loss) for loss in losses()])
                block.mixed.weight.copy_(kept)
        expected[head] = np.abs((np.array(ends[1]) - np.array(ends[0])) / 0.02).sum()
    assert np.allclose(found.heads[1].numpy(), expected, rtol=0.02)
    assert all(len(n) == 256 for n in found.neurons)


def test_pruned_parts_stay_dead_while_training_and_go_without_a_trace(base):
    one = encoder(base)
    importances = Importance([torch.tensor([1.0, 5.0]), torch.tensor([2.0, 2.0])], [torch.rand(256), torch.rand(256)])
    prune(one, importances, heads=0.25, neurons=0.5)
    dead = [(b.outer.weight.abs().sum(0) == 0) for b in blocks_of(one)]
    assert sum(int(d.sum()) for d in dead) == 256
    plan = Plan(**{**SETTINGS, "epochs": 2})
    task = TagTask(plan, tiny.schema(), one, EXAMPLES[:32], EXAMPLES[32:])
    before = one.blocks[0].output.dense.weight.detach().clone()
    fit(task, Recipe(epochs=2))
    assert not torch.equal(before, one.blocks[0].output.dense.weight)
    for block, was in zip(blocks_of(one), dead, strict=True):
        assert torch.equal(block.outer.weight.abs().sum(0) == 0, was), "no gradient reaches what is dead"
    answers = task.logits(some(one))
    assert compact(one) == {"heads": 1, "neurons": 256}
    assert np.allclose(task.logits(some(one)), answers, atol=1e-5)
    assert blocks_of(one)[0].heads == 1 and sum(b.neurons for b in blocks_of(one)) == 256


def test_one_head_and_some_neurons_always_stay(base):
    one = encoder(base)
    prune(one, Importance([torch.rand(2)] * 2, [torch.rand(256)] * 2), heads=0.95, neurons=0.95)
    compact(one)
    assert [b.heads for b in blocks_of(one)] == [1, 1] and all(b.neurons >= 12 for b in blocks_of(one))


def test_the_first_blocks_alone_answer_as_the_states_between(base):
    whole, cut = encoder(base), encoder(base)
    tokens = some(whole).batch(range(4), whole.pad_id, whole.device)
    whole.eval(), cut.eval()
    states = whole.backbone(input_ids=tokens[0], attention_mask=tokens[1], output_hidden_states=True).hidden_states
    keep_blocks(cut, 1)
    assert torch.allclose(cut(*tokens)[0], states[1], atol=1e-5) and len(cut.blocks) == 1
    with pytest.raises(TrainingError, match="keep_blocks: 3"):
        keep_blocks(cut, 3)


@pytest.mark.long
def test_a_student_of_a_bundle_serves_smaller(base, tmp_path):
    """The whole way: a teacher's job, then a pruned student of half its blocks, taught on undecided products too."""
    teacher = tiny.job(tmp_path / "teacher", str(base), epochs=12, patience=0)
    Job(teacher).run()
    plan = {"teacher": str(teacher / "bundle"), "keep_blocks": 1, "prune_neurons": 0.5, "recover_epochs": 3}
    student = tiny.job(tmp_path / "student", str(teacher / "bundle" / "torch"), epochs=12, **plan)
    write_jsonl(student / "unlabelled.jsonl", [replace(e, id=f"u{e.id}") for e in tiny.examples(60, 1, decided=False)])
    Job(student).run()
    report = json.loads((student / "report.json").read_text())
    assert report["teacher"]["agreement"] > 0.8 and report["teacher"]["f1_loss"] < 0.2, report["teacher"]
    sizes = [(f / "bundle/encoder/model.onnx").stat().st_size for f in (teacher, student)]
    assert sizes[1] < 0.7 * sizes[0]
    again = load_text_encoder(student / "bundle" / "torch", max_length=32)
    assert len(again.blocks) == 1 and compact(again)["neurons"] == 128, "the checkpoint is whole, its dead parts zero"
    with pytest.raises(TrainingError, match="teacher: it knows"):
        bundled_teacher(FullModel.load(teacher / "bundle"), type(tiny.schema())(tiny.schema().facets[:1]))


def test_plans_that_cannot_be():
    with pytest.raises(PlanError, match="prune_heads"):
        Plan(base="x", prune_heads=0.2, tuning="lora")
    with pytest.raises(PlanError, match="keep_blocks"):
        Plan(base="catalogue", pretrain_steps=5, keep_blocks=2)
