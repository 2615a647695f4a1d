"""Measures agree with scikit-learn where it has them, and never count what nobody has said."""

import numpy as np
import pytest
from sklearn import metrics as peer

from ml.evaluation import metrics
from ml.evaluation.report import Report, evaluate
from tests.ml.catalogue import products, schema


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    y = (rng.random((60, 5)) < 0.3).astype(np.float32)
    scores = np.clip(0.5 * y + 0.7 * rng.random((60, 5)), 0, 1).round(2)
    return y, scores, (scores >= 0.6).astype(np.float32)


def test_averages_agree_with_scikit_learn(table):
    y, scores, checked = table
    everything = np.ones_like(y, dtype=bool)
    for ours, average in ((metrics.micro, "micro"), (metrics.macro, "macro")):
        p, r, f, _ = peer.precision_recall_fscore_support(y, checked, average=average, zero_division=0)
        assert ours(y, checked, everything) == pytest.approx({"precision": p, "recall": r, "f1": f})
    some = y.sum(axis=1) > 0
    expected = peer.f1_score(y[some], checked[some], average="samples", zero_division=0)
    assert metrics.sample(y, checked, everything)["f1"] == pytest.approx(expected)
    expected = peer.average_precision_score(y, scores, average="macro")
    assert metrics.mean_average_precision(y, scores, everything) == pytest.approx(expected)
    assert metrics.brier(y, scores, everything) == pytest.approx(peer.mean_squared_error(y.ravel(), scores.ravel()))


def test_unknown_pairs_change_nothing(table):
    y, scores, checked = table
    known = np.random.default_rng(0).random(y.shape) < 0.6
    wild_y, wild = np.where(known, y, 1 - y), np.where(known, scores, 1 - scores)
    wild_checked = np.where(known, checked, 1 - checked)
    for measure in (metrics.micro, metrics.macro, metrics.sample):
        assert measure(y, checked, known) == measure(wild_y, wild_checked, known)
    assert metrics.mean_average_precision(y, scores, known) == metrics.mean_average_precision(wild_y, wild, known)
    assert metrics.expected_calibration_error(y, scores, known) == metrics.expected_calibration_error(
        wild_y, wild, known
    )


def test_calibration_error_sees_what_is_wrong():
    rng = np.random.default_rng(0)
    p = rng.random((20_000, 1))
    y = (rng.random(p.shape) < p).astype(float)
    known = np.ones_like(p, dtype=bool)
    assert metrics.expected_calibration_error(y, p, known) < 0.02
    assert metrics.expected_calibration_error(y, p**3, known) > 0.1


def test_intervals_are_wider_when_products_come_in_families():
    rng = np.random.default_rng(1)
    right = np.repeat(rng.random(40) < 0.5, 10).astype(np.float32)[:, None]  # ten variants stand and fall together
    y, known = np.ones_like(right), np.ones_like(right, dtype=bool)
    family = metrics.micro_f1_interval(y, right, known, [str(i // 10) for i in range(400)])
    alone = metrics.micro_f1_interval(y, right, known, [str(i) for i in range(400)])
    assert family[1] - family[0] > 2 * (alone[1] - alone[0])


def test_a_report_says_which_way_is_better_and_survives_saving(tmp_path):
    examples = products()
    y = np.zeros((len(examples), 5))
    scores = np.tile([0.9, 0.1, 0.1, 0.6, 0.6], (len(examples), 1))
    report = evaluate(schema(), examples, scores, np.full(5, 0.5))
    assert report.primary == "micro_f1" and report.direction == "higher"
    assert report.interval[0] <= report.value <= report.interval[1]
    assert report.value == pytest.approx(2 * (1 / 3 + 1) / (3 + 2))
    assert {row["facet"] for row in report.facets} == {"colour", "use"}
    worse = evaluate(schema(), examples, y, np.full(5, 0.5))
    assert report.better_than(worse) and not worse.better_than(report)
    report.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == report
    with pytest.raises(ValueError, match="do not fit"):
        evaluate(schema(), examples, scores[:, :3], np.full(5, 0.5))
