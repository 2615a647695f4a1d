"""Relations as constraints: every answer agrees with them. Relations learned: those that were put in, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from ml.knowledge import Relations, Together, as_relations, learn
from ml.schema import FacetSpec, Schema, TagSpec

SCHEMA = Schema(
    (
        FacetSpec("kind", (TagSpec("shoe"), TagSpec("boot", parent="shoe"), TagSpec("ankle", parent="boot")), implied_parents=True),
        FacetSpec("pattern", (TagSpec("plain", exclusive=True), TagSpec("dots"), TagSpec("stripes"))),
        FacetSpec("use", (TagSpec("beach", not_with=(("kind", "boot"),)), TagSpec("baby", categories=("Kids",)))),
    )
)  # fmt: skip


def test_what_a_schema_states() -> None:
    relations = Relations.of(SCHEMA)
    assert set(relations.implied) == {(1, 0), (2, 1)} and relations.implied[0] == (2, 1), "children first"
    assert relations.apart == ((1, 6), (3, 4), (3, 5))
    assert relations.allowed("Kids/Shoes").all() and not relations.allowed("Women")[7]
    again = Schema.from_json(SCHEMA.to_json())
    assert again == SCHEMA and again.hash == SCHEMA.hash


def test_a_schema_without_relations_keeps_its_hash_and_its_scores() -> None:
    plain = Schema((FacetSpec("a", (TagSpec("x"),)),))
    assert "parent" not in str(plain.to_json()) and Relations.of(plain).empty
    p = np.array([[0.3]])
    assert Relations.of(plain).constrain(p, [""]) is p


def test_probabilities_agree_with_every_relation() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((400, 8))
    categories = ["Kids/Shoes", "Women", "", "Kids"] * 100
    relations = Relations.of(SCHEMA)
    q = relations.constrain(p, categories)
    assert ((q >= 0) & (q <= 1)).all()
    assert (q[:, 0] >= q[:, 1]).all() and (q[:, 1] >= q[:, 2]).all()
    for a, b in relations.apart:
        assert (q[:, a] + q[:, b] <= 1 + 1e-9).all()
    assert (q[[c == "Women" for c in categories], 7] == 0).all()
    np.testing.assert_allclose(relations.constrain(q, categories), q)
    assert relations.breaks(relations.settle(q > 0.3, q), categories) == 0
    assert relations.breaks(p > 0.3, categories) > 0, "the control: unconstrained ones break them"


def test_a_ring_of_parents_ends() -> None:
    ring = Schema((FacetSpec("k", (TagSpec("a", parent="b"), TagSpec("b", parent="a")), implied_parents=True),))
    q = Relations.of(ring).constrain(np.array([[0.2, 0.9]]), [""])
    assert q.shape == (1, 2)


FLAT = Schema((FacetSpec("a", tuple(TagSpec(f"a{n}") for n in range(3))), FacetSpec("b", tuple(TagSpec(f"b{n}") for n in range(3)))))  # fmt: skip


def draw(n: int = 2000) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(3)
    y = (rng.random((n, 6)) < 0.2).astype(np.float32)
    categories = [("Women", "Men")[int(k)] for k in rng.integers(0, 2, n)]
    y[:, 3] = np.maximum(y[:, 3], y[:, 0])  # a0 implies b0
    y[:, 4] *= 1 - y[:, 1]  # a1 excludes b1
    y[:, 5] *= np.array([c == "Women" for c in categories])  # b2 in Women alone
    return y, np.ones(y.shape, dtype=bool), categories


def test_what_was_put_in_is_learned_and_nothing_else() -> None:
    y, known, categories = draw()
    found = {(r.kind, r.first, r.second, r.categories) for r in learn(FLAT, y, known, categories)}
    assert found == {("implies", 0, 3, ()), ("excludes", 1, 4, ()), ("category", 5, -1, ("Women",))}
    rng = np.random.default_rng(5)
    noise = (rng.random((2000, 6)) < 0.2).astype(np.float32)
    assert learn(FLAT, noise, known, categories) == [], "the control: independent tags teach nothing"


def test_what_nobody_said_counts_for_nothing() -> None:
    y, known, categories = draw()
    known[:, 3] = False
    known[:, 4] = False
    assert {r.kind for r in learn(FLAT, y, known, categories)} == {"category"}


def test_learned_relations_hold_as_constraints() -> None:
    y, known, categories = draw()
    learned = learn(FLAT, y, known, categories)
    relations = as_relations(FLAT, learned, ["implies", "excludes", "category"])
    q = relations.constrain(np.random.default_rng(1).random((50, 6)), categories[:50])
    assert (q[:, 3] >= q[:, 0]).all() and (q[:, 1] + q[:, 4] <= 1 + 1e-9).all()


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_co_occurrence_moves_what_comes_together(weight: float) -> None:
    y, known, _categories = draw()
    together = Together(FLAT, y, known)
    p = np.full((1, 6), 0.3)
    p[0, 0] = 0.95
    q = together.adjust(p, weight)
    assert (q[0, 3] > p[0, 3]) == (weight > 0)
    assert abs(q[0, 5] - p[0, 5]) < 0.1


def test_the_predictor_checks_nothing_that_the_taxonomy_does_not_allow() -> None:
    """Two tags whose words are in the text, of which one stands alone; and one that brings its parent along."""
    from ml.encoders.lexical import LexicalEncoder
    from ml.examples import Example
    from ml.instant.model import InstantModel
    from ml.serving.predictor import Predictor

    def tags(related: bool) -> Schema:
        return Schema(
            (
                FacetSpec(
                    "pattern",
                    (TagSpec("plain", {"en": "plain"}, exclusive=related), TagSpec("dots", {"en": "dots"})),
                ),
                FacetSpec("use", (TagSpec("baby", {"en": "baby"}, categories=("Kids",) if related else ()),)),
            )
        )

    words = ["plain coat", "dots dress", "baby shoe", "wool scarf"]
    seen = [
        Example(
            f"{n}", {"title": f"{words[n % 4]} number {n}"}, category="Kids" if n // 4 % 2 else "Women",
            labels={"pattern": frozenset({"plain"} if n % 4 == 0 else {"dots"} if n % 4 == 1 else set()), "use": frozenset({"baby"} if n % 4 == 2 else set())},
            complete=frozenset({"pattern", "use"}),
        )
        for n in range(80)
    ]  # fmt: skip
    asked = Example("q", {"title": "plain coat, dots dress, baby shoe"}, category="Women")
    encoder = LexicalEncoder.fit(seen)

    def checked(related: bool) -> set[str]:
        model = InstantModel.fit(tags(related), seen, [encoder])
        model.thresholds[:] = 0.05
        return {t.tag for t in Predictor(model).predict([asked])[0].checked}

    assert checked(related=False) == {"plain", "dots", "baby"}, "the control"
    assert len(checked(related=True) & {"plain", "dots"}) == 1 and "baby" not in checked(related=True)
