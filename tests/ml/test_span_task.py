"""Tags and spans in one run: learned, resumed, written, served without torch as trained; open values proposed."""

import copy
import json
import random
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from ml.bundle import BundleError  # noqa: E402
from ml.encoders.hf import load_text_encoder  # noqa: E402
from ml.examples import Example, Span  # noqa: E402
from ml.schema import FacetSpec, Schema  # noqa: E402
from ml.serving.full import PHRASES, SPANS, FullModel  # noqa: E402
from ml.serving.spans import Value, best_of_each  # noqa: E402
from ml.training.checkpoints import Checkpoints  # noqa: E402
from ml.training.distributed import ALONE, Team  # noqa: E402
from ml.training.errors import Stopped, TrainingError  # noqa: E402
from ml.training.job import Job  # noqa: E402
from ml.training.loop import Recipe, fit  # noqa: E402
from ml.training.mentions import Mentions  # noqa: E402
from ml.training.plan import Plan, PlanError  # noqa: E402
from ml.training.span_task import SpanTask, task_of  # noqa: E402
from ml.training.stages import Read, fine_tune  # noqa: E402
from tests.ml import tiny  # noqa: E402
from tests.ml.test_loop import Stopper, same_weights  # noqa: E402

pytestmark = pytest.mark.torch
PLAN = Plan(
    base="x",
    batch_size=8,
    epochs=12,
    learning_rate=1e-3,
    head_learning_rate=1e-2,
    spans="weak",
    device="cpu",
    patience=0,
)
SCHEMA = Schema((*tiny.schema().facets, FacetSpec("thing", ()), FacetSpec("taste", (), categories=("Food",))))


def examples(count=48, seed=0):
    """As the tiny ones; what the thing is was marked by people and is no tag."""
    out = []
    for e in tiny.examples(count, seed):
        begin = len(next(iter(e.labels["colour"]))) + 1
        out.append(replace(e, spans=(Span("title", begin, len(e.texts["title"]), "thing"),)))
    return out


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


def task(base, **changes):
    rows = examples(56)
    return task_of(replace(PLAN, **changes), SCHEMA, load_text_encoder(base, max_length=32), rows[:48], rows[48:])


@pytest.mark.long
@pytest.mark.parametrize(
    "changes", [{}, {"span_layer": "crf"}, {"span_layer": "crf", "span_features": "dictionary", "tag_weight": 0.0}]
)
def test_it_learns_both(base, changes):
    made = task(base, **changes)
    fit(made, Recipe(epochs=12))
    measures = made.validate()
    assert measures["span_f1"] > 0.9, measures
    assert measures["micro_f1"] > 0.8 or changes.get("tag_weight") == 0.0
    assert measures["primary"] == pytest.approx(
        measures["span_f1"] if "tag_weight" in changes else (measures["span_f1"] + measures["micro_f1"]) / 2
    )


def test_a_resumed_run_is_the_undisturbed_one(base, tmp_path):
    changes = {"span_layer": "crf", "span_features": "dictionary"}
    recipe = Recipe(epochs=2, checkpoint_every_s=1e9)
    undisturbed, last = task(base, **changes), task(base, **changes)
    whole = fit(undisturbed, recipe)
    with pytest.raises(Stopped):
        fit(task(base, **changes), recipe, checkpoints=Checkpoints(tmp_path), stop=Stopper(7))
    resumed = fit(last, recipe, checkpoints=Checkpoints(tmp_path))
    assert resumed.curve == whole.curve and resumed.validations == whole.validations
    assert same_weights(undisturbed.model, last.model)


@pytest.mark.long
def test_a_run_with_spans_in_a_folder(base, tmp_path):
    folder = tiny.job(
        tmp_path / "job", str(base), 80, spans="weak", span_layer="crf", span_features="dictionary", epochs=12
    )
    Job(folder).run()
    report = json.loads((folder / "report.json").read_text())
    assert report["spans"]["against"] == "weak" and report["spans"]["f1"] > 0.8
    assert {f["facet"] for f in report["spans"]["facets"]} == {"colour", "use"}
    full = FullModel.load(folder / "bundle")
    product = Example("new", {"title": "white bag", "description": "good for travel"}, "Things")
    values = best_of_each(full.spans.read([product])[0])
    assert (values["colour"].tag, values["colour"].span) == ("white", Span("title", 0, 5, "colour", "white"))
    asked = []
    full.spans.encoder = type(
        "Counted", (), {"states": lambda _, ids: asked.append(len(ids)) or full.encoder.states(ids)}
    )()
    other = replace(product, id="same text")
    assert full.spans.remembered([product, other]) == full.spans.read([product, other])
    assert full.spans.remembered([product]) and asked == [1, 2], "a text that was read is remembered"
    assert values["use"].text == values["use"].tag == "travel" and 0.5 < values["use"].score <= 1.0


