"""The lexical encoder: exact contributions, positions inside the text, the same again after saving."""

import numpy as np
import pytest

from ml.encoders.base import EncoderError, load_encoder
from ml.encoders.lexical import LexicalEncoder, LexicalPlan
from ml.encoders.ngrams import TextBatch
from ml.examples import Example
from ml.text import fold
from tests.ml.catalogue import products


def test_fold_keeps_positions_and_folds_width_and_case():
    text = "ＲＥＤ ﬁne ½ Straße İ 智能"
    folded = fold(text)
    assert len(folded) == len(text)
    assert folded.startswith("red ")
    assert "ﬁ" in folded  # would become two characters, so it stays


def test_ngrams_name_equal_pieces_alike_and_stay_inside_their_text():
    texts = ["Red shoe", "", "智能手表X5", "a red", "shoe-red"]
    batch = TextBatch(texts)
    for grams in (batch.words(), batch.characters((2, 3, 4))):
        by_code: dict[int, set[str]] = {}
        for row, start, end, code in zip(grams.row, grams.start, grams.end, grams.code, strict=True):
            assert 0 <= start < end <= len(texts[row])
            by_code.setdefault(int(code), set()).add(fold(texts[row][start:end]))
        assert all(len(strings) == 1 for strings in by_code.values())
    words = batch.words(pairs=False)
    found = {texts[r][s:e] for r, s, e in zip(words.row, words.start, words.end, strict=True)}
    assert found == {"Red", "shoe", "智", "能", "手", "表", "X5", "a", "red"}
    grams = batch.characters((2,))
    chinese = [texts[2][s:e] for r, s, e in zip(grams.row, grams.start, grams.end, strict=True) if r == 2]
    assert {"智能", "能手", "手表"} <= set(chinese)


def test_ngrams_do_not_depend_on_the_other_texts():
    alone = TextBatch(["olive cap"]).characters((3,)).code
    batch = TextBatch(["red", "olive cap", ""]).characters((3,))
    assert np.array_equal(batch.code[batch.row == 1], alone)


def test_like_texts_are_near_and_vectors_have_length_one():
    catalogue = products()
    encoder = LexicalEncoder.fit(catalogue)
    vectors = encoder.embed(catalogue)
    assert vectors.shape == (len(catalogue), encoder.dim) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    like = [Example(str(i), {"title": t}) for i, t in enumerate(("红色跑步鞋", "跑步鞋 M码", "羊毛西装"))]
    a, b, c = encoder.embed(like)
    assert a @ b > a @ c + 0.2


def test_a_text_without_known_words_is_a_row_of_zeros():
    encoder = LexicalEncoder.fit(products())
    assert not encoder.embed([Example("x", {"title": "ζζζ"}), Example("y", {})]).any()


def test_token_scores_sum_to_the_product_with_the_vector():
    catalogue = products()
    encoder = LexicalEncoder.fit(catalogue)
    directions = np.random.default_rng(0).normal(size=(encoder.dim, 3)).astype(np.float32)
    for text in ("Red running shoe, size M", "藏青色羊毛西装 S码"):
        scores = encoder.token_scores(text, directions)
        assert np.allclose(scores.score.sum(axis=0), encoder.embed_texts([text])[0] @ directions, atol=1e-4)


def test_fitting_twice_gives_the_same_hash_and_saving_keeps_everything(tmp_path):
    catalogue = products()
    encoder = LexicalEncoder.fit(catalogue)
    assert LexicalEncoder.fit(catalogue).hash == encoder.hash
    assert LexicalEncoder.fit(catalogue[5:]).hash != encoder.hash
    encoder.save(tmp_path / "lexical")
    again = load_encoder(tmp_path / "lexical")
    assert again.hash == encoder.hash
    assert np.array_equal(again.embed(catalogue), encoder.embed(catalogue))
    assert {p.suffix for p in (tmp_path / "lexical").iterdir()} == {".json", ".safetensors"}


def test_a_changed_file_is_refused(tmp_path):
    LexicalEncoder.fit(products()).save(tmp_path)
    file = tmp_path / "lexical.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 64
    file.write_bytes(data)
    with pytest.raises(EncoderError, match="hash differs"):
        load_encoder(tmp_path)


def test_large_catalogues_are_sampled_and_small_ones_still_work():
    catalogue = products(("S", "M", "L"))
    encoder = LexicalEncoder.fit(catalogue, LexicalPlan(dim=8, sample=40, max_words=30, max_grams=50))
    assert encoder.dim == 8
    assert LexicalEncoder.fit(catalogue[:1]).embed(catalogue[:1]).any()
    with pytest.raises(ValueError, match="no products"):
        LexicalEncoder.fit([])
