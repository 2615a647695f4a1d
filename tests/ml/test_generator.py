"""The generator: beams against trying every sequence, what it learns, its bundle, its report, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import BartConfig, BartForConditionalGeneration

from ml.bundle import BundleError
from ml.commands import main
from ml.encoders.base import EncoderError
from ml.encoders.seq2seq import UNSCORED, load_seq2seq, new_seq2seq, train_writer_tokenizer
from ml.examples import targets, write_jsonl
from ml.generation import Control, Held, source
from ml.heads.generation import Generator
from ml.schema import Schema
from ml.serving.full import FullModel
from ml.text import render
from ml.training.checkpoints import Checkpoints
from ml.training.distributed import ALONE
from ml.training.errors import TrainingError
from ml.training.generation import GenerationTask, measure_tags
from ml.training.job import Job
from ml.training.loop import Recipe, fit
from ml.training.plan import Plan, PlanError
from tests.ml import tiny

pytestmark = pytest.mark.torch
SIZES = {"layers": 1, "width": 64, "max_length": 48, "max_output": 24, "dropout": 0.0, "seed": 3}
PLAN = {
    "generation": "tags", "layers": 1, "width": 64, "max_length": 48, "generation_length": 24, "batch_size": 8,
    "dropout": 0.0, "generation_learning_rate": 5e-3, "weight_decay": 0.0,
}  # fmt: skip


def new_model():
    return new_seq2seq(train_writer_tokenizer([render(e).text for e in tiny.examples(60)], 400), **SIZES)


def task(examples, validation=(), **plan):
    return GenerationTask(Plan.from_json({**PLAN, **plan}), tiny.schema(), new_model(), examples, validation)


@pytest.fixture(scope="module")
def learned():
    """A generator that has learned tags of products whose text says them."""
    torch.set_num_threads(1)
    done = task(tiny.examples(64), tiny.examples(8, 9), control_share=0.4)
    progress = fit(done, Recipe(epochs=20))
    return done.generator, progress


def test_the_loss_is_that_of_transformers():
    model = new_model().eval()
    ids, mask = model.tokenise(["black shirt", "a blue bag for travel"]).batch([0, 1], model.pad_id, model.device)
    labels = model.labels([[5, 6, 7], [8]])
    assert labels.tolist() == [[5, 6, 7, model.end_id], [8, model.end_id, UNSCORED, UNSCORED]]
    theirs = model.backbone(input_ids=ids, attention_mask=mask, labels=labels).loss
    assert model(ids, mask, labels).item() == pytest.approx(theirs.item(), abs=1e-5)
    model.train()
    model.smoothing = 0.2
    assert model(ids, mask, labels).item() != pytest.approx(theirs.item(), abs=1e-4)


@pytest.mark.parametrize("per_token", [True, False])
def test_wide_beams_find_what_trying_every_sequence_finds(per_token):
    """An untrained model, so that the best sequence is none that a rule would guess."""
    schema, model = tiny.schema(), new_model().eval()
    generator, example = Generator(model, schema), tiny.examples(1)[0]
    sequences = generator.sequences("en")
    ids, mask = model.tokenise([source(schema, example, Control())]).batch([0], model.pad_id, model.device)
    best, ranks = {}, {}
    for colour in (None, 0, 1, 2):
        for uses in range(16):
            columns = [c for c in (colour,) if c is not None] + [3 + bit for bit in range(4) if uses >> bit & 1]
            labels = model.labels([sequences.write(columns)])
            with torch.inference_mode():
                logp = torch.log_softmax(model.scores(ids, mask, labels), -1)
            best[tuple(columns)] = float(logp.gather(-1, labels.unsqueeze(-1)).sum())
            ranks[tuple(columns)] = best[tuple(columns)] / (labels.numel() if per_token else 1)
    rule = Held(sequences, example, Control(), model.end_id)
    found = model.beams(ids, mask, width=64, allowed=lambda _, so_far: rule.allowed(so_far), per_token=per_token)[0]
    ranked = sorted(ranks, key=lambda columns: -ranks[columns])
    for (written, total, ended), columns in zip(found[:8], ranked, strict=False):
        assert ended and sequences.read(written).columns == columns
        assert total == pytest.approx(best[columns], abs=1e-3)
    greedy = model.beams(ids, mask, width=1, allowed=lambda row, so_far: rule.allowed(so_far))[0][0]
    assert greedy[1] == pytest.approx(best[sequences.read(greedy[0]).columns], abs=1e-3)


@pytest.mark.long
def test_it_learns_and_obeys(learned):
    generator, progress = learned
    assert progress.validations[-1]["primary"] > 0.9
    fresh = tiny.examples(24, 77)
    y, _ = targets(generator.schema, fresh)
    for held in (True, False):
        assert measure_tags(generator, fresh, width=2, held=held)["tags_micro_f1"] > 0.85
    one = generator.tags(fresh, Control(count=1), width=2)
    assert (one.chosen.sum(1) == 1).all() and not one.unknown.any()
    use = generator.tags(fresh, Control(facets=("use",)), width=2, held=False)  # asked in words, and not held to them
    assert not use.chosen[:, :3].any() and (use.chosen[:, 3:] == (y[:, 3:] > 0.5)).mean() > 0.9
    scores = generator.tags(fresh, width=4).scores
    assert scores.shape == y.shape and scores.min() >= 0 and scores.max() <= 1 + 1e-6
    assert scores[y > 0.5].mean() > 0.7 > 0.3 > scores[y < 0.5].mean()


def test_unknown_pieces_are_wrong_tags(learned, monkeypatch):
    generator, fresh = learned[0], tiny.examples(6, 77)
    before = measure_tags(generator, fresh, width=1, held=False)
    found = generator.tags(fresh, width=1, held=False)
    monkeypatch.setattr(generator, "tags", lambda *a, **k: replace(found, unknown=found.unknown + 2))
    after = measure_tags(generator, fresh, width=1, held=False)
    assert after["tags_micro_precision"] < before["tags_micro_precision"] and after["tags_unknown"] > 0.4
    assert after["tags_micro_recall"] == before["tags_micro_recall"]


@pytest.mark.long
def test_texts_are_drafted_from_tags():
    examples = [replace(e, texts={"title": f"{next(iter(e.labels['colour']))} Thing"}) for e in tiny.examples(48)]
    done = task(examples, generation="texts", generation_length=12)
    assert {kind for _, kind in done.rows} == {"title", "keywords"}  # nothing here lists selling points
    fit(done, Recipe(epochs=12))
    fresh = [replace(e, texts={}) for e in tiny.examples(8, 5)]
    titles = done.generator.texts(fresh, Control("title"), width=3, several=2)
    assert [t[0] for t in titles] == [f"{next(iter(e.labels['colour']))} Thing" for e in fresh]  # capitals kept
    assert all(len(t) == 2 for t in titles)
    with pytest.raises(ValueError, match="selling_points"):
        done.generator.texts(fresh, Control("selling_points"))
    with pytest.raises(ValueError, match="tags"):
        done.generator.tags(fresh)


def test_weights_shared_by_both_sides_are_kept_once(tmp_path):
    model = new_model()
    state = model.state_dict()
    assert sum("shared" in n or "embed_tokens" in n or "lm_head" in n for n in state) == 1
    from ml.training.checkpoints import Checkpoint

    Checkpoints(tmp_path).write(Checkpoint(1, {}, {"model": state}))
    other = new_model()
    torch.nn.init.zeros_(other.word_vectors)
    other.load_state_dict(Checkpoints(tmp_path).newest().tensors["model"])
    assert torch.equal(other.word_vectors, model.word_vectors)
    assert other.backbone.lm_head.weight.data_ptr() == other.word_vectors.data_ptr()


def test_any_checkpoint_that_writes_is_a_base(tmp_path):
    """A BART as transformers saves one: its own tokenizer and no control words; and what is no writer."""
    tokenizer = train_writer_tokenizer(["black blue white"], 300)
    config = BartConfig(
        vocab_size=300, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=40, pad_token_id=0,
        bos_token_id=1, eos_token_id=1, decoder_start_token_id=1, forced_eos_token_id=1,
    )  # fmt: skip
    BartForConditionalGeneration(config).save_pretrained(tmp_path)
    bare = json.loads(tokenizer.to_str())
    bare["added_tokens"] = bare["added_tokens"][:3]
    (tmp_path / "tokenizer.json").write_text(json.dumps(bare))
    model = load_seq2seq(tmp_path, max_length=64, max_output=64)
    assert (model.max_length, model.max_output, model.end_id) == (40, 40, 1)
    assert len(model.word_vectors) >= model.tokenizer.get_vocab_size() and model.tokenizer.token_to_id("<tag>")
    found = Generator(model.eval(), tiny.schema()).tags(tiny.examples(3), width=3)
    assert (found.chosen[:, :3].sum(1) <= 1).all() and not found.unknown.any()
    with pytest.raises(EncoderError, match="does not write text"):
        load_seq2seq(tiny.checkpoint(tmp_path / "bert"))


def test_two_parts_of_a_batch_weigh_as_the_whole():
    """The loss of a team's two parts has the mean of the whole batch, though their targets differ in length."""
    from ml.training.distributed import Team

    done = task(tiny.examples(8))
    rows = np.arange(7)
    done.model.eval()
    whole, _ = done.loss(rows, 4, done.model, ALONE)
    parts = [done.loss(rows, 4, done.model, Team(rank, 2))[0].item() for rank in range(2)]
    assert np.mean(parts) == pytest.approx(whole.item(), rel=1e-5) and parts[0] != pytest.approx(parts[1], rel=1e-4)


