"""The pool: what is kept between refits gives what reading everything anew would give, at every step."""

import dataclasses

import numpy as np
import pytest

from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, Span
from ml.instant.cache import EmbeddingCache
from ml.instant.fitting import calibrate, can_wait
from ml.instant.model import InstantModel
from ml.instant.pool import Pool
from ml.schema import FacetSpec, Schema, TagSpec
from tests.ml.catalogue import bare, products, schema


@pytest.fixture(scope="module")
def encoder() -> LexicalEncoder:
    return LexicalEncoder.fit(products())


class Shop:
    """A pool with the store it reads from, and how often it was asked."""

    def __init__(self, encoder: LexicalEncoder, tmp_path) -> None:
        self.store: dict[int, Example] = {}
        self.fetched: list[int] = []
        self.pool = Pool(schema(), [encoder], EmbeddingCache(tmp_path), self.fetch)

    def fetch(self, keys):
        self.fetched += keys
        return [(key, self.store[key]) for key in keys]

    def put(self, examples: dict[int, Example]) -> None:
        self.store |= examples
        self.pool.put((key, bare_with_facts(e)) for key, e in examples.items())
        self.pool.decide(examples.items())

    def check(self) -> InstantModel:
        """The pool's model and scores are those of a model fitted on the examples themselves."""
        model = self.pool.fit()
        pool = self.pool
        decided = [self.store[key] for key in pool.decided]
        plain = InstantModel.fit(pool.schema, decided, pool.encoders)
        everyone = [bare_with_facts(e) for e in self.store.values()]
        found = model.probabilities(pool.features(list(self.store)))
        assert np.allclose(found, plain.scores(everyone), atol=1e-5)
        assert np.allclose(model.thresholds, plain.thresholds)
        return model


def bare_with_facts(example: Example) -> Example:
    return dataclasses.replace(bare(example), source=example.source)


def told(example: Example, number: int) -> Example:
    """With a fact of the source for every other product, and marked words."""
    if number % 2:
        return dataclasses.replace(example, source={"colour": (next(iter(example.labels["colour"])).upper() + " 01",)})
    title = example.texts["title"]
    span = Span("title", 0, len(title.split(" ")[0]), "use", next(iter(example.labels["use"])))
    return dataclasses.replace(example, spans=(span,))


def test_what_is_kept_equals_what_is_read_anew_after_every_change(encoder, tmp_path):
    shop = Shop(encoder, tmp_path)
    everything = {100 + n: told(e, n) for n, e in enumerate(products())}
    undecided = {key: bare_with_facts(e) for key, e in everything.items()}
    shop.put(undecided)
    shop.check()
    shop.put(dict(list(everything.items())[:30]))  # decisions bring new phrases: others are matched anew
    assert not shop.fetched
    shop.check()
    assert shop.fetched
    changed = dataclasses.replace(everything[140], texts={"title": "Olive oxford shirt, athletics"}, category="Shirts")
    shop.put({140: changed, **{key: everything[key] for key in (150, 151)}})
    shop.check()
    shop.pool.drop([140, 150, 999])
    for key in (140, 150):
        del shop.store[key]
    shop.put({7: everything[150]})  # a new product in the place of an old one
    shop.check()
    shop.pool.decide([(151, undecided[151])])  # taken back
    shop.store[151] = undecided[151]
    shop.check()


def test_another_taxonomy_reads_only_what_its_new_words_may_stand_in(encoder, tmp_path):
    shop = Shop(encoder, tmp_path)
    shop.put(dict(enumerate(products())))
    shop.check()
    colour, use = schema().facets
    shop.fetched.clear()
    briefcase = TagSpec("travel", {"en": "Briefcase"})
    shop.pool.use(Schema((FacetSpec("use", (briefcase, *use.tags)), colour)), shop.pool.encoders)
    model = shop.check()
    assert shop.fetched and all("briefcase" in shop.store[key].texts["title"] for key in shop.fetched)
    assert model.schema.columns[0] == ("use", "travel")
    limited = dataclasses.replace(colour, categories=("Hats",))
    shop.pool.use(Schema((limited, use)), shop.pool.encoders)
    shop.check()


def test_a_kept_calibration_weighs_as_before_and_ends_when_enough_is_new(encoder, tmp_path):
    shop = Shop(encoder, tmp_path)
    shop.put(dict(enumerate(products()[:40])))
    first = shop.pool.fit()
    assert first.report["calibrated_on"] == 40
    shop.put({40: products()[40]})
    second = shop.pool.fit(first)
    assert second.combiner is first.combiner and second.report["calibrated_on"] == 40
    assert second.support.sum() > first.support.sum()
    shop.put({n: e for n, e in enumerate(products()) if n < 50})
    third = shop.pool.fit(second)
    assert third.report["calibrated_on"] == 50
    anew = shop.pool.fit()
    assert np.allclose(third.combiner.weights, anew.combiner.weights, atol=0.02)


def test_folding_the_model_changes_no_score(encoder):
    claims = [told(e, n) for n, e in enumerate(products())]
    limited = Schema((dataclasses.replace(schema().facets[0], categories=("Shoes",)), schema().facets[1]))
    decided = [dataclasses.replace(e, category="Shoes" if n % 3 else "Hats") for n, e in enumerate(claims)]
    model = InstantModel.fit(limited, decided[:40], [encoder])
    features = model.features([bare_with_facts(e) for e in decided])
    folded = model.scorer.logits(features)
    assert np.allclose(folded, model.combiner.logits(model.evidence(features), model.support), atol=1e-4)


def test_a_calibration_made_beside_is_the_one_made_while_fitting(encoder, tmp_path):
    shop = Shop(encoder, tmp_path)
    everything = {n: told(e, n) for n, e in enumerate(products())}
    shop.put(dict(list(everything.items())[:60]))
    first = shop.pool.fit()
    snapshot, pauses = shop.pool.material(first), []
    inline = shop.pool.fit(first, recalibrate=True)
    shop.put(dict(list(everything.items())[60:66]))  # people go on deciding
    beside = calibrate(snapshot, first, lambda: pauses.append(1))
    assert len(pauses) >= 8  # between folds, for whoever is in a hurry
    assert np.allclose(beside.combiner.weights, inline.combiner.weights)
    assert np.allclose(beside.thresholds, inline.thresholds) and beside.report["calibrated_on"] == 60
    later = shop.pool.fit(first, calibration=beside)
    assert later.combiner is beside.combiner and later.report["products"] == 66
    assert shop.pool.calibration_due(later)  # it is of 60 products, and a tenth was decided since
    assert can_wait(first, shop.pool.schema, shop.pool.encoders) and not can_wait(None, shop.pool.schema, [encoder])
