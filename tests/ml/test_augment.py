"""Other ways to say the same product: what changes, what never does, and that an equal step draws equal ones."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from ml.encoders.hf import load_text_encoder  # noqa: E402
from ml.examples import Example  # noqa: E402
from ml.heads.masked import MaskedModel  # noqa: E402
from ml.schema import FacetSpec, Schema, TagSpec  # noqa: E402
from ml.text import render  # noqa: E402
from ml.training.augment import Augment, Synonyms  # noqa: E402
from ml.training.loop import Recipe, fit  # noqa: E402
from ml.training.plan import Plan, PlanError  # noqa: E402
from ml.training.tasks import MaskedTask, TagTask  # noqa: E402
from tests.ml import tiny  # noqa: E402

pytestmark = pytest.mark.torch
EXAMPLES = tiny.examples(40)
ROWS = np.arange(12)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    torch.set_num_threads(1)
    return load_text_encoder(tiny.checkpoint(tmp_path_factory.mktemp("base")), max_length=32)


def augment(encoder, masked=None, **changes):
    return Augment(Plan(base="x", pretrain_steps=1, **changes), tiny.schema(), encoder, EXAMPLES, masked)


def texts(encoder, read):
    return [encoder.tokenizer.decode(ids[mask.bool()].tolist()) for ids, mask in zip(*read, strict=True)]


def test_nothing_asked_for_reads_what_everything_else_reads(encoder):
    plain = encoder.tokenise([render(e).text for e in EXAMPLES])
    ours = augment(encoder).read(ROWS, 3)
    assert all(torch.equal(a, b) for a, b in zip(ours, plain.batch(ROWS, encoder.pad_id, encoder.device), strict=True))


def test_a_share_of_tokens_is_dropped_and_specials_stay(encoder):
    plain, kept = augment(encoder).tokens, augment(encoder, token_drop=0.3)
    before = after = 0
    for step in range(40):
        ids, mask = kept.read(ROWS, step)
        before, after = before + int(plain.lengths[ROWS].sum()) - 2 * len(ROWS), after + int(mask.sum()) - 2 * len(ROWS)
        for row, (line, real) in enumerate(zip(ids, mask, strict=True)):
            read, whole = line[real.bool()].tolist(), plain.text(row).tolist()
            assert read[0] == whole[0] and read[-1] == whole[-1] and len(read) > 2
            left = iter(whole)
            assert all(token in left for token in read), "in the order in which they stood"
    assert abs(after / before - 0.7) < 0.02


def test_what_is_drawn_is_a_function_of_seed_step_and_product(encoder):
    one, same = (augment(encoder, token_drop=0.3, shuffle_fields=1.0) for _ in range(2))
    assert torch.equal(one.read(ROWS, 5)[0], same.read(ROWS, 5)[0])
    assert texts(encoder, one.read(ROWS, 5)) != texts(encoder, one.read(ROWS, 6))
    assert texts(encoder, one.read(ROWS[::-1], 5)) == texts(encoder, one.read(ROWS, 5))[::-1], "whatever its batch"


def test_fields_change_places_and_keep_their_words(encoder):
    shuffled = augment(encoder, shuffle_fields=1.0)
    said = {shuffled.text(0, np.random.default_rng(n)) for n in range(60)}
    assert len(said) == 6, "category, title and description in every order"
    assert all(sorted(t.split()) == sorted(render(EXAMPLES[0]).text.split()) for t in said)


def test_synonyms_are_whole_words_of_one_tag_and_one_script():
    tags = (
        TagSpec("sofa", {"en": "sofa", "zh": "沙发"}, ("couch",)),
        TagSpec("tv", {"en": "television"}, ("set",)),
        TagSpec("kit", {"en": "kit"}, ("set",)),
        TagSpec("cotton", {"zh": "纯棉"}, ("全棉",)),
    )
    words, rng = Synonyms(Schema((FacetSpec("f", tags),))), np.random.default_rng(0)
    assert words.swapped("A Sofa bed, sofas", 1.0, rng) == "A couch bed, sofas"
    assert words.swapped("A TV set in 沙发", 1.0, rng) == "A TV set in 沙发", "two tags' word; no other of its script"
    assert words.swapped("新款纯棉四件套", 1.0, rng) == "新款全棉四件套", "no spaces around Chinese words"
    assert words.swapped("sofa sofa", 0.0, rng) == "sofa sofa"
    swapped = [words.swapped("sofa", 0.25, rng) == "couch" for _ in range(2000)]
    assert abs(np.mean(swapped) - 0.25) < 0.04
    assert Synonyms(tiny.schema()).swapped("black shirt", 1.0, rng) == "black shirt"


@pytest.mark.long
def test_a_masked_model_says_what_could_stand_there(encoder):
    plan = Plan(base="x", pretrain_steps=250, pretrain_learning_rate=1e-3, pretrain_batch_tokens=512)
    untrained = MaskedModel(copy.deepcopy(encoder))
    task = MaskedTask(plan, copy.deepcopy(encoder), [render(e).text for e in EXAMPLES])
    fit(task, Recipe(epochs=task.epochs, steps=250))
    learned, unlearned = (augment(encoder, m, masked_replace=0.3) for m in (task.model, untrained))
    plain, mask = augment(encoder).read(ROWS, 0)
    shares = []
    for model in (learned, unlearned):
        changed = [(model.read(ROWS, step)[0] != plain)[mask.bool()].float().mean().item() for step in range(20)]
        shares.append(np.mean(changed))
        ids = model.read(ROWS, 1)[0]
        special = torch.tensor(sorted(encoder.special_ids))
        assert torch.equal(torch.isin(ids, special), torch.isin(plain, special))
    assert 0 < shares[0] < 0.8 * shares[1], "who knows the texts often says what stood there"


def test_an_augmented_run_resumes_and_is_validated_on_what_is(encoder):
    plan = Plan(base="x", batch_size=8, token_drop=0.5, shuffle_fields=0.5, device="cpu")
    task = TagTask(plan, tiny.schema(), encoder, EXAMPLES[:32], EXAMPLES[32:])
    task.model.train()
    assert not torch.equal(task.read(ROWS, 0)[0], task.read(ROWS, 1)[0])
    task.model.eval()
    assert torch.equal(task.read(ROWS, 0)[0], task.read(ROWS, 1)[0])


def test_the_category_alone_is_a_text(encoder):
    lone = [Example("a", {}, "Shoes/Boots"), Example("b", {"title": "boot"}), Example("c", {"title": "boot"}, "Shoes")]
    made = Augment(Plan(base="x", shuffle_fields=1.0), tiny.schema(), encoder, lone)
    assert made.pieces == [["Shoes / Boots"], ["boot"], ["Shoes", "boot"]]


def test_masked_replacement_needs_a_masked_head():
    with pytest.raises(PlanError, match="masked_replace"):
        Plan(base="x", masked_replace=0.1)
