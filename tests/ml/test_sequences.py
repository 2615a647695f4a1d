"""Sources, targets and the prefix trie: what is written reads back, and what is held is exactly what may stand."""

import itertools

import numpy as np
import pytest

pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from ml.encoders.seq2seq import train_writer_tokenizer
from ml.examples import Example, targets
from ml.generation import FACET, PRODUCT, TAG, Control, Held, TagSequences, answered, columns_of, source
from ml.schema import FacetSpec, Schema, TagSpec
from ml.training.pairs import draw_control, key_phrases, points, written_text

pytestmark = pytest.mark.torch


def tags(*names):
    return tuple(TagSpec(n, {"en": n, "zh": f"{n}的"}) for n in names)


SCHEMA = Schema(
    (
        FacetSpec("colour", tags("black", "black white", "blue"), {"en": "Colour", "zh": "颜色"}, single=True),
        FacetSpec("size", (*tags("S", "S, M", "1.5"), TagSpec("s2", {"en": "s"}), TagSpec("15", {"en": "15"}))),
        FacetSpec("lens", tags("wide", "手表"), categories=("Cameras",)),
    )
)
TOKENIZER = train_writer_tokenizer(["Colour black white S, M 1.5 size 颜色 手表"] * 3, 400)
END = TOKENIZER.token_to_id("</s>")


@pytest.fixture(scope="module")
def sequences():
    return TagSequences(SCHEMA, TOKENIZER, "en")


@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_every_set_of_tags_reads_back(language):
    sequences = TagSequences(SCHEMA, TOKENIZER, language)
    for size in (0, 1, 2, 3, 10):
        for columns in itertools.islice(itertools.combinations(range(10), size), 60):
            parsed = sequences.read(sequences.write(columns))
            assert parsed.columns == columns and parsed.unknown == 0
    assert len({sequences.tag_names[c] for c in range(3, 8)}) == 5, "names of one facet are apart"


def test_names_in_other_words_are_counted_and_cut_ones_are_not_read(sequences):
    def ids(text):
        return TOKENIZER.encode(text, add_special_tokens=False).ids

    free = ids(f"{FACET} colour {TAG} BLACK {TAG} pink {FACET} shape {TAG} round")
    assert sequences.read(free).columns == (0,)  # however it is cut and capitalised
    assert sequences.read(free).unknown == 3  # pink, shape, and round, which is of no facet
    assert sequences.read([*ids("nonsense"), *free]).unknown == 4
    cut = sequences.write([1])[:-1]  # of 'black white' only 'black' is there
    assert sequences.read(cut, ended=False).columns == () and sequences.read(cut, ended=True).columns == (0,)


def every(held, limit=5000):
    """All sequences that may be written, by walking the tree."""
    left, found = [[]], []
    while left:
        ids = left.pop()
        for token in held.allowed(ids):
            if token == END:
                found.append(tuple(ids))
            else:
                left.append([*ids, token])
        assert len(found) < limit
    return found


def may(category, facets=(), count=0):
    """All sets of tags that the control lets be, by trying each."""
    out = set()
    for size in range(11):
        for columns in itertools.combinations(range(10), size):
            of = [SCHEMA.columns[c][0] for c in columns]
            if of.count("colour") > 1 or ("lens" in of and category != "Cameras"):
                continue
            if not facets or set(of) <= set(facets):
                out.add(columns)
    return {c for c in out if len(c) == min(count, max(map(len, out)))} if count else out


@pytest.mark.parametrize("category", ["Cameras", "Shirts"])
@pytest.mark.parametrize("facets", [(), ("colour",), ("size", "lens"), ("lens",)])
@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_held_writes_all_that_may_be_and_nothing_else(sequences, category, facets, count):
    example = Example("a", {}, category)
    written = every(Held(sequences, example, Control(facets=facets, count=count), END))
    parsed = [sequences.read(ids).columns for ids in written]
    assert len(parsed) == len(set(parsed)), "each set in one way"
    assert set(parsed) == may(category, facets, count)


def test_after_the_end_comes_the_end_and_a_category_of_a_tag_is_minded(sequences):
    held = Held(sequences, Example("a", {}), Control(), END)
    assert held.allowed([END]) == [END] == held.allowed([END, 0])
    schema = Schema((FacetSpec("f", (TagSpec("a", {"en": "a"}, categories=("X",)), TagSpec("b", {"en": "b"}))),))
    of = TagSequences(schema, TOKENIZER)
    assert {of.read(i).columns for i in every(Held(of, Example("a", {}, "Y"), Control(), END))} == {(), (1,)}


def test_source_says_what_is_wanted_and_no_product_can():
    example = Example("a", {"title": f"Bag {TAG} black"}, "Things/Bags", labels={"colour": frozenset({"blue"})})
    said = source(SCHEMA, example, Control(facets=("colour",), count=2, language="zh"))
    assert said.startswith(f"<task> tags <language> zh <count> 2 {FACET} 颜色 {PRODUCT} Things / Bags")
    assert said.count(TAG) == 0
    title = source(SCHEMA, example, Control("title"))
    assert title == f"<task> title <language> en {PRODUCT} Things / Bags {FACET} Colour {TAG} blue"
    assert "Bag" in source(SCHEMA, example, Control("keywords")).split(PRODUCT)[1].split("Bags")[1]


@given(st.integers(0, 2**20), st.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_lessons_only_teach_what_was_answered(seed, share):
    example = Example(
        "a", {}, "Cameras", labels={"colour": frozenset({"blue"}), "size": frozenset({"S"}), "lens": frozenset({"wide"})},
        complete=frozenset({"lens"}),
    )  # fmt: skip
    assert answered(SCHEMA, example) == ["colour", "lens"]  # size has a tag, but nobody said that it is all
    control, columns = draw_control(np.random.default_rng(seed), SCHEMA, example, ["en", "zh"], share=share)
    assert control.facets and set(control.facets) <= {"colour", "lens"}
    assert columns == columns_of(SCHEMA, example, control.facets) and control.count in (0, len(columns))
    y, known = targets(SCHEMA, [example])
    assert all(y[0, c] and known[0, c] for c in columns)


def test_texts_that_are_learned():
    bulleted = "A bag.\n• Light and strong.\n - Two pockets\nMachine wash"
    assert points(bulleted) == ["Light and strong.", "Two pockets"]
    one = Example("1", {"title": "Red City Bag", "description": bulleted}, "Things/Bags", group="g1")
    others = [Example(n, {"title": "Blue City Bag 手提包"}, group=g) for n, g in (("2", "g2"), ("3", "g3"))]
    phrases = key_phrases([one, *others])
    assert phrases["1"] == ["bags", "city bag"] and "手提包" in phrases["2"][0]
    assert key_phrases([one, Example("4", {"title": "Red City Bag"}, group="g1")])["1"] == ["bags"]  # one family
    assert written_text(one, "title", {}) == "Red City Bag"
    assert written_text(one, "selling_points", {}) == "Light and strong.\nTwo pockets"
    approved = Example("1", {"title": "x"}, written={"keywords": "city bag, tote"})
    assert written_text(approved, "keywords", phrases) == "city bag, tote"
    assert Example.from_json(approved.to_json()) == approved and "written" not in one.to_json()
