"""Means over tags, single tags and calibration: values against ``metrics``, intervals against a bootstrap by hand."""

import numpy as np
import pytest

from ml.evaluation import metrics
from ml.evaluation.compare import compare
from ml.serving.bands import FLOOR

from .test_compare import SCHEMA, made


def drawn_rows(families, draws, seed):
    names = sorted(set(families))
    members = {name: [i for i, f in enumerate(families) if f == name] for name in names}
    for pick in np.random.default_rng(seed).integers(0, len(names), (draws, len(names))):
        yield [i for family in pick for i in members[names[family]]]


@pytest.fixture
def world():
    y, known, current, candidate, ids, families = made()
    rng = np.random.default_rng(3)
    for answers in (current, candidate):
        answers.scores[:] = np.clip(answers.scores + rng.normal(0, 0.15, y.shape), 0, 1)
    found = compare(SCHEMA, y, known, current, candidate, ids=ids, families=families, draws=80, seed=7)
    return y, known, (current, candidate), families, found


def test_means_over_tags_and_their_intervals(world):
    y, known, models, families, found = world

    def macro(model, rows):
        return metrics.macro(y[rows], model.chosen[rows].astype(np.float32), known[rows])

    whole = list(range(len(y)))
    for side, model in ((found.macro.current, models[0]), (found.macro.candidate, models[1])):
        expected = macro(model, whole)
        assert [getattr(side, k).value for k in expected] == pytest.approx(list(expected.values()), abs=1e-6)
    gains = [macro(models[1], rows)["f1"] - macro(models[0], rows)["f1"] for rows in drawn_rows(families, 80, 7)]
    said = found.macro.f1_gain
    assert [said.low, said.high] == pytest.approx(np.quantile(gains, [0.025, 0.975]), abs=1e-6)
    assert found.macro.tags == 5, "nobody was asked about the sixth"


def test_every_tag_has_its_row(world):
    y, known, models, _families, found = world
    assert {(t.facet, t.tag) for t in found.tags} == set(SCHEMA.columns[:5])
    assert [t.decided for t in found.tags] == sorted((t.decided for t in found.tags), reverse=True)
    for row in found.tags:
        column = SCHEMA.columns.index((row.facet, row.tag))
        for said, model in ((row.current, models[0]), (row.candidate, models[1])):
            one = metrics.count(y[:, [column]], model.chosen[:, [column]], known[:, [column]])
            assert (said["precision"], said["recall"], said["f1"]) == pytest.approx(
                (one.precision, one.recall, one.f1), abs=1e-6
            )
        assert row.f1_gain.low <= row.f1_gain.value <= row.f1_gain.high


def test_calibration_is_that_of_the_metrics_and_paired(world):
    y, known, models, families, found = world
    said = found.calibration

    def ece(model, rows):
        return metrics.expected_calibration_error(y[rows], model.scores[rows], known[rows], least=FLOOR)

    for side, model in ((said.current, models[0]), (said.candidate, models[1])):
        assert side.ece.value == pytest.approx(ece(model, slice(None)), abs=1e-6)
        assert side.brier.value == pytest.approx(metrics.brier(y, model.scores, known), abs=1e-6)
    changes = [ece(models[1], rows) - ece(models[0], rows) for rows in drawn_rows(families, 80, 7)]
    assert [said.ece_change.low, said.ece_change.high] == pytest.approx(np.quantile(changes, [0.025, 0.975]), abs=1e-6)
    assert said.brier_change.high < 0, "who errs less often is nearer to the truth"


def test_no_right_tag_is_no_mean():
    y, known, current, candidate, ids, families = made()
    found = compare(SCHEMA, 0 * y, known, current, candidate, ids=ids, families=families, draws=5)
    assert found.macro is None and found.calibration.current.brier.value > 0
