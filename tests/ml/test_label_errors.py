"""Decisions that the out-of-fold model finds unlikely: scores as in cleanlab, families apart, planted errors found."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.label_errors import (
    confident_issues,
    out_of_fold,
    product_quality,
    second_look,
    self_confidence,
    unlikely,
)
from ml.evaluation.metrics import average_precision
from tests.ml.pools import problem


def made(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random((80, 5)) < 0.3).astype(float)
    return y, np.clip(0.15 + 0.6 * y + rng.normal(scale=0.2, size=y.shape), 0.01, 0.99)


def test_scores_are_those_of_cleanlab() -> None:
    """With cleanlab where it is installed; else against its definition written out."""
    y, p = made()
    quality = product_quality(y, p, np.ones(y.shape, bool))
    for row in range(len(y)):
        worst_first = sorted(p[row, c] if y[row, c] else 1 - p[row, c] for c in range(5))
        mean = worst_first[-1]
        for score in worst_first[-2::-1]:
            mean = 0.8 * score + 0.2 * mean
        assert quality[row] == pytest.approx(mean)
    rank = pytest.importorskip("cleanlab.multilabel_classification.rank")
    labels = [list(np.flatnonzero(row)) for row in y]
    method = {"method": "exponential_moving_average", "alpha": 0.8}
    theirs = rank.get_label_quality_scores(
        labels, p, method="self_confidence", adjust_pred_probs=False, aggregator_kwargs=method
    )
    assert quality == pytest.approx(theirs)


def test_what_nobody_decided_counts_for_nothing() -> None:
    y, p = made()
    known = np.ones(y.shape, bool)
    known[:, 3:] = False
    assert product_quality(y, p, known) == pytest.approx(product_quality(y[:, :3], p[:, :3], known[:, :3]))
    assert (product_quality(y, p, np.zeros(y.shape, bool)) == 1).all()
    found = unlikely(y, p, known, most=20)
    assert len(found) == 20 and found.columns.max() < 3
    assert (np.diff(found.probability) >= 0).all()
    assert found.probability[0] == pytest.approx(self_confidence(y, p)[known].min())


def test_an_issue_is_where_the_model_is_surer_of_the_opposite_than_usual() -> None:
    y = np.array([[1.0], [1.0], [0.0], [0.0], [0.0]])
    p = np.array([[0.9], [0.7], [0.1], [0.95], [0.6]])
    # where it was decided, yes had 0.8 on average: 0.95 is above, 0.6 is not
    assert confident_issues(y, p, np.ones(y.shape, bool)).ravel().tolist() == [False, False, False, True, False]
    assert not confident_issues(np.ones((5, 1)), p, np.ones(y.shape, bool)).any()  # nothing to compare with


def test_planted_errors_come_first() -> None:
    whole, rng = problem(each=150, seed=2), np.random.default_rng(0)
    y, known = whole.y.copy(), np.ones(whole.y.shape, bool)
    wrong = rng.random(y.shape) < 0.05
    y[wrong] = 1 - y[wrong]
    p = second_look(whole.features, y, known, whole.ids, whole.families)
    assert average_precision(wrong.ravel().astype(float), -self_confidence(y, p).ravel()) > 0.86
    assert wrong[confident_issues(y, p, known)].mean() > 0.7


def test_no_product_vouches_for_its_own_family() -> None:
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(40, 64)).astype(np.float32), 2, axis=0)
    y = np.repeat((rng.random((40, 3)) < 0.5).astype(np.float32), 2, axis=0)
    twins = [f"f{i // 2}" for i in range(80)]
    known = np.ones(y.shape, bool)
    apart, alone = (self_confidence(y, out_of_fold(features, y, known, names)).mean()
                    for names in (twins, [str(i) for i in range(80)]))  # fmt: skip
    assert apart < 0.6 < alone