def assert_drafts_by_command(job, folder, capfd):
    folder.mkdir()
    write_jsonl(folder / "examples.jsonl", tiny.examples(5, 3))

    def said(**config):
        (folder / "config.json").write_text(json.dumps({"bundle": str(job / "bundle"), **config}))
        code = main(["generate", str(folder), "--detached"])
        return code, json.loads(capfd.readouterr().out.splitlines()[-1])

    code, done = said(kinds=["title", "tags"], count=1, language="en")
    rows = [json.loads(line) for line in (folder / "drafts.jsonl").read_text().splitlines()]
    tags = [row for row in rows if row["kind"] == "tags"]
    assert (code, done["products"], len(tags)) == (0, 5, 5)
    assert all(sum(map(len, row["tags"].values())) == 1 and row["unknown"] == 0 for row in tags)
    assert {row["kind"] for row in rows} == {"title", "tags"} and all(row.get("text", "x") for row in rows)
    code, failed = said(kinds=["selling_points"])
    assert code == 1 and "'selling_points' was not learned" in failed["reason"]


@pytest.mark.long
def test_a_job_with_a_generator(tmp_path, capfd):
    folder = tiny.job(tmp_path / "job", str(tiny.checkpoint(tmp_path / "base", layers=1)), epochs=1, **{
        **PLAN, "generation": "tags and texts", "generation_epochs": 2, "beams": 2, "vocabulary": 400,
    })  # fmt: skip
    Job(folder).run()
    report = json.loads((folder / "report.json").read_text())
    said = report["generation"]
    assert {"tags_micro_f1", "tags_unknown", "title_bleu", "title_rouge_l", "keywords_rouge_1"} <= set(said)
    assert all(0 <= value <= 1 for value in said.values()) and said["tags_unknown"] == 0
    assert FullModel.load(folder / "bundle").schema.hash == tiny.schema().hash  # what serves does not mind it
    first = Generator.load(folder / "bundle")
    again = Job(folder)
    (folder / "report.json").unlink()
    again.run()
    assert json.loads((folder / "report.json").read_text())["generation"] == said  # from the checkpoint, and the same
    assert first.kinds == ("tags", "title", "keywords")
    fresh = tiny.examples(5, 3)
    second = Generator.load(folder / "bundle")
    np.testing.assert_array_equal(first.tags(fresh).scores, second.tags(fresh).scores)
    assert first.texts(fresh, Control("title")) == second.texts(fresh, Control("title"))
    assert_drafts_by_command(folder, tmp_path / "drafts", capfd)
    assert not list((folder / "bundle").rglob("*.bin")) and (folder / "bundle/generator/model.safetensors").is_file()
    with (folder / "bundle/generator/generator.json").open("a") as card:
        card.write(" ")
    with pytest.raises(BundleError, match=r"generator\.json"):
        Generator.load(folder / "bundle")


def test_a_saved_generator_writes_the_same(learned, tmp_path):
    generator, fresh = learned[0], tiny.examples(6, 21)
    generator.save(tmp_path)
    loaded = Generator(load_seq2seq(tmp_path, max_length=48, max_output=24).eval(), Schema(tiny.schema().facets))
    np.testing.assert_allclose(loaded.tags(fresh).scores, generator.tags(fresh).scores, atol=1e-6)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"generation": "words"}, "generation: 'words' is not one of none, tags, texts"),
        ({"generation_base": "packaged-minilm"}, "generation_base: 'packaged-minilm' writes no text"),
        ({"generation_base": " "}, "generation_base"),
        ({"beams": 0}, "beams: 0 is not between 1 and 32"),
        ({"decoding": "constrained"}, "decoding"),
        ({"control_share": 1.5}, "control_share"),
    ],
)
def test_plans_that_do_not_fit(plan, says):
    with pytest.raises(PlanError, match=says):
        Plan.from_json(plan)


def test_nothing_to_write_is_said():
    undecided = tiny.examples(12, decided=False)
    with pytest.raises(TrainingError, match="answered as a whole"):
        task(undecided)
