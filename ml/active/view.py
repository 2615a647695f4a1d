"""What a strategy may look at, and what strategies and selectors are.

A *strategy* says how much a decision about each product of the pool would teach; it is a pure function of the view. A
*selector* picks a batch by these utilities. The unit of a query is a facet of a product; people see a product with all
its open facets, so utilities are a number a product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

NEIGHBOURS = 10
ANCHORS = 1000  # products of the pool that each is compared with, so that cost is linear
BLOCK = 4000  # rows compared at a time: 4000 x 1000 floats are 16 MB


@dataclass(frozen=True)
class Decided:
    """Products that somebody decided on (a sample will do).

    embeddings ``(m, d)``; y ``(m, T)`` 0 or 1; known ``(m, T)`` bool; probabilities ``(m, T)``, what the model says
    of them now.
    """

    embeddings: np.ndarray
    y: np.ndarray
    known: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Neighbours:
    """Of each product, its nearest in the pool (itself left out), nearest first: rows and cosines ``(n, k)``."""

    rows: np.ndarray
    cosine: np.ndarray


@dataclass(frozen=True)
class PoolView:
    """One row a product of the pool, one column a tag.

    ids, families:  ``(n,)`` names
    embeddings:     ``(n, d)`` float32
    probabilities:  ``(n, T)`` calibrated
    open:           ``(n, T)`` bool, the mask: the tag's facet is a question about the product that nobody has answered
    decided:        ``(m, d)`` embeddings of products that somebody decided on (a sample will do)
    support:        ``(T,)`` how many products are known to have the tag
    facets:         facet name to its columns
    tags:           the tag name of each column
    seed:           what :attr:`rng` starts from, so that the same view always gives the same utilities

    What only some strategies ask for; those say so with ValueError where it is missing:

    history:        the decided products with what was decided
    variance:       computes ``(n, T)``, the variance of each tag's log odds under the head's posterior
    members:        yields ``(n, T)`` probabilities of each member of a committee
    value:          ``(n,)`` what a right product is worth to the shop, such as its page views
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
    seed: int = 0
    history: Decided | None = None
    variance: Callable[[], np.ndarray] | None = None
    members: Callable[[], Iterator[np.ndarray]] | None = None
    value: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rng(self) -> np.random.Generator:
        """A fresh one each time."""
        return np.random.default_rng(self.seed)

    @cached_property
    def points(self) -> np.ndarray:
        """``(n, d)``: the embeddings at length 1."""
        return unit(self.embeddings)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Among at most ANCHORS products of the pool, drawn at random where it is larger."""
        n = len(self)
        anchors = np.arange(n) if n <= ANCHORS else np.sort(self.rng.choice(n, ANCHORS, replace=False))
        k = min(NEIGHBOURS, len(anchors) - 1)
        rows, cosine = np.zeros((n, max(k, 0)), dtype=np.int64), np.zeros((n, max(k, 0)), dtype=np.float32)
        for begin in range(0, n if k > 0 else 0, BLOCK):
            here = np.arange(begin, min(begin + BLOCK, n))
            alike = self.points[here] @ self.points[anchors].T
            alike[here[:, None] == anchors[None, :]] = -np.inf
            near = np.argpartition(-alike, k - 1, axis=1)[:, :k]
            near = np.take_along_axis(near, np.argsort(-np.take_along_axis(alike, near, 1), 1, kind="stable"), 1)
            rows[here], cosine[here] = anchors[near], np.take_along_axis(alike, near, 1)
        return Neighbours(rows, cosine)

    def take(self, rows: np.ndarray) -> PoolView:
        """The view of some products alone; without posterior and committee."""
        return replace(
            self,
            ids=[self.ids[i] for i in rows],
            families=[self.families[i] for i in rows],
            embeddings=self.embeddings[rows],
            probabilities=self.probabilities[rows],
            open=self.open[rows],
            value=None if self.value is None else self.value[rows],
            variance=None,
            members=None,
        )

    def need_history(self, what: str) -> Decided:
        if self.history is None:
            raise ValueError(f"{what} needs what was decided (PoolView.history)")
        return self.history


class Strategy(Protocol):
    """How much a decision about each product would teach."""

    def utilities(self, view: PoolView) -> np.ndarray:
        """``(n,)`` finite, higher first. The same view gives the same numbers."""
        ...


class Selector(Protocol):
    """Which products to ask about together."""

    def pick(self, utilities: np.ndarray, view: PoolView, b: int) -> list[str]:
        """At most ``b`` different ids of the view, the most wanted first; all of them where the pool is smaller."""
        ...


def unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 1e-12, lengths, 1.0), dtype=np.float32)


def spread(values: np.ndarray) -> np.ndarray:
    """Values to ranks in (0, 1]; equal values share their mean rank."""
    found, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: np.ndarray = (last - (counts - 1) / 2) / max(len(values), 1)
    return mean[inverse] if len(found) else mean


def by_facet(values: np.ndarray, view: PoolView) -> np.ndarray:
    """``(n, F)``: the largest value of the open tags of each facet; 0 where none is open. ``values`` are not below 0."""
    there = np.where(view.open, values, 0.0)
    out = np.zeros((len(view), len(view.facets)), dtype=np.float32)
    for number, columns in enumerate(view.facets.values()):
        if len(columns):
            run = slice(columns[0], columns[-1] + 1) if columns[-1] - columns[0] + 1 == len(columns) else list(columns)
            out[:, number] = there[:, run].max(axis=1)
    return out


def per_product(values: np.ndarray, view: PoolView, over: str = "mean") -> np.ndarray:
    """``(n,)`` from values ``(n, T)`` a tag: of each open facet the largest, then their ``mean``, ``sum`` or ``max``.

    ``tags`` sums over all open tags instead.
    """
    if over == "tags":
        return np.asarray(np.where(view.open, values, 0.0).sum(axis=1))
    table = by_facet(values, view)
    if over == "sum":
        return np.asarray(table.sum(axis=1))
    if over == "max":
        return np.asarray(table.max(axis=1, initial=0.0))
    if over != "mean":
        raise ValueError(f"over={over!r}: mean, sum, max or tags")
    asked = by_facet(np.ones(values.shape, dtype=np.float32), view).sum(axis=1)
    return np.asarray(table.sum(axis=1) / np.maximum(asked, 1))
