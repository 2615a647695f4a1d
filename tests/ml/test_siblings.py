"""Variants of decided articles: what a decided sibling has is not claimed of the others because they share their words."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ml.bundle import write_bundle
from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example
from ml.instant.cache import EmbeddingCache
from ml.instant.model import KIND, InstantModel, Plan
from ml.instant.pool import Pool
from ml.instant.siblings import HAS, HAS_NOT, TERMS, Heads, Siblings, axes, names_of
from ml.schema import FacetSpec, Schema, TagSpec

COLOURS = ("red", "navy", "olive", "white", "pink", "teal", "amber", "plum", "khaki", "lime")
MANY = len(COLOURS)
THINGS = (
    "hoodie",
    "parka",
    "tank",
    "tights",
    "jacket",
    "shorts",
    "vest",
    "jersey",
    "anorak",
    "legging",
    "shirt",
    "cap",
)
WORDS = ("brisk", "calm", "dawn", "ember", "fjord", "gale", "harbour", "isle", "juniper", "kestrel", "lagoon", "meadow")


def schema(axis: bool = True) -> Schema:
    def tags(*names: str) -> tuple[TagSpec, ...]:
        return tuple(TagSpec(name, {"en": name}) for name in names)

    colour = FacetSpec("colour", tags(*COLOURS), {"en": "Colour"}, variant_axis=axis)
    return Schema((colour, FacetSpec("kind", tags("thick", "thin"), {"en": "Kind"})))


def article(number: int, named: bool = False) -> list[Example]:
    """Three variants that share every word but, where ``named``, that of their colour."""
    first = random.Random(number).randrange(len(COLOURS))  # no word tells it
    out = []
    for step in range(3):
        colour = COLOURS[(first + step) % len(COLOURS)]
        thing, word = THINGS[number % len(THINGS)], WORDS[number * 5 % len(WORDS)]
        title = f"{word} {thing} {number} of model {number * 37 % 101}{word}"
        out.append(
            Example(
                f"{number}-{colour}",
                {"title": f"{title}, {colour}" if named else title},
                group=f"article {number}",
                labels={"colour": frozenset({colour}), "kind": frozenset({"thick" if number % 2 else "thin"})},
                complete=frozenset({"colour", "kind"}),
            )
        )
    return out


def bare(example: Example, *, alone: bool = False) -> Example:
    return Example(example.id, example.texts, group=example.id if alone else example.group)


def fit(articles: list[list[Example]], members: int = 1, axis: bool = True, **options) -> InstantModel:
    everything = [e for found in articles for e in found]
    decided = [e for found in articles for e in found[:members]]
    return InstantModel.fit(schema(axis), decided, [LexicalEncoder.fit(everything)], **options)


def wrong(model: InstantModel, products: list[Example], *, alone: bool = False) -> tuple[int, int]:
    """How many colours come checked, and how many of them are wrong."""
    scores = model.scores([bare(e, alone=alone) for e in products])
    found = [(e, COLOURS[c]) for e, row in zip(products, scores, strict=True)
             for c in np.flatnonzero(row[:MANY] >= model.thresholds[:MANY])]  # fmt: skip
    return len(found), sum(colour not in e.labels["colour"] for e, colour in found)


@pytest.mark.parametrize("members", [1, 2])
def test_a_siblings_colour_is_not_claimed_of_those_who_share_its_words(members: int) -> None:
    """Half of the articles name the colour of each variant, so that the model has reason to trust what it reads."""
    articles = [article(n, named=n % 2 == 0) for n in range(120)]
    model = fit(articles, members)
    rest = [e for found in articles[1::2] for e in found[members:]]
    claimed, mistaken = wrong(model, rest, alone=True)  # the control: who is whose sibling is not known
    assert mistaken > len(rest) / 2 or members > 1  # what two say differently is claimed of none
    claimed, mistaken = wrong(model, rest)
    assert mistaken <= len(rest) / 20, (claimed, mistaken)


def test_a_colour_that_the_title_names_is_still_claimed() -> None:
    articles = [article(n, named=True) for n in range(40)]
    model = fit(articles)
    rest = [e for found in articles for e in found[1:]]
    claimed, mistaken = wrong(model, rest)
    assert claimed - mistaken >= 0.9 * len(rest) and mistaken <= len(rest) / 20, (claimed, mistaken)


def test_other_facets_are_scored_as_ever() -> None:
    articles = [article(n) for n in range(40)]
    model = fit(articles)
    rest = [e for found in articles for e in found[1:]]
    together, apart = (model.scores([bare(e, alone=alone) for e in rest]) for alone in (False, True))
    assert np.array_equal(together[:, MANY:], apart[:, MANY:])
    assert not np.allclose(together[:, :MANY], apart[:, :MANY], atol=0.1)


@pytest.mark.parametrize("decided", [2, 40])  # two: nothing is calibrated yet
def test_the_folded_scores_are_those_kind_by_kind(decided: int) -> None:
    articles = [article(n, named=n % 2 == 0) for n in range(40)]
    model = fit(articles[:decided], 2)
    assert bool(model.report["calibrated"]) == (decided > 2)
    features = model.features([bare(e) for found in articles for e in found])
    assert model.siblings.said(features.product, features.family) is not None
    folded = model.scorer.logits(features)
    assert np.allclose(folded, model.combiner.logits(model.evidence(features), model.support), atol=1e-4)


def test_a_product_is_no_sibling_of_its_own() -> None:
    names, families = ["a", "b", "c", "d"], ["one", "one", "two", "d"]
    y, known = np.zeros((4, 6), dtype=np.float32), np.zeros((4, 6), dtype=bool)
    y[0, 0] = y[1, 1] = y[2, 2] = y[3, 3] = 1
    known[:, :4] = True
    heads = Heads.unfitted(np.arange(4), 3)
    siblings = Siblings.of(heads, names_of(names), families, y, known)
    asked, of = names_of([*names, "e"]), names_of([*families, "one"])
    said = siblings.said(asked, of)
    assert said is not None and said.rows.tolist() == [0, 1, 4]  # c is alone in its family, d has none
    assert said.what.tolist() == [
        [HAS_NOT, HAS, HAS_NOT, HAS_NOT], [HAS, HAS_NOT, HAS_NOT, HAS_NOT], [HAS, HAS, HAS_NOT, HAS_NOT],
    ]  # fmt: skip
    assert siblings.said(names_of(["x"]), names_of(["three"])) is None
    known[0] = False  # of the only sibling of b nothing is known
    said = Siblings.of(heads, names_of(names), families, y, known).said(asked, of)
    assert said is not None and said.rows.tolist() == [0, 4]


def test_what_siblings_have_is_weighed_by_what_was_seen() -> None:
    articles = [article(n) for n in range(40)]
    assert np.allclose(fit(articles, 1).siblings.heads.terms, np.array(TERMS))  # no two of an article are decided
    has, has_not = fit(articles, 2).siblings.heads.terms[0]
    assert has < TERMS[0] and has_not > has
    one = [article(n)[:1] * 3 if n % 5 < 2 else article(n) for n in range(40)]  # in two of five they agree
    alike = [[dataclasses.replace(e, id=f"{e.id}-{n}") for n, e in enumerate(found)] for found in one]
    heads = fit(alike, 2).siblings.heads
    assert len(heads.columns) and heads.terms[0][0] > 0


def test_what_was_seen_goes_before_the_mark() -> None:
    """A facet is marked as an axis and variants agree on it all the same: what was learned of one holds for the others."""
    articles = [
        [dataclasses.replace(e, labels={**e.labels, "colour": found[0].labels["colour"]}) for e in found]
        for found in (article(n, named=n % 2 == 0) for n in range(40))
    ]
    assert len(fit(articles, 1).siblings.heads.columns) == MANY
    model = fit(articles, 2)
    assert model.siblings.heads.columns.tolist() == []
    assert np.array_equal(*(model.scores([bare(e, alone=alone) for f in articles for e in f]) for alone in (0, 1)))


def test_a_marked_facet_of_which_products_have_several_values_is_no_axis() -> None:
    y, known = np.zeros((3, MANY + 2), dtype=np.float32), np.ones((3, MANY + 2), dtype=bool)
    y[:, :2] = 1
    assert axes(schema(), ["a", "b", "c"], y, known).tolist() == []
    y[1:, 1] = 0
    assert axes(schema(), ["a", "b", "c"], y, known).tolist() == list(range(MANY))


def test_a_facet_nobody_marked_is_an_axis_where_decided_variants_differ() -> None:
    articles = [article(n) for n in range(40)]
    assert fit(articles, 1, axis=False).siblings.heads.columns.tolist() == []
    assert fit(articles, 2, axis=False).siblings.heads.columns.tolist() == list(range(MANY))
    y, known = np.eye(4, MANY + 2, dtype=np.float32), np.ones((4, MANY + 2), dtype=bool)
    assert axes(schema(False), ["a", "a", "b", "b"], y, known).tolist() == []  # two families are too few


def test_families_that_are_not_scored_are_left_out_of_their_fold_too() -> None:
    articles = [article(n) for n in range(40)]
    model = fit(articles, plan=Plan(fold_rows=20))
    assert model.report["scored_products"] < 30
    claimed, mistaken = wrong(model, [e for found in articles for e in found[1:]])
    assert mistaken <= 8, (claimed, mistaken)


def test_a_bundle_keeps_what_siblings_say_and_an_older_one_says_nothing(tmp_path) -> None:
    articles = [article(n) for n in range(40)]
    model = fit(articles, 2)
    fresh = [bare(e) for found in articles for e in found]
    model.save(tmp_path / "new")
    assert np.array_equal(InstantModel.load(tmp_path / "new").scores(fresh), model.scores(fresh))

    def fill(directory) -> None:
        for file in (tmp_path / "new").rglob("*"):
            if file.is_file() and file.name != "bundle.json":
                target = directory / file.relative_to(tmp_path / "new")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
        arrays = load_file(directory / "instant.safetensors")
        kept = {n: a for n, a in arrays.items() if not n.startswith("siblings.")}
        save_file(kept, directory / "instant.safetensors")

    write_bundle(tmp_path / "old", KIND, {"encoders": [e.hash for e in model.encoders], "schema": schema().hash}, fill)
    alone = [bare(e, alone=True) for found in articles for e in found]
    assert np.allclose(InstantModel.load(tmp_path / "old").scores(fresh), model.scores(alone), atol=1e-6)


def test_a_pool_knows_a_sibling_as_soon_as_it_is_decided(tmp_path) -> None:
    """Also while the calibration is that of before, whose heads have not seen the new family either."""
    products = dict(enumerate(e for n in range(41) for e in article(n)))
    encoder = LexicalEncoder.fit(list(products.values()))
    pool = Pool(schema(), [encoder], EmbeddingCache(tmp_path), lambda keys: [(k, bare(products[k])) for k in keys])
    pool.put((key, bare(e)) for key, e in products.items())
    pool.decide((key, products[key]) for key in range(0, 120, 3))
    first = pool.fit()
    last = [121, 122]  # of the article that is not decided
    before = pool.features(last)
    assert first.siblings.said(before.product, before.family) is None
    pool.decide([(120, products[120])])
    second = pool.fit(first)
    assert second.combiner is first.combiner and second.siblings.heads is first.siblings.heads
    said = second.siblings.said(before.product, before.family)
    assert said is not None and (said.what == HAS).sum() == 2
    decided = COLOURS.index(next(iter(products[120].labels["colour"])))
    swept = pool.sweep(second, last).codes[:, decided] / 200
    assert (swept < second.thresholds[decided]).all()
    assert np.allclose(swept, second.scores([bare(products[k]) for k in last])[:, decided], atol=0.005)