@pytest.mark.long
def test_served_as_trained(base, tmp_path):
    from ml.encoders.export import export_text_encoder
    from ml.encoders.onnx import OnnxEncoder
    from ml.serving.full import read_spans

    made = task(base, span_layer="crf", span_features="dictionary")
    fit(made, Recipe(epochs=4))
    trained = made.values(made.validation_marked)
    made.model.eval()
    encoder = made.model.encoder
    encoder.backbone.set_attn_implementation("eager")
    export_text_encoder(encoder.backbone, encoder.tokenizer, tmp_path / "encoder", max_length=32, states=True)
    made.save(tmp_path)
    reader = read_spans(tmp_path, SCHEMA, OnnxEncoder.load(tmp_path / "encoder"))
    served = reader.read(made.validation_marked.examples)
    for ours, theirs in zip(trained, served, strict=True):
        assert [v.span for v in ours] == [v.span for v in theirs]
        assert [v.score for v in ours] == pytest.approx([v.score for v in theirs], abs=1e-3)
    assert sum(map(len, served)) > 8
    weights = made.model.spans.exported()
    for broken in (replace(weights, bias=weights.bias[:-1]), replace(weights, transitions=None)):
        broken.save(tmp_path / SPANS)
        with pytest.raises(BundleError, match="does not fit"):
            read_spans(tmp_path, SCHEMA, OnnxEncoder.load(tmp_path / "encoder"))
    (tmp_path / PHRASES).write_text('[["black"]]')
    with pytest.raises(BundleError, match="cannot be read"):
        read_spans(tmp_path, SCHEMA, OnnxEncoder.load(tmp_path / "encoder"))


@pytest.mark.parametrize("layer", ["softmax", "crf"])
def test_the_parts_of_a_team_make_the_loss_of_the_whole(base, layer):
    made = task(base, span_layer=layer, span_features="dictionary")
    made.model.eval()
    for rows in (np.arange(7), np.arange(1)):
        whole, tokens = made.loss(rows, 0, made.model, ALONE)
        parts = [made.loss(rows, 0, made.model, Team(rank, 2)) for rank in (0, 1)]
        assert sum(loss.item() for loss, _ in parts) / 2 == pytest.approx(whole.item(), rel=1e-4)
        assert {n for _, n in parts} == {tokens}


def test_values_are_normalised_and_unknown_ones_have_no_tag(base):
    made = task(base)
    weights = made.model.spans.exported()
    from ml.serving.labelling import read
    from ml.serving.spans import SpanReader

    reader = SpanReader(SCHEMA, made, made.model.encoder.tokenizer, weights)
    product = Example("a", {"title": "Black Teal shirt"}, "Things")
    rendered, words = read(product, reader.tokenizer)
    emissions = np.zeros((3, len(reader.labels)), dtype=np.float32)
    emissions[0, 1] = emissions[1, 1] = emissions[2, 5] = 9.0  # colour, colour, thing
    found = reader.decode(product, rendered, words, emissions)
    assert [(v.facet, v.text, v.tag) for v in found] == [
        ("colour", "Black", "black"), ("colour", "Teal", ""), ("thing", "shirt", ""),
    ]  # fmt: skip
    emissions[:, 7] = 99.0  # a facet that its category does not have
    assert reader.decode(product, rendered, words, emissions) == found


def test_the_surest_of_a_facet():
    def value(text, score):
        return Value("colour", text, "", score, Span("title", 0, 1))

    assert best_of_each([value("a", 0.5), value("b", 0.7), value("c", 0.7)])["colour"].text == "b"


def test_nothing_marked_says_what_to_do(base):
    rows = tiny.examples(16, decided=False)
    with pytest.raises(TrainingError, match="'weak'"):
        task_of(replace(PLAN, spans="marked"), SCHEMA, load_text_encoder(base), rows, rows)


@pytest.mark.parametrize("data", [{"span_layer": "crf"}, {"tag_weight": 0}, {"spans": "weak", "span_weight": 0}])
def test_plans_that_say_nothing(data):
    with pytest.raises(PlanError, match="spans"):
        Plan.from_json(data)


def test_unknown_facets_pull_nowhere(base):
    """A word that may be of an unknown facet is not taught to be outside."""
    random.seed(0)
    made = task(base, spans="marked")
    assert isinstance(made, SpanTask)
    _, asked, may = made.marked.truth(np.arange(4), torch.device("cpu"))
    use = made.labels.numbers["use"]
    assert may[:, 0, use].all()  # only things are marked here: the first word may be a use
    assert not may[:, 1, use].any() and asked[:, 1, use].all()  # the thing itself may not


def test_several_seeds_become_one_model_by_the_mean_of_their_weights(base):
    rows = examples(24)
    plan = replace(PLAN, members=2, combine="weights", span_layer="crf", span_features="dictionary", epochs=1)
    made = []

    def train(task, place, **changes):
        progress = fit(task, Recipe(epochs=1, seed=changes["seed"]))
        made.append({name: t.clone() for name, t in task.model.spans.state_dict().items()})
        return progress

    encoder = load_text_encoder(base, max_length=32)
    task, progress = fine_tune(plan, SCHEMA, encoder, Read(rows[:16], rows[16:]), train)
    assert isinstance(task, SpanTask) and "span_f1" in progress.validations[0] and len(made) == 2
    for name, tensor in task.model.spans.state_dict().items():
        assert torch.allclose(tensor, (made[0][name] + made[1][name]) / 2, atol=1e-6)
    assert not torch.allclose(made[0]["linear.weight"], made[1]["linear.weight"])


