"""The default policy: cover what is unknown while tags lack examples, then ask what the model cannot tell, one of each
family first, with a random blind slice in between that keeps every measure honest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.active.coverage import novelty, typicality
from ml.active.uncertainty import margin
from ml.active.view import PoolView
from ml.examples import in_fold

ENOUGH = 3  # products that a tag should be known of before doubt about it means anything


@dataclass(frozen=True)
class Ranking:
    """utilities: ``(n,)`` in (-1, 1], higher first; why: ``{"reason": ..., "facet": ..., "tag": ...}`` a product;
    blind: ``(n,)`` bool, to be shown without suggestions."""

    utilities: np.ndarray
    why: list[dict[str, Any]]
    blind: np.ndarray


def rank(view: PoolView, *, blind_share: float = 0.05) -> Ranking:
    """Order the pool. The same view gives the same order.

    Utilities are ranks, spread evenly over (0, 1], so that the blind slice, whose utilities are drawn from the same
    range by a hash of the id, comes by at its share wherever in the queue one is. Products whose family has a better
    one in the pool follow after all others (utilities below 0).
    """
    if not len(view):
        return Ranking(np.zeros(0), [], np.zeros(0, dtype=bool))
    doubt, facet_of = _doubt(view)
    lacking = _lacking(view)
    cover = spread(typicality(view.embeddings, view.rng) * novelty(view.embeddings, view.decided, view.rng))
    blend = lacking * cover + (1 - lacking) * spread(doubt)
    blind = np.array([in_fold(name, blind_share, "blind") for name in view.ids])
    utilities = spread(blend)
    utilities[blind] = [_uniform(view.ids[int(i)]) for i in np.flatnonzero(blind)]
    why = [
        {"reason": "blind"}
        if blind[i]
        else {"reason": "coverage"}
        if lacking * cover[i] > (1 - lacking) * doubt[i]
        else _doubted(view, i, facet_of[i])
        for i in range(len(view))
    ]
    return Ranking(_one_of_each_family(utilities, view.families), why, blind)


def spread(values: np.ndarray) -> np.ndarray:
    """Values to ranks in (0, 1]; equal values share their mean rank."""
    found, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: np.ndarray = (last - (counts - 1) / 2) / len(values)
    return mean[inverse] if len(found) else mean


def _doubt(view: PoolView) -> tuple[np.ndarray, list[str]]:
    """``(n,)`` the doubt about the most doubtful tag of each open facet, averaged over facets; and the worst facet."""
    unsure = np.where(view.open, margin(view.probabilities), 0.0)
    names = list(view.facets)
    table = np.stack([unsure[:, view.facets[f]].max(axis=1, initial=0.0) for f in names], axis=1)
    asked = np.stack([view.open[:, view.facets[f]].any(axis=1) for f in names], axis=1).sum(axis=1)
    worst = [names[i] for i in table.argmax(axis=1)]
    return table.sum(axis=1) / np.maximum(asked, 1), worst


def _lacking(view: PoolView) -> float:
    """The share of tags that hardly any product is known to have: how much coverage still counts for."""
    return float((view.support < ENOUGH).mean()) if len(view.support) else 1.0


def _doubted(view: PoolView, row: int, facet: str) -> dict[str, Any]:
    columns = list(view.facets[facet])
    worst = columns[int(np.where(view.open[row, columns], margin(view.probabilities[row, columns]), -1).argmax())]
    return {"reason": "uncertain", "facet": facet, "tag": view.tags[worst]}


def _uniform(name: str) -> float:
    """A number in [0, 1) that the name always gives, by bisection of the same fixed hash that draws folds."""
    low, high = 0.0, 1.0
    for _step in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if in_fold(name, middle, "place") else (middle, high)
    return low


def _one_of_each_family(utilities: np.ndarray, families: list[str] | Any) -> np.ndarray:
    """The best of each family keeps its place; the others follow after everything else, in their order."""
    out = utilities.astype(np.float64)
    seen: set[str] = set()
    for i in np.argsort(-out, kind="stable"):
        family = families[i]
        if family in seen:
            out[i] -= 1.0
        else:
            seen.add(family)
    return out
