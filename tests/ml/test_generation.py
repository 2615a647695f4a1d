"""BLEU against sacrebleu and nltk, ROUGE against Google's rouge-score, on random texts and on known ones."""

import random

import pytest

from ml.evaluation.generation import bleu, generation_scores, rouge_l, rouge_n, words


def texts(n, seed):
    rng = random.Random(seed)
    vocabulary = ["red", "blue", "cotton", "shirt", "wool", "coat", "with", "for", "and", "zip", "hood"]
    return [[rng.choice(vocabulary) for _ in range(rng.randint(1, 14))] for _ in range(n)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(8))
def test_bleu_is_sacrebleus(seed):
    """Also of texts shorter than four words, and of outputs much shorter than their references."""
    sacrebleu = pytest.importorskip("sacrebleu.metrics")
    metric = sacrebleu.BLEU(tokenize="none", smooth_method="none", force=True)
    references, others = texts(40, seed), texts(40, seed + 100)
    outputs = [r[: len(r) - seed % 3] + o[:2] for r, o in zip(references, others, strict=True)]
    for said in (outputs, references, [o[: max(1, len(o) // 2)] for o in references]):
        expected = metric.corpus_score([" ".join(o) for o in said], [[" ".join(r) for r in references]]).score
        assert bleu(references, said) == pytest.approx(expected / 100, abs=1e-9) and expected > 10


@pytest.mark.parametrize("seed", range(4))
def test_chinese_is_cut_as_sacrebleu_cuts_it(seed):
    sacrebleu = pytest.importorskip("sacrebleu.metrics")
    metric = sacrebleu.BLEU(tokenize="zh", smooth_method="none")
    rng = random.Random(seed)
    references, outputs = (
        ["".join(rng.choices("红色棉衬衫长袖", k=12)) + " red coat" for _ in range(30)] for _ in "ab"
    )
    ours = bleu([words(r) for r in references], [words(o) for o in outputs])
    assert ours == pytest.approx(metric.corpus_score(outputs, [references]).score / 100, abs=1e-9) and ours > 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(8))
def test_bleu_is_nltks_where_no_text_is_short(seed):
    nltk = pytest.importorskip("nltk.translate.bleu_score")
    references = [r for r in texts(60, seed) if len(r) >= 4]
    outputs = [[*r[1:], *o[:2]] for r, o in zip(references, texts(60, seed + 100), strict=False)]
    expected = nltk.corpus_bleu([[r] for r in references], outputs)
    assert bleu(references, outputs) == pytest.approx(expected, abs=1e-12) and expected > 0.1


@pytest.mark.parametrize("seed", range(8))
def test_rouge_is_googles(seed):
    rouge = pytest.importorskip("rouge_score.rouge_scorer")
    scorer = rouge.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    for reference, output in zip(texts(40, seed), texts(40, seed + 100), strict=True):
        said = scorer.score(" ".join(reference), " ".join(output))
        ours = (rouge_n(reference, output, 1), rouge_n(reference, output, 2), rouge_l(reference, output))
        assert ours == pytest.approx([said[k].fmeasure for k in ("rouge1", "rouge2", "rougeL")], abs=1e-12)


def test_chinese_is_counted_by_characters_and_letters_by_words():
    assert words("Red 红色棉 T恤2024款") == ["red", "红", "色", "棉", "t", "恤", "2024", "款"]
    assert rouge_l(words("红色棉衬衫"), words("红色羊毛衬衫")) == pytest.approx(2 * 4 / 11)


def test_a_corpus_in_one_object():
    said = generation_scores(["red cotton shirt for men", "wool coat"], ["red cotton shirt for men", "coat of wool"])
    assert (said.exact, said.texts) == (0.5, 2) and said.rouge_1 == pytest.approx((1 + 0.8) / 2)
    with pytest.raises(ValueError, match="1 references"):
        generation_scores(["a"], [])