@pytest.mark.long
def test_several_seeds_side_by_side_say_the_mean_of_what_each_says(base, tmp_path):
    rows = examples(24)
    plan = replace(PLAN, members=2, combine="scores", span_layer="crf", span_features="dictionary", epochs=1)
    made = []

    def train(task, place, **changes):
        progress = fit(task, Recipe(epochs=1, seed=changes["seed"]))
        made.append(copy.deepcopy(task.model).eval())
        return progress

    task, _ = fine_tune(plan, SCHEMA, load_text_encoder(base, max_length=32), Read(rows[:16], rows[16:]), train)
    part = np.arange(6)
    task.model.eval()
    read = task.read(part, 0)
    logits, emissions = task.model(*read)
    each = [model(*read) for model in made]
    assert torch.allclose(logits, (each[0][0] + each[1][0]) / 2, atol=1e-4)
    assert torch.allclose(emissions, (each[0][1] + each[1][1]) / 2, atol=1e-4)
    assert not torch.allclose(each[0][1], each[1][1], atol=1e-2)
    crf = [m.spans.crf.transitions for m in made]
    assert torch.allclose(task.model.spans.crf.transitions, (crf[0] + crf[1]) / 2, atol=1e-6)

    folder = tiny.job(
        tmp_path / "job", str(base), 60, spans="weak", members=2, combine="scores", span_features="dictionary", epochs=8
    )
    Job(folder).run()
    report = json.loads((folder / "report.json").read_text())
    assert report["spans"]["f1"] > 0.6
    full = FullModel.load(folder / "bundle")
    assert full.encoder.dim == 2 * load_text_encoder(base, max_length=32).width
    product = Example("new", {"title": "white bag", "description": "good for travel"}, "Things")
    assert best_of_each(full.spans.read([product])[0])["colour"].tag == "white", "served as trained"


def test_other_values_stand_in_the_places_of_its_own(base):
    """Their spans with them, the same from the same step; the dictionary does not know what is new."""
    rows = examples(24)
    swaps = Mentions(rows, 0.5, seed=1)
    things = {e.texts["title"][s.start : s.end] for e in rows for s in e.spans}
    changed = 0
    for step in range(4):
        for row, example in enumerate(rows):
            said = swaps.said(row, step)
            (span,) = said.example.spans
            value = said.example.texts["title"][span.start : span.end]
            assert value in things and said == swaps.said(row, step)
            rest = example.texts["title"][: example.spans[0].start]
            assert said.example.texts == {**example.texts, "title": rest + value}
            assert bool(said.new) == (said.example.texts != example.texts)
            changed += bool(said.new)
    assert 0.3 * 96 < changed < 0.5 * 96, "half, less where the same value is drawn"

    made = task(base, value_swap=1.0, span_features="dictionary")
    made.model.train()
    made.read(np.arange(8), 3)
    drawn = made.drawn
    mask, _, may = drawn.marked.truth(drawn.rows, torch.device("cpu"))
    thing = made.labels.numbers["thing"]
    for row, said in enumerate(made.mentions.said(row, 3) for row in range(8)):
        words = drawn.marked.words[row]
        span = next(s for s in said.example.spans if s.facet == "thing")
        begin = drawn.marked.rendered[row].parts[0][1]
        inside = words.inside(span.start + begin, span.end + begin)
        assert may[row, inside[0], thing] and not may[row, inside[0], 0], "the label moves with the value"
        assert bool(drawn.marked.found[row][inside].any()) != bool(said.new), "known before, not known when new"
    assert mask.sum() == sum(len(w) for w in drawn.marked.words)
    made.model.eval()
    made.read(np.arange(8), 3)
    assert made.drawn.marked is made.marked, "read as it is where nothing is trained"


def test_values_that_overlap_and_values_of_other_tags_stay():
    def product(number, *spans):
        return Example(str(number), {"title": "dark navy coat"}, "Things", spans=spans)

    overlap = product(0, Span("title", 0, 9, "colour"), Span("title", 5, 9, "colour"))
    tagged = product(1, Span("title", 5, 9, "colour", "navy"))
    other = Example("2", {"title": "red coat"}, "Things", spans=(Span("title", 0, 3, "colour", "red"),))
    elsewhere = Example("3", {"title": "teal"}, "Food", spans=(Span("title", 0, 4, "colour", "navy"),))
    swaps = Mentions([overlap, tagged, other, elsewhere], 1.0, seed=1)
    assert [swaps.said(row, step).example for row in range(4) for step in range(3)] == [
        e for e in (overlap, tagged, other, elsewhere) for _ in range(3)
    ]
    same = Example("4", {"title": "big midnight blue coat"}, "Things", spans=(Span("title", 4, 17, "colour", "navy"),))
    swaps = Mentions([tagged, same], 1.0, seed=1)
    said = {swaps.said(0, step).example.texts["title"] for step in range(20)}
    assert said == {"dark navy coat", "dark midnight blue coat"}
