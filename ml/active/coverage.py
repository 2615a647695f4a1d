"""Which products stand for many others that nobody has decided on: for a start, when the model knows too little to
know what it does not know. After TypiClust (Hacohen, Dekel, Weinshall, 2022), whose typicality is the inverse mean
distance to the nearest neighbours; here the pool is compared with a fixed sample of itself, so that cost is linear.
"""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 10
ANCHORS = 1000  # products of the pool that typicality is measured against
REMEMBERED = 1000  # decided products that novelty is measured against
BLOCK = 4000  # rows compared at a time: 4000 x 1000 floats are 16 MB


def unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 1e-12, lengths, 1.0), dtype=np.float32)


def typicality(embeddings: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(n,)``: mean cosine to the nearest neighbours among a sample of the pool, itself left out."""
    points = unit(embeddings)
    anchors = points if len(points) <= ANCHORS else points[rng.choice(len(points), ANCHORS, replace=False)]
    near = min(NEIGHBOURS + 1, len(anchors))
    out = np.zeros(len(points), dtype=np.float32)
    for begin in range(0, len(points), BLOCK):
        cosine = points[begin : begin + BLOCK] @ anchors.T
        top = np.partition(cosine, -near, axis=1)[:, -near:]
        # the best match of an anchor is itself; dropping it from all rows alike keeps them comparable
        out[begin : begin + BLOCK] = np.sort(top, axis=1)[:, :-1].mean(axis=1) if near > 1 else 0.0
    return out


def novelty(embeddings: np.ndarray, decided: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``(n,)``: one minus the cosine to the most similar decided product; 1 where nothing is decided."""
    if not len(decided):
        return np.ones(len(embeddings), dtype=np.float32)
    known = unit(
        decided if len(decided) <= REMEMBERED else decided[rng.choice(len(decided), REMEMBERED, replace=False)]
    )
    points = unit(embeddings)
    out = np.empty(len(points), dtype=np.float32)
    for begin in range(0, len(points), BLOCK):
        out[begin : begin + BLOCK] = 1 - (points[begin : begin + BLOCK] @ known.T).max(axis=1)
    return out
