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

from ml.instant.threads import THREADS, in_parallel

NEIGHBOURS = 10
ANCHORS = 1000  # products of the pool that each is compared with, so that cost is linear
BLOCK = 4000  # rows compared at a time: 4000 x 1000 floats are 16 MB
CELLS = 150_000  # scores measured at a time: 0.6 MB, so that they and what comes of them stay in a core's caches
SHARED = 3_000_000  # scores from which a second thread is worth starting


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

    applies:        ``(n, T)`` bool, what is a question about the product at all, answered or not; none: what is open

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
    applies: np.ndarray | None = None
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
            applies=None if self.applies is None else self.applies[rows],
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
    out = np.zeros((len(view), len(view.facets)), dtype=np.float32)

    def work(rows: slice) -> None:
        out[rows] = np.maximum(_peaks(values[rows], view.open[rows], view.facets), 0.0).T

    in_blocks(view, work)
    return out


def facets_of(mask: np.ndarray, view: PoolView) -> np.ndarray:
    """``(n,)``: how many facets have any tag in the mask ``(n, T)``."""
    out = np.zeros(len(view), dtype=np.int64)

    def work(rows: slice) -> None:
        out[rows] = (_peaks(np.ones(mask[rows].shape, dtype=np.float32), mask[rows], view.facets) > 0).sum(axis=0)

    in_blocks(view, work)
    return out


def per_product(values: np.ndarray, view: PoolView, over: str = "mean") -> np.ndarray:
    """``(n,)`` from values ``(n, T)`` a tag, not below 0: of each open facet the largest, then their ``mean``, ``sum``
    or ``max``.

    ``tags`` sums over all open tags instead.
    """
    out = np.zeros(len(view))

    def work(rows: slice) -> None:
        if over == "tags":
            out[rows] = np.where(view.open[rows], values[rows], 0.0).sum(axis=1)
        else:
            out[rows] = _over(_peaks(values[rows], view.open[rows], view.facets), over)

    in_blocks(view, work)
    return out


def doubt_per_product(measure: Callable[[np.ndarray], np.ndarray], view: PoolView, over: str = "mean") -> np.ndarray:
    """:func:`per_product` of ``measure(probabilities)``, for a measure that is the same on either side of a half and
    rises towards it: of a facet's tags only the one nearest to a half has to be measured."""
    out = np.zeros(len(view))

    def work(rows: slice) -> None:
        p, open_ = view.probabilities[rows], view.open[rows]
        if over == "tags":
            out[rows] = np.where(open_, measure(p), 0.0).sum(axis=1)
            return
        nearest = _peaks(np.minimum(p, 1 - p), open_, view.facets)
        out[rows] = _over(np.where(nearest >= 0, measure(np.maximum(nearest, 0.0)), -1.0), over)

    in_blocks(view, work)
    return out


def in_blocks(view: PoolView, work: Callable[[slice], None]) -> None:
    """``work`` on all rows, CELLS scores at a time: what lies between never leaves the caches, which for 100,000
    products is most of the time. Large pools on as many threads as there are cores."""
    n, tags = view.probabilities.shape
    step = max(CELLS // max(tags, 1), 1)
    share = max(-(-n // THREADS), SHARED // max(tags, 1), 1)

    def part(begin: int) -> None:
        end = min(begin + share, n)
        for at in range(begin, end, step):
            work(slice(at, min(at + step, end)))

    in_parallel(part, range(0, n, share))


def _peaks(values: np.ndarray, open_: np.ndarray, facets: Mapping[str, Sequence[int]]) -> np.ndarray:
    """``(F, rows)``: the largest value of the open tags of each facet, -1 where none is open.

    The block is turned first. A facet's tags then lie below each other and one maximum of two rows serves all products;
    along a product's dozen tags numpy would be called for each facet of each product.
    """
    if not open_.all():
        values = np.where(open_, values, np.float32(-1))
    turned = np.ascontiguousarray(values.T, dtype=np.float32)
    out = np.full((len(facets), turned.shape[1]), -1, dtype=np.float32)
    for number, columns in enumerate(facets.values()):
        if len(columns):
            first, last = min(columns), max(columns)
            run = slice(first, last + 1) if last - first + 1 == len(columns) else list(columns)
            np.maximum.reduce(turned[run], axis=0, out=out[number])
    return out


def _over(peaks: np.ndarray, over: str) -> np.ndarray:
    """``(rows,)`` from ``(F, rows)``, -1 where a facet is no question."""
    if over == "max":
        return np.asarray(peaks.max(axis=0, initial=0.0))
    if over not in ("mean", "sum"):
        raise ValueError(f"over={over!r}: mean, sum, max or tags")
    total = np.maximum(peaks, 0.0).sum(axis=0, dtype=np.float64)
    return np.asarray(total if over == "sum" else total / np.maximum((peaks >= 0).sum(axis=0), 1))
