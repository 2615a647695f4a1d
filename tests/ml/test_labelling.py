"""Words, labels and spans: there and back, in the fields a person sees; what is known, possible and asked."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from ml.examples import Example, Span
from ml.schema import FacetSpec, Schema, TagSpec
from ml.serving.labelling import Labels, encode, known_facets, possible, read, spans_of

SCHEMA = Schema(
    (
        FacetSpec("colour", (TagSpec("navy", {"en": "navy blue", "zh": "藏青"}),)),
        FacetSpec("size", (), categories=("Clothes",)),
        FacetSpec("flavour", (), categories=("Food",)),
    )
)
LABELS = Labels(SCHEMA)


@pytest.fixture(scope="module")
def tokenizer():
    """Two characters a token, so that words have several tokens."""
    from tokenizers import Regex

    pieces = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Split(Regex("[一-龥]"), "isolated")]
    )
    return pieces


def example(**more):
    texts = {"title": "Navy-blue 藏青衬衫, XL", "description": "XL in navy blue"}
    spans = (
        Span("title", 0, 9, "colour"), Span("title", 10, 12, "colour"), Span("title", 16, 18, "size"),
        Span("description", 6, 15, "colour"),
    )  # fmt: skip
    return Example("a", texts, "Clothes/Shirts", spans=spans, **more)


def test_there_and_back(tokenizer):
    product = example()
    rendered, words = read(product, tokenizer)
    label = encode(LABELS, product, rendered, words)
    found = [span for span, _, _ in spans_of(rendered, words, label, LABELS)]
    assert found == list(product.spans)
    assert words.first.tolist() == [
        rendered.text[s : s + 4] == "Navy" or s == rendered.parts[1][1] for s in words.start
    ]
    assert all(rendered.text[s:e].strip() == rendered.text[s:e] for s, e in zip(words.start, words.end, strict=True))


def test_of_two_that_overlap_the_longer_counts_and_other_categories_have_none(tokenizer):
    product = Example(
        "a", {"title": "dark navy blue"}, "Clothes",
        spans=(Span("title", 5, 9, "colour"), Span("title", 0, 14, "colour"), Span("title", 0, 4, "flavour")),
    )  # fmt: skip
    rendered, words = read(product, tokenizer)
    assert encode(LABELS, product, rendered, words).tolist() == [1, 2, 2]


def test_no_span_leaves_its_field(tokenizer):
    product = example()
    rendered, words = read(product, tokenizer)
    asked = words.asked(LABELS.asked(product), LABELS.begins)
    border = np.flatnonzero(words.first)[1]
    assert asked[border].tolist() == [True, True, False, True, False, False, False]
    inside = spans_of(rendered, words, np.full(len(words), 2), LABELS)
    assert [(s.field, begin, end) for s, begin, end in inside] == [
        ("title", 0, border), ("description", border, len(words)),
    ]  # fmt: skip


def test_what_is_unknown_is_possible(tokenizer):
    product = example()
    rendered, words = read(product, tokenizer)
    label = encode(LABELS, product, rendered, words)
    assert known_facets(product) == {"colour", "size"}
    assert known_facets(example(complete=frozenset({"flavour"}))) == {"colour", "size", "flavour"}
    labelled = Example(
        "b", product.texts, "Food", labels={"flavour": frozenset({"mint"})}, complete=frozenset({"flavour"})
    )
    assert known_facets(labelled) == frozenset()  # a tag nobody said where
    may = possible(LABELS, product, label)
    assert may.sum(1).tolist() == [1] * len(words)
    may = possible(LABELS, labelled, np.zeros(len(words), int))
    assert may.tolist() == [[True, True, True, False, False, True, True]] * len(words)
