"""Calibration: scores mean what they say on pairs that nothing was fitted on, also where sure answers are not that sure."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import expit

from ml.bundle import write_bundle
from ml.encoders.lexical import LexicalEncoder
from ml.evaluation.metrics import expected_calibration_error
from ml.instant.combine import KNEE, STRAIGHT, Combiner, bent, ease, fit_bend, knee
from ml.instant.model import KIND, InstantModel
from tests.ml.catalogue import bare, products, schema


def pairs(seed: int, ceiling: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log odds, and answers that come true as these say, but for one in so many that people miss."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-2, 2.5, size=(800, 12)).astype(np.float32)
    y = ((rng.random(z.shape) < expit(z)) & (rng.random(z.shape) < ceiling)).astype(np.float32)
    return z, y, rng.random(z.shape) < 0.8


@pytest.mark.parametrize(("ceiling", "better"), [(0.88, 0.5), (1.0, 1.3)])
def test_scores_that_are_never_quite_sure_are_bent_and_sound_ones_are_left(ceiling: float, better: float) -> None:
    bend = fit_bend(*pairs(0, ceiling))
    z, y, known = pairs(1, ceiling)
    before, after = (expected_calibration_error(y, expit(s), known, least=0.05) for s in (z, bent(z, bend)))
    assert after < better * before, (before, after)
    if ceiling == 1.0:  # nothing to mend: the bend is next to none, and what is left is the noise of few pairs
        assert np.allclose(bend, STRAIGHT, atol=0.3)


def test_of_many_pairs_none_that_something_speaks_for_is_left_to_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large schema has too many pairs to read them all; the wrong ones among the high scores are few, and all count."""
    z, y, known = pairs(0, 0.88)
    z[:, :9] -= 6.0  # most tags of most products are out of the question
    y[:, :9] = 0.0
    every = fit_bend(z, y, known)
    monkeypatch.setattr("ml.instant.combine.PAIRS", 300)
    sampled = [fit_bend(z, y, known, seed=seed) for seed in range(5)]
    assert np.allclose(sampled, every, atol=0.1), (every, sampled)


def test_the_bend_keeps_the_order_and_a_bent_score_is_where_two_lines_meet() -> None:
    z = np.linspace(-6, 6, 200, dtype=np.float32)
    upside_down = (expit(z) < 0.5).astype(np.float32)
    for bend in (fit_bend(*pairs(0, 0.7)), fit_bend(z[None], upside_down[None], np.ones((1, 200), bool))):
        assert (np.diff(bent(z, bend)) > 0).all()
    bend = np.array([1.2, 0.3, -0.7])
    expected = 1.2 * z + 0.3 - 0.7 * np.maximum(z - KNEE, 0)
    assert np.allclose(bent(z, bend), expected, atol=1e-5)
    folded = 1.2 * z + np.float32(0.3)
    assert np.allclose(ease(folded, *knee(bend)), expected, atol=1e-5)
    assert np.array_equal(bent(z, np.array(STRAIGHT)), z)


def test_the_folded_scores_are_bent_as_those_kind_by_kind() -> None:
    decided = [e for e in products() if not e.group.endswith("-2")]
    model = InstantModel.fit(schema(), decided, [LexicalEncoder.fit(products())])
    model.combiner = Combiner(*(getattr(model.combiner, n) for n in ("weights", "slope", "shift", "facts")),
                              np.array([1.1, -0.2, -0.8]))  # fmt: skip
    features = model.features([bare(e) for e in products()])
    folded = model.scorer.logits(features)
    straight = Combiner(*(getattr(model.combiner, n) for n in ("weights", "slope", "shift", "facts")))
    evidence = model.evidence(features)
    assert np.allclose(folded, model.combiner.logits(evidence, model.support), atol=1e-4)
    assert not np.allclose(folded, straight.logits(evidence, model.support), atol=0.1)


def test_a_bundle_from_before_the_bend_is_read_as_unbent(tmp_path) -> None:  # type: ignore[no-untyped-def]
    decided = [e for e in products() if not e.group.endswith("-2")]
    model = InstantModel.fit(schema(), decided, [LexicalEncoder.fit(products())])
    model.save(tmp_path / "new")
    assert np.array_equal(InstantModel.load(tmp_path / "new").combiner.bend, model.combiner.bend)

    def fill(directory) -> None:  # type: ignore[no-untyped-def]
        for file in (tmp_path / "new").rglob("*"):
            target = directory / file.relative_to(tmp_path / "new")
            if file.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            elif file.name != "bundle.json":
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
        arrays = load_file(directory / "instant.safetensors")
        save_file({n: a for n, a in arrays.items() if n != "combiner.bend"}, directory / "instant.safetensors")

    write_bundle(tmp_path / "old", KIND, {"encoders": [e.hash for e in model.encoders], "schema": schema().hash}, fill)
    old = InstantModel.load(tmp_path / "old")
    assert np.array_equal(old.combiner.bend, np.array(STRAIGHT))
    model.combiner.bend = np.array(STRAIGHT)
    fresh = [bare(e) for e in products()]
    assert np.allclose(old.scores(fresh), model.scores(fresh), atol=1e-6)
