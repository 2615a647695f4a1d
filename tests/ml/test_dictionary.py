"""The dictionary: longest match, word boundaries where there are words, none where there are not."""

import numpy as np

from ml.examples import Example, Span
from ml.instant.dictionary import Dictionary, tokens
from ml.instant.evidence import Hits, entry_counts
from ml.schema import FacetSpec, Schema, TagSpec
from tests.ml.catalogue import smart_watch


def found(schema: Schema, example: Example) -> list[tuple[str, str]]:
    dictionary = Dictionary.build(schema)
    out = []
    for m in dictionary.match(example):
        text = example.texts[m.field][m.start : m.end] if m.field in example.texts else m.field
        out.append((schema.columns[m.column][1], text))
    return out


def colours(*labels: str) -> Schema:
    return Schema((FacetSpec("colour", tuple(TagSpec(x.lower(), {"en": x}) for x in labels)),))


def test_the_watch_by_its_own_words():
    schema, watch = smart_watch()
    names = {tag for tag, _ in found(schema, watch)}
    assert names == {"health", "sleep", "smart", "sport", "business", "leisure", "premium"}
    assert ("health", "血氧检测") in found(schema, watch)


def test_words_have_boundaries_and_plurals_and_the_longest_wins():
    schema = colours("Red", "Navy blue", "Blue", "Stripe")
    assert found(schema, Example("x", {"title": "RED cup, navy-blue stripes"})) == [
        ("red", "RED"), ("navy blue", "navy-blue"), ("stripe", "stripes"),
    ]  # fmt: skip
    assert found(schema, Example("x", {"title": "Tired redder hundred"})) == []
    assert found(schema, Example("x", {"title": "navy. Blue"})) == [("blue", "Blue")]


def test_negated_words_do_not_count():
    schema = colours("Leather")
    assert found(schema, Example("x", {"title": "non-leather, without leather"})) == []
    assert found(schema, Example("x", {"title": "no, leather"})) == [("leather", "leather")]


def test_answers_that_name_nothing_are_no_entries():
    schema = colours("Yes", "No", "Other")
    assert found(schema, Example("x", {"title": "Yes, no other shoe"})) == []


def test_numbers_keep_their_signs_and_points():
    schema = colours("100%", "8.5", "12 oz")
    assert found(schema, Example("x", {"title": "100 pieces, 8.5 wide, 12 oz."})) == [
        ("8.5", "8.5"),
        ("12 oz", "12 oz"),
    ]
    assert found(schema, Example("x", {"title": "100% cotton 8 5"})) == [("100%", "100%"), ("8.5", "8 5")]


def test_facets_that_do_not_apply_are_not_matched():
    schema = Schema((FacetSpec("roast", (TagSpec("dark", {"en": "Dark"}),), categories=("Food/Coffee",)),))
    title = {"title": "Dark beans"}
    assert found(schema, Example("x", title, category="Food/Coffee/Beans")) == [("dark", "Dark")]
    assert found(schema, Example("x", title, category="Food/Coffeemakers")) == []


def test_precision_is_learned_from_decisions_and_survives_saving():
    schema = colours("Rose")
    dictionary = Dictionary.build(schema)
    perfume = [Example(str(i), {"title": "Rose perfume"}) for i in range(10)]
    hits = Hits.of([dictionary.match(e) for e in perfume])
    counts = entry_counts(hits, np.zeros((10, 1)), np.ones((10, 1), dtype=bool), len(dictionary.entries))
    dictionary.learn(*counts)
    again = Dictionary.from_json(schema, dictionary.to_json())
    assert [(e.right, e.seen) for e in again.entries if not e.source] == [(0.0, 10.0)]


def test_marked_words_and_accepted_facts_become_entries():
    schema = colours("Navy")
    decided = Example(
        "x",
        {"title": "midnight cup"},
        labels={"colour": frozenset({"navy"})},
        spans=(Span("title", 0, 8, "colour", "navy"),),
        source={"colour": ("NVY 02",)},
    )
    dictionary = Dictionary.build(schema, [decided])
    fresh = Example("y", {"title": "Midnight plate"}, source={"colour": ("nvy 02", "unheard of")})
    assert [(m.field, m.column) for m in dictionary.match(fresh)] == [("title", 0), ("source", 0)]


def test_tokens_know_where_they_stand():
    text = "Ｔ恤 Boxes 30% cafés"
    assert [text[t.start : t.end] for t in tokens(text)] == ["Ｔ", "恤", "Boxes", "30", "%", "cafés"]
