"""Selectors and wrappers that suit any strategy, and the list of strategies by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.active.cold_start import Coverage, GreedyCover, Typicality, TypicalOfClusters, novelty
from ml.active.diversity import Contrastive, Discriminative, GradientKMeans, GradientLength, KCenter, Novelty
from ml.active.multilabel import CategoryVectors, Inconsistency, MaximalLoss
from ml.active.uncertainty import Bald, Committee, Random, Uncertainty, entropy, least_confidence, margin
from ml.active.view import PoolView, Selector, Strategy, spread


@dataclass(frozen=True)
class Top:
    """The products of most utility, of equal ones the first of the view."""

    def pick(self, utilities: np.ndarray, view: PoolView, b: int) -> list[str]:
        rows = np.arange(len(view))
        if 0 < b < len(view):
            rows = np.flatnonzero(utilities >= np.partition(utilities, len(view) - b)[len(view) - b])
        return [view.ids[i] for i in rows[np.argsort(-utilities[rows], kind="stable")[:b]]]


@dataclass(frozen=True)
class NearDuplicateAware:
    """One of each family, and none that all but copies a decided product, as long as others are left.

    alike: the cosine from which a product counts as a copy
    """

    inner: Selector = field(default_factory=Top)
    alike: float = 0.98

    def pick(self, utilities: np.ndarray, view: PoolView, b: int) -> list[str]:
        first = first_of_family(utilities, view.families) & (1 - novelty(view) < self.alike)
        rows = np.flatnonzero(first)
        out = self.inner.pick(utilities[rows], view.take(rows), b) if len(rows) else []
        if len(out) < b:
            chosen = set(out)
            left = np.array([i for i in range(len(view)) if view.ids[i] not in chosen], dtype=np.int64)
            if len(left):
                out += self.inner.pick(utilities[left], view.take(left), b - len(out))
        return out


def first_of_family(utilities: np.ndarray, families: Sequence[str]) -> np.ndarray:
    """``(n,)`` bool: the product of most utility of each family."""
    _, family = np.unique(np.asarray(families, dtype=object).astype(str), return_inverse=True)
    order = np.lexsort((-utilities, family))
    out = np.zeros(len(families), dtype=bool)
    out[order[np.flatnonzero(np.r_[True, np.diff(family[order]) > 0])]] = True
    return out


@dataclass(frozen=True)
class ClassBalanced:
    """Raises products that probably have tags of which few products are known.

    The utility's rank times the mean of 1 and the rank of the expected rarity, ``sum of p / (1 + support)``.
    """

    inner: Strategy

    def utilities(self, view: PoolView) -> np.ndarray:
        rarity = np.where(view.open, view.probabilities, 0.0) @ (1 / (1 + view.support))
        return np.asarray(spread(self.inner.utilities(view)) * (1 + spread(rarity)) / 2)


@dataclass(frozen=True)
class ValueWeighted:
    """Counts a product for what it is worth to the shop: the utility's rank times the value's, to a power.

    power 0: as if all were worth the same. Raises ValueError for a view without values.
    """

    inner: Strategy
    power: float = 1.0

    def utilities(self, view: PoolView) -> np.ndarray:
        if view.value is None:
            raise ValueError("weighting by value needs the value of each product (PoolView.value)")
        return np.asarray(spread(self.inner.utilities(view)) * spread(view.value) ** self.power)


@dataclass(frozen=True)
class Recipe:
    """A strategy with the selector that it is published with."""

    strategy: Strategy
    selector: Selector = field(default_factory=Top)

    def pick(self, view: PoolView, b: int) -> list[str]:
        return self.selector.pick(self.strategy.utilities(view), view, b) if len(view) and b > 0 else []


RECIPES: dict[str, Recipe] = {
    "random": Recipe(Random()),
    "least_confidence": Recipe(Uncertainty(least_confidence)),
    "margin": Recipe(Uncertainty(margin)),
    "entropy": Recipe(Uncertainty(entropy, over="tags")),
    "bald": Recipe(Bald()),
    "committee": Recipe(Committee()),
    "badge": Recipe(GradientLength(), GradientKMeans()),
    "margin_badge": Recipe(Uncertainty(margin), GradientKMeans(among=10)),
    "coreset": Recipe(Novelty(), KCenter()),
    "typiclust": Recipe(Typicality(), TypicalOfClusters()),
    "probcover": Recipe(Coverage(), GreedyCover()),
    "cal": Recipe(Contrastive()),
    "discriminative": Recipe(Discriminative()),
    "mmc": Recipe(MaximalLoss()),
    "cvirs": Recipe(CategoryVectors()),
    "lci": Recipe(Inconsistency()),
    "margin_balanced": Recipe(ClassBalanced(Uncertainty(margin))),
    "margin_families": Recipe(Uncertainty(margin), NearDuplicateAware()),
    "bald_families": Recipe(Bald(), NearDuplicateAware()),
}
