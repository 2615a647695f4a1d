"""A tag that was forgotten is named, luck is not; and what is replayed when training goes on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from ml.evaluation.compare import Answers, compare
from ml.evaluation.regressions import ALPHA, holm, regressions
from ml.examples import family_hash
from ml.training.errors import TrainingError
from ml.training.inputs import replayed
from ml.training.plan import Plan
from tests.ml import tiny


def test_holm_is_its_procedure():
    p, asked = np.array([0.01, 0.04, 0.03, 0.005, 0.9]), np.array([1, 1, 1, 1, 0], dtype=bool)
    assert holm(p, asked) == pytest.approx([0.03, 0.06, 0.06, 0.02, 1.0])


def test_a_forgotten_tag_is_named_and_a_gain_elsewhere_does_not_hide_it():
    rng, schema, n = np.random.default_rng(0), tiny.schema(), 60
    right = rng.random((n, 7)) < 0.4
    known = np.ones((n, 7), dtype=bool)
    current, candidate = right.copy(), right.copy()
    candidate[:12, 5] = ~right[:12, 5]  # wrong in twelve, and right in two of those where the other was wrong
    current[50:52, 5] = ~right[50:52, 5]
    current[:40, 3] = ~right[:40, 3]
    candidate[:3, 1] = ~right[:3, 1]  # three of three may be luck
    family = np.arange(n)
    (found,) = regressions(schema, right, known, current, candidate, family)
    assert (found.facet, found.tag, found.lost, found.won) == (*schema.columns[5], 12, 2)
    assert found.p == pytest.approx(3 * binomtest(12, 14, alternative="greater").pvalue) and found.p < ALPHA
    known[:12, 5] = False
    assert not regressions(schema, right, known, current, candidate, family), "what nobody has said is not judged"
    one_family = regressions(schema, right, np.ones_like(known), current, candidate, np.zeros(n, dtype=int))
    assert not one_family, "products of one family are one witness"


def test_false_alarms_are_as_rare_as_promised():
    rng, schema, alarms = np.random.default_rng(1), tiny.schema(), 0
    for _ in range(300):
        right = rng.random((40, 7)) < 0.4
        sides = [right ^ (rng.random(right.shape) < 0.2) for _ in range(2)]
        alarms += bool(regressions(schema, right, np.ones_like(right), *sides, np.arange(40)))
    assert alarms <= 0.05 * 300 + 3 * (300 * 0.05 * 0.95) ** 0.5


def test_a_comparison_says_it():
    rng = np.random.default_rng(0)
    y = (rng.random((30, 7)) < 0.4).astype(np.float32)
    worse = y > 0.5
    worse[:15, 2] = ~worse[:15, 2]
    known = np.ones(y.shape, dtype=bool)
    names = [f"p{n}" for n in range(30)]
    found = compare(
        tiny.schema(), y, known, Answers(y, y > 0.5), Answers(y, worse), ids=names, families=names, draws=20
    ).to_json()
    assert [(r["facet"], r["tag"]) for r in found["regressed"]] == [tiny.schema().columns[2]]


def test_a_share_of_former_products_is_replayed_beside_all_new_ones(tmp_path):
    examples = tiny.examples(200)
    former = {e.family for e in examples[:160]}
    (tmp_path / "bundle" / "torch").mkdir(parents=True)
    (tmp_path / "bundle" / "families.json").write_text(json.dumps([family_hash(f) for f in former]))
    plan = Plan(base="bundle/torch", replay_share=0.25)
    kept = replayed(tmp_path, plan, examples)
    assert kept[-40:] == examples[-40:] and 20 <= len(kept) - 40 <= 60
    assert replayed(tmp_path, plan, examples) == kept
    assert replayed(tmp_path, Plan(base="elsewhere"), examples) == examples
    assert replayed(tmp_path, Plan(base="bundle/torch", replay_share=0.0), examples) == examples[-40:]
    with pytest.raises(TrainingError, match="replay_share"):
        replayed(tmp_path, Plan(base="elsewhere", replay_share=0.5), examples)
    with pytest.raises(TrainingError, match="nothing is new"):
        replayed(tmp_path, Plan(base="bundle/torch", replay_share=0.0), examples[:160])
