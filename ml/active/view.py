"""What a strategy may look at: the pool of products nobody finished, and what the model makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class PoolView:
    """One row a product of the pool, one column a tag.

    ids, families:  ``(n,)`` names
    embeddings:     ``(n, d)`` float32
    probabilities:  ``(n, T)`` calibrated
    open:           ``(n, T)`` bool: the tag's facet is a question about the product that nobody has answered
    decided:        ``(m, d)`` embeddings of products that somebody decided on (a sample will do)
    support:        ``(T,)`` how many products are known to have the tag
    facets:         facet name to its columns
    tags:           the tag name of each column
    """

    ids: Sequence[str]
    families: Sequence[str]
    embeddings: np.ndarray
    probabilities: np.ndarray
    open: np.ndarray
    decided: np.ndarray
    support: np.ndarray
    facets: Mapping[str, Sequence[int]]
    tags: Sequence[str]
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __len__(self) -> int:
        return len(self.ids)
