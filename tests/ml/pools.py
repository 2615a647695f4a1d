"""Pools for the tests of active learning: a random one, and one of clusters with tags."""

from __future__ import annotations

from typing import Any

import numpy as np

from ml.active.simulate import Problem
from ml.active.view import Decided, PoolView


def pool(n: int = 200, **changes: Any) -> PoolView:
    """Four tags of two facets, scores at random, five decided products."""
    rng = np.random.default_rng(3)
    decided = rng.normal(size=(5, 8)).astype(np.float32)
    fields: dict[str, Any] = {
        "ids": [f"p{i}" for i in range(n)],
        "families": [f"p{i}" for i in range(n)],
        "embeddings": rng.normal(size=(n, 8)).astype(np.float32),
        "probabilities": rng.random((n, 4)).astype(np.float32),
        "open": np.ones((n, 4), dtype=bool),
        "decided": decided,
        "support": np.full(4, 10.0),
        "facets": {"colour": [0, 1], "material": [2, 3]},
        "tags": ["black", "red", "wool", "silk"],
        "history": Decided(
            decided, (rng.random((5, 4)) < 0.5).astype(np.float32), np.ones((5, 4), bool), rng.random((5, 4))
        ),
        "value": rng.random(n),
    }
    return PoolView(**{**fields, **changes})


def problem(kinds: int = 8, each: int = 30, seed: int = 0) -> Problem:
    """Products in clusters of falling size; a tag for each cluster, and one that half of each has by a direction."""
    rng = np.random.default_rng(seed)
    sizes = [max(each * 2 // (k + 1), 4) for k in range(kinds)]
    kind = np.repeat(np.arange(kinds), sizes)
    centres, across = rng.normal(size=(kinds, 24)) * 2, rng.normal(size=24)
    features = (centres[kind] + rng.normal(size=(len(kind), 24))).astype(np.float32)
    y = np.zeros((len(kind), kinds + 2), dtype=np.float32)
    y[np.arange(len(kind)), kind] = 1.0
    side = ((features - centres[kind]) @ across > 0).astype(int)
    y[np.arange(len(kind)), kinds + side] = 1.0
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    names = [f"p{i}" for i in range(len(kind))]
    return Problem(
        "clusters", names, names, features, y, np.ones(y.shape, dtype=bool),
        {"kind": list(range(kinds)), "side": [kinds, kinds + 1]}, [f"t{i}" for i in range(kinds + 2)],
    )  # fmt: skip
