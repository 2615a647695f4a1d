"""The instant model: sensible from nothing, right after a few decisions, the same after saving, calibrated honestly."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ml.bundle import BundleError
from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, targets
from ml.instant import head
from ml.instant.cache import EmbeddingCache
from ml.instant.model import InstantModel
from ml.schema import FacetSpec, Schema, TagSpec
from ml.serving.predictor import Predictor
from tests.ml.catalogue import bare, products, schema, smart_watch, text_of


@pytest.fixture(scope="module")
def encoder() -> LexicalEncoder:
    return LexicalEncoder.fit(products())


@pytest.fixture(scope="module")
def model(encoder) -> InstantModel:
    return InstantModel.fit(schema(), [e for e in products() if not e.group.endswith("-2")], [encoder])


def test_the_head_finds_the_same_weights_as_scikit_learn():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 6)).astype(np.float32)
    y = (x @ rng.normal(size=(6, 3)) + rng.normal(size=(80, 3)) > 0).astype(np.float32)
    known = rng.random((80, 3)) > 0.3
    rotation = head.rotate(x, ridge=0.5, intercept_ridge=1e-4)
    weights = head.restore(rotation, head.solve(rotation, y, known, steps=500))
    for tag in range(3):
        rows = known[:, tag]
        peer = LogisticRegression(C=2.0, tol=1e-8).fit(x[rows], y[rows, tag])
        assert np.allclose(weights[:-1, tag], peer.coef_[0], atol=0.02)
        assert np.isclose(weights[-1, tag], peer.intercept_[0], atol=0.02)
    warm = head.warm(rotation, weights)
    assert np.allclose(head.restore(rotation, warm), weights, atol=1e-3)


def test_with_no_decision_the_words_of_the_watch_speak(encoder):
    watch_schema, watch = smart_watch()
    model = InstantModel.fit(watch_schema, [], [LexicalEncoder.fit([watch])])
    (prediction,) = Predictor(model).predict([watch])
    checked = {t.tag: t for t in prediction.checked}
    assert {"health", "sleep", "smart", "sport", "business", "leisure", "premium"} == set(checked)
    assert {t.source for t in checked.values()} == {"dictionary"}
    assert {text_of(watch, s) for s in checked["health"].spans} == {"心率监测", "血氧检测"}
    assert {text_of(watch, s) for s in checked["business"].spans} == {"商务"}


def test_what_no_word_names_is_learned_for_families_never_seen(model):
    fresh = [e for e in products() if e.group.endswith("-2")]
    y, _ = targets(schema(), fresh)
    p = model.scores([bare(e) for e in fresh])
    checked = p >= model.thresholds
    right = (checked * y).sum()
    assert 2 * right / (checked.sum() + y.sum()) > 0.75
    assert np.allclose(p[:, :3].sum(axis=1).clip(max=1.0), p[:, :3].sum(axis=1))  # one colour: shares of one


def test_unknown_is_not_no(encoder):
    """Products decided for colour alone say nothing about use, and teach nothing about it."""
    half = [
        dataclasses.replace(e, labels={"colour": e.labels["colour"]}, complete=frozenset({"colour"}))
        for e in products()
    ]
    model = InstantModel.fit(schema(), half, [encoder])
    use = schema().facet_columns["use"]
    assert not model.has_head[use].any()
    assert (model.support[use] == 0).all()
    assert model.has_head[schema().facet_columns["colour"]].all()


def test_saving_and_loading_changes_no_score(model, encoder, tmp_path):
    fresh = [bare(e) for e in products()]
    model.save(tmp_path / "inside", {"note": "whole"})
    model.save(tmp_path / "beside", encoders_dir=tmp_path / "encoders")
    expected = model.scores(fresh)
    assert np.array_equal(Predictor.load(tmp_path / "inside").scores(fresh), expected)
    assert np.array_equal(Predictor.load(tmp_path / "beside", tmp_path / "encoders").scores(fresh), expected)
    assert (tmp_path / "encoders" / encoder.hash).is_dir()
    with pytest.raises(BundleError, match="neither in the bundle"):
        Predictor.load(tmp_path / "beside")


def test_a_damaged_bundle_names_the_file(model, tmp_path):
    model.save(tmp_path / "m")
    file = tmp_path / "m" / "dictionary.json"
    file.write_text(file.read_text(encoding="utf-8").replace("red", "rot"), encoding="utf-8")
    with pytest.raises(BundleError, match=r"dictionary\.json"):
        InstantModel.load(tmp_path / "m")


def test_the_same_decisions_give_the_same_model_with_or_without_a_start(model, encoder):
    decided = [e for e in products() if not e.group.endswith("-2")]
    again = InstantModel.fit(schema(), decided, [encoder])
    started = InstantModel.fit(schema(), decided, [encoder], previous=model)
    fresh = [bare(e) for e in products()]
    assert np.array_equal(again.scores(fresh), model.scores(fresh))
    assert np.allclose(started.scores(fresh), model.scores(fresh), atol=0.01)


def test_calibration_reads_only_the_families_it_may(encoder):
    """An encoder that knows the answers of some families: calibrating on these would trust it too much."""
    decided = products()
    families = {e.family for e in decided if e.group.endswith(("-0", "-1"))}
    rng = np.random.default_rng(0)

    class Leaky:
        hash = "1" * 64
        dim = 6

        def embed(self, examples):
            known = {e.id: e for e in decided if e.family not in families}
            out = rng.normal(size=(len(examples), 6)).astype(np.float32) * 0.3
            for row, example in enumerate(examples):
                if example.id in known:
                    out[row, :2] += [4.0, 0.0] if "sport" in known[example.id].labels["use"] else [0.0, 4.0]
            return out / np.linalg.norm(out, axis=1, keepdims=True)

    honest = InstantModel.fit(schema(), decided, [Leaky()], calibrate_on=families)
    trusting = InstantModel.fit(schema(), decided, [Leaky()], calibrate_on=set(families ^ {e.family for e in decided}))
    assert honest.report["scored_products"] == sum(e.family in families for e in decided)
    unseen = [bare(e) for e in decided if e.family in families]
    use = schema().facet_columns["use"]
    sure = {m: np.abs(model.scores(unseen)[:, use] - 0.5).mean() for m, model in (("h", honest), ("t", trusting))}
    assert sure["h"] < 0.8 * sure["t"]


def test_a_new_tag_is_suggested_from_its_words_at_once(encoder):
    old = schema()
    use = old.facets[1]
    new = Schema((old.facets[0], dataclasses.replace(use, tags=(*use.tags, TagSpec("travel", {"en": "Briefcase"})))))
    decided = [dataclasses.replace(e, complete=frozenset({"colour"})) for e in products() if e.group != "office-0-1"]
    model = InstantModel.fit(new, decided, [encoder])
    (prediction,) = Predictor(model).predict([Example("x", {"title": "Olive leather briefcase"})])
    suggested = {t.tag: t for t in prediction.tags}
    assert suggested["travel"].source == "dictionary"
    assert suggested["travel"].spans[0].start == len("Olive leather ")


def test_a_fact_of_the_source_is_suggested_and_its_precision_learned(encoder):
    claims = [dataclasses.replace(e, texts={"title": "thing"}, source={"colour": ("Red",)}) for e in products()]
    (before,) = Predictor(InstantModel.fit(schema(), [], [encoder])).predict([bare(claims[0])])
    assert not before.checked
    claim = Example("x", {"title": "thing"}, source={"colour": ("red",)})
    (before,) = Predictor(InstantModel.fit(schema(), [], [encoder])).predict([claim])
    assert [(t.tag, t.source) for t in before.checked] == [("red", "source")]
    wrong = [dataclasses.replace(e, labels={"colour": frozenset({"navy"})}) for e in claims]
    (after,) = Predictor(InstantModel.fit(schema(), wrong, [encoder])).predict([claim])
    assert "red" not in {t.tag for t in after.checked}


def test_decided_products_that_came_with_facts_do_not_unteach_the_text(encoder):
    """Every decided product says its colour and use as a fact; new ones come with their title alone."""
    decided = [e for e in products() if not e.group.endswith("-2")]
    fresh = [e for e in products() if e.group.endswith("-2")]
    told = [dataclasses.replace(e, source={f: tuple(t) for f, t in e.labels.items()}) for e in decided]
    plain = InstantModel.fit(schema(), decided, [encoder]).scores([bare(e) for e in fresh])
    with_facts = InstantModel.fit(schema(), told, [encoder])
    assert np.allclose(with_facts.scores([bare(e) for e in fresh]), plain, atol=1e-4)
    claim = Example("x", {"title": "thing"}, source={"use": ("office",)})
    silent = Example("x", {"title": "thing"})
    column = schema().column("use", "office")
    assert with_facts.scores([claim])[0, column] > with_facts.scores([silent])[0, column] + 0.3


def test_the_cache_computes_each_text_once(encoder, tmp_path):
    class Counting:
        hash, dim, seen = encoder.hash, encoder.dim, 0

        def embed(self, examples):
            self.seen += len(examples)
            return encoder.embed(examples)

    counting = Counting()
    examples = [bare(e) for e in products()]
    first = EmbeddingCache(tmp_path).embed(counting, [*examples, *examples])
    assert counting.seen == len(examples)
    second = EmbeddingCache(tmp_path).embed(counting, examples[::-1])
    assert counting.seen == len(examples)
    assert np.array_equal(first[: len(examples)], second[::-1])


def test_the_cache_survives_a_writer_that_was_killed(encoder, tmp_path):
    examples = [bare(e) for e in products()]
    EmbeddingCache(tmp_path).embed(encoder, examples[:10])
    with (tmp_path / encoder.hash / "vectors.f32").open("ab") as stream:
        stream.write(b"half a row")  # vectors go first, so this is what a kill leaves
    with (tmp_path / encoder.hash / "keys.sha256").open("ab") as stream:
        stream.write(b"half a key")
    found = EmbeddingCache(tmp_path).embed(encoder, examples)
    assert np.allclose(found, encoder.embed(examples), atol=1e-6)
    assert np.allclose(EmbeddingCache(tmp_path).embed(encoder, examples), found)


def test_facets_of_other_categories_are_neither_scored_nor_suggested(encoder):
    limited = Schema((dataclasses.replace(schema().facets[0], categories=("Shoes",)), schema().facets[1]))
    decided = [dataclasses.replace(e, category="Shoes/Running") for e in products()]
    model = InstantModel.fit(limited, decided, [encoder])
    hat, shoe = (Example("x", {"title": "Red running shoe"}, category=c) for c in ("Hats", "Shoes"))
    predictions = Predictor(model).predict([hat, shoe])
    assert {t.facet for t in predictions[0].tags} == {"use"}
    assert {t.facet for t in predictions[1].tags} == {"colour", "use"}


def test_schemas_without_tags_and_models_without_encoders_are_refused(encoder):
    with pytest.raises(ValueError, match="no tags"):
        InstantModel.fit(Schema((FacetSpec("empty", ()),)), [], [encoder])
    with pytest.raises(ValueError, match="at least one encoder"):
        InstantModel.fit(schema(), [], [])
