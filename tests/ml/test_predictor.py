"""What a reviewer sees: bands, origins, and words that are in the field and matter."""

import dataclasses

import numpy as np
import pytest

from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, Span
from ml.instant.model import InstantModel
from ml.serving.bands import band
from ml.serving.predictor import Predictor
from ml.serving.spans import Value
from tests.ml.catalogue import bare, products, schema, text_of


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    catalogue = products()
    return Predictor(InstantModel.fit(schema(), catalogue, [LexicalEncoder.fit(catalogue)]))


def test_bands_follow_the_thresholds():
    assert [band(s, 0.4, 0.8) for s in (0.39, 0.4, 0.8)] == ["unsure", "likely", "strong"]
    assert band(0.85, 0.9, 0.8) == "unsure"  # a tag's own threshold goes before everything


def test_checked_is_what_passes_the_threshold(predictor):
    examples = [bare(e) for e in products()]
    scores = predictor.scores(examples)
    for prediction, row in zip(predictor.predict(examples), scores, strict=True):
        passed = {pair for pair, s, t in zip(schema().columns, row, predictor.model.thresholds, strict=True) if s >= t}
        assert {(t.facet, t.tag) for t in prediction.checked} == passed
        assert all(0.05 <= t.score <= 1 for t in prediction.tags)


def test_a_threshold_of_the_schema_is_kept(predictor):
    use = schema().facets[1]
    strict = dataclasses.replace(use, tags=(dataclasses.replace(use.tags[0], threshold=0.999), use.tags[1]))
    fixed = dataclasses.replace(schema(), facets=(schema().facets[0], strict))
    model = InstantModel.fit(fixed, products(), predictor.model.encoders)
    assert model.thresholds[fixed.column("use", "sport")] == 0.999


def test_floor_and_limit(predictor):
    (few,) = predictor.predict([Example("x", {"title": "Red shirt"})], floor=0.0, limit_per_facet=1)
    assert [t.facet for t in few.tags] == ["colour", "use"]
    assert not predictor.predict([Example("x", {"title": "Red shirt"})], floor=1.1)[0].tags


def test_spans_are_ranges_of_the_fields_and_carry_their_tag(predictor):
    examples = [bare(e) for e in products()]
    examples += [
        Example("odd", {"title": "  RED—shoe… ", "description": "藏青色\n羊毛西装", "notes": "gym"}, "Red/Shoes")
    ]
    for example, prediction in zip(examples, predictor.predict(examples), strict=True):
        for tag in prediction.tags:
            assert len(tag.spans) <= 4
            for span in tag.spans:
                assert (span.facet, span.tag) == (tag.facet, tag.tag)
                assert text_of(example, span).strip() == text_of(example, span) != ""


def test_learned_words_are_shown_where_no_name_is(predictor):
    example = Example("x", {"title": "Olive running shoe, size M"})
    (prediction,) = predictor.predict([example])
    by_tag = {t.tag: t for t in prediction.checked}
    assert [text_of(example, s) for s in by_tag["olive"].spans] == ["Olive"]
    assert by_tag["sport"].source == "model"
    assert {text_of(example, s) for s in by_tag["sport"].spans} & {"running shoe", "running", "shoe"}
    chinese = Example("y", {"title": "红色羊毛西装 M码"})
    (prediction,) = predictor.predict([chinese])
    office = next(t for t in prediction.checked if t.tag == "office")
    assert all(len(text_of(chinese, s)) >= 2 for s in office.spans)  # words, not single characters
    assert any(set(text_of(chinese, s)) & set("羊毛西装") for s in office.spans)


def test_masking_the_shown_words_lowers_the_score(predictor):
    lower = total = 0
    for example in [bare(e) for e in products()]:
        (prediction,) = predictor.predict([example])
        for tag in prediction.checked:
            if tag.spans:
                title = example.texts["title"]
                for span in sorted(tag.spans, key=lambda s: -s.start):
                    title = title[: span.start] + " " + title[span.end :]
                masked = predictor.scores([dataclasses.replace(example, texts={"title": title})])
                lower += masked[0, schema().column(tag.facet, tag.tag)] < tag.score
                total += 1
    assert total > 100
    assert lower / total >= 0.9


def test_one_at_a_time_or_all_at_once_is_the_same(predictor):
    examples = [bare(e) for e in products()[:20]]
    together = predictor.predict(examples)
    alone = [predictor.predict([e])[0] for e in examples]
    for a, b in zip(together, alone, strict=True):
        assert [(t.tag, t.band, t.spans) for t in a.tags] == [(t.tag, t.band, t.spans) for t in b.tags]
        assert np.allclose([t.score for t in a.tags], [t.score for t in b.tags], atol=1e-5)


def test_nothing_to_read_is_no_error(predictor):
    (prediction,) = predictor.predict([Example("x", {})])
    assert all(not t.spans for t in prediction.tags)
    assert predictor.predict([]) == []


def test_chinese_evidence_is_cut_where_the_catalogue_cuts(predictor):
    """羊毛, 西装 and 真皮公文包 recur as wholes: pieces that reach across a colour's end are never shown."""
    chinese = [bare(e) for e in products() if e.language == "zh-hans"]
    shown = {
        text_of(e, s) for e, p in zip(chinese, predictor.predict(chinese), strict=True) for t in p.tags for s in t.spans
    }
    assert shown
    assert not any("色" in text and not text.endswith("色") for text in shown)


class Reader:
    """Finds the last word of a title as a colour, and counts what it has read anew."""

    def __init__(self):
        self.read = 0

    def remembered(self, examples):
        self.read += len(examples)
        found = []
        for example in examples:
            title = example.texts["title"]
            span = Span("title", title.rindex(" ") + 1, len(title), "colour")
            found.append([Value("colour", title[span.start :], "", 0.9, span)])
        return found


def test_words_that_the_full_model_reads_are_the_first_evidence(predictor):
    title = "Red shoe and RED"
    (before,) = predictor.predict([Example("x", {"title": title})])
    reader = Reader()
    (after,) = Predictor(predictor.model, reader=reader).predict([Example("x", {"title": title})])
    spans = [next(t.spans for t in p.tags if t.tag == "red") for p in (before, after)]
    assert spans[0][0].start == 0 and spans[1] == (Span("title", 13, 16, "colour", "red"),)
    assert [(t.tag, t.score, t.spans) for t in before.tags if t.tag != "red"] == [
        (t.tag, t.score, t.spans) for t in after.tags if t.tag != "red"
    ]
    assert not any(
        t.spans
        for t in Predictor(predictor.model, reader=reader)
        .predict([Example("x", {"title": title})], spans=False)[0]
        .tags
    )
    assert reader.read == 1, "where nobody wants evidence, nothing is read"
