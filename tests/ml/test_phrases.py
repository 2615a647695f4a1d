"""The dictionary word by word: precision as counted, a family's own lesson taken out, JSON and back."""

import numpy as np
import pytest

from ml.examples import Example, Span
from ml.instant.phrases import Phrases
from ml.schema import FacetSpec, Schema, TagSpec
from ml.serving.labelling import Labels, read
from ml.training.weak import with_weak_spans
from tests.ml.test_labelling import tokenizer  # noqa: F401

SCHEMA = Schema((FacetSpec("colour", (TagSpec("navy", {"en": "navy"}, ("藏青",)),)), FacetSpec("scent", ())))
B_COLOUR, I_COLOUR, B_SCENT = 1, 2, 3


def product(number, title, *marked, group="", **more):
    spans = tuple(Span("title", title.index(text), title.index(text) + len(text), facet) for facet, text in marked)
    return Example(f"p{number}", {"title": title}, "Soap", group=group, spans=spans, **more)


EXAMPLES = [
    product(1, "Rose soap in dark rose", ("scent", "Rose"), ("colour", "dark rose"), group="g"),
    product(2, "rose water", ("scent", "rose"), group="g"),
    product(3, "soap with rose", complete=frozenset({"scent"})),
    product(4, "a dark rose", ("colour", "dark rose")),
]


def found(phrases, example, tokenizer, **how):  # noqa: F811
    rendered, words = read(example, tokenizer)
    return phrases.found(example, rendered, words, **how)


def test_precision_is_what_was_counted(tokenizer):  # noqa: F811
    phrases = Phrases.learn(SCHEMA, EXAMPLES)
    out = found(phrases, product(9, "navy soap, rose"), tokenizer)
    assert out[0, B_COLOUR] == pytest.approx(0.75)  # the taxonomy's own name, never seen
    # rose is known of in 1 (twice, once right), 2 (right) and 3 (wrong); not in 4, where nobody said
    assert out[3, B_SCENT] == pytest.approx((2 + 4 * 0.5) / (4 + 4))
    assert np.count_nonzero(out) == 2


def test_the_longest_phrase_counts(tokenizer):  # noqa: F811
    out = found(Phrases.learn(SCHEMA, EXAMPLES), product(9, "dark rose"), tokenizer)
    assert out[0, B_COLOUR] == out[1, I_COLOUR] > 0.5 and out[0, I_COLOUR] == 0


def test_what_its_own_family_taught_is_taken_out(tokenizer):  # noqa: F811
    phrases = Phrases.learn(SCHEMA, EXAMPLES)
    without = Phrases.learn(SCHEMA, EXAMPLES[2:])
    for example in EXAMPLES[:2]:
        assert found(phrases, example, tokenizer, own=True) == pytest.approx(found(without, example, tokenizer))
        assert found(phrases, example, tokenizer).sum() > found(without, example, tokenizer).sum()


def test_json_and_back(tokenizer):  # noqa: F811
    phrases = Phrases.learn(SCHEMA, EXAMPLES)
    again = Phrases.from_json(SCHEMA, phrases.to_json())
    text = product(9, "navy soap of rose, dark rose, 藏青")
    assert (found(again, text, tokenizer) == found(phrases, text, tokenizer)).all()
    fewer = Phrases.from_json(Schema(SCHEMA.facets[:1]), phrases.to_json())
    assert found(fewer, text, tokenizer).shape[1] == len(Labels(Schema(SCHEMA.facets[:1])))


def test_weak_spans_are_where_the_words_of_accepted_tags_stand():
    schema = Schema((FacetSpec("colour", (TagSpec("navy", {"en": "navy"}, ("藏青",)), TagSpec("red", {"en": "red"}))),))

    def product(title, *tags, **more):
        return Example(title, {"title": title}, labels={"colour": frozenset(tags)} if tags else {}, **more)

    rows = [
        product("Navy shirt, navy tie", "navy"),
        product("藏青衬衫", "navy"),
        product("navy and red", "red"),
        product("only navy here", "navy", "red"),  # red is said nowhere: unknown
        product("red but undecided"),
        product("ink blue shirt", "navy", source={"colour": ("Ink Blue",)}),
        product("another ink blue one", "navy"),
        product("red", "red", spans=(Span("title", 0, 3, "colour", "red"),)),
    ]
    spans = [[(s.start, s.end, s.tag) for s in e.spans] for e in with_weak_spans(schema, rows)]
    assert spans == [
        [(0, 4, "navy"), (12, 16, "navy")], [(0, 2, "navy")], [(9, 12, "red")], [], [], [(0, 8, "navy")],
        [(8, 16, "navy")], [(0, 3, "red")],
    ]  # fmt: skip
