"""The forecast on histories whose law is known, and on those that have none."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.forecast import BLOCK, fit, forecast


def history(n: int, a: float, b: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random(n) >= np.minimum(1.0, a * np.arange(1, n + 1) ** -b)


def test_the_law_is_found_again_and_the_target_forecast() -> None:
    needed = []
    for seed in range(8):
        right = history(1200, 2.0, 0.5, seed)
        curve = fit(right)
        assert curve is not None and curve.b == pytest.approx(0.5, abs=0.12)
        said = forecast(list(right), 0.95)
        needed.append(said.decisions + (said.more or 0))
        assert said.off is not None and said.off < 0.1 and said.replays == 5
    assert np.median(needed) == pytest.approx((2.0 / 0.05) ** 2, rel=0.35)  # 1600 decisions


def test_what_cannot_be_told_is_not() -> None:
    assert forecast([True] * (BLOCK - 1), 0.95).now is None
    assert forecast([], 0.95).more is None
    level = forecast(list(history(800, 0.3, 0.0)), 0.95)
    assert level.more is None or level.more > 1500  # it does not fall: no promise of a near end
    rising = np.concatenate([np.ones(400, bool), history(400, 0.4, 0.0)])
    assert forecast(list(rising), 0.95).more is None
    assert forecast([True] * 300, 0.95).more == 0
