"""Entities and their F1 as seqeval counts them, on random sequences, broken ones among them; values as published."""

import random

import pytest

from ml.evaluation.spans import Counts, entities, entity_scores, macro_f1, value_scores

seqeval = pytest.importorskip("seqeval.metrics", reason="needs the extra dev")


def sequences(count, seed):
    rng = random.Random(seed)
    names = ["O", "O", "B-colour", "I-colour", "B-use", "I-use", "B-size", "I-size"]
    return [[rng.choice(names) for _ in range(rng.randint(1, 12))] for _ in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_as_seqeval(seed):
    gold = sequences(60, seed)
    answered = [[x if random.Random(seed + n).random() < 0.7 else "O" for x in g] for n, g in enumerate(gold)]
    for sequence in (*gold, *answered):
        theirs = [(kind, first, last + 1) for kind, first, last in seqeval.sequence_labeling.get_entities(sequence)]
        assert entities(sequence) == theirs
    ours = entity_scores([entities(s) for s in gold], [entities(s) for s in answered])
    report = seqeval.classification_report(gold, answered, output_dict=True, zero_division=0)
    for kind, counts in ours.items():
        theirs = report["micro avg" if kind == "micro" else kind]
        assert (counts.precision, counts.recall, counts.f1) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"])
        )
        assert counts.due == theirs["support"]
    assert macro_f1(ours) == pytest.approx(report["macro avg"]["f1-score"])


def test_values_listed_strict_seen_and_unseen():
    scores = value_scores(
        [{"Colour": ["Red"], "Brand": ["Acme"]}, {"Colour": ["Blue"]}],
        [{"Colour": "Red", "Brand": "Acm"}, {"Colour": "Blue", "Size": "XL", "Brand": "ACME"}],
        {("Colour", "red"), ("Brand", "acme")},
    )
    assert scores.listed == Counts(2, 3, 3)  # what nobody listed (size, brand) is ignored
    assert scores.strict == Counts(2, 5, 3)
    assert scores.seen == Counts(1, 3, 2)  # red right, Acm wrong, ACME where nothing was
    assert scores.unseen == Counts(1, 2, 1)
    assert scores.strict == scores.seen + scores.unseen
