"""What waits, in the order in which people should look at it, and what is suggested for it.

The policy compares each product with many others, so of a large catalogue it ranks a shortlist: those that the model
doubts most and a random part of the rest. The blind slice is drawn by a hash of the product and takes the place that
another hash gives it, so it stays a random part of the whole catalogue whoever is on the list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotations.actions.queue_order import FRONT_LINE, Place
from annotations.actions.suggestions import ProductSuggestions, SuggestedTag, tag_ids
from annotations.bridge.held import held
from annotations.bridge.rows import Examples, schema_of
from annotations.bridge.suggesting import predictor, spans
from annotations.models import Catalogue, ModelVersion
from annotations.queries import asking
from annotations.queries import examples as questions
from ml.active import policy
from ml.active.view import PoolView
from ml.bundle import BundleError
from ml.encoders.base import EncoderError
from ml.instant.pool import Pool
from ml.serving.predictor import Predictor

SHORTLIST = 5_000  # products the policy compares; all that wait where there are fewer
FRONT = 500  # products at the head of the queue that are put in order before anything else is written
PREDICTED_AT_ONCE = 500
REMEMBERED = 1000  # decided products that novelty is measured against
SEEN = 0.5  # share of a product's facets beyond which it counts among them


@dataclass(frozen=True)
class Order:
    """keys: products by primary key; priority: ``(n,)``, higher first, those at the head above FRONT_LINE; why and
    blind by position, for those on the shortlist; codes: ``(n, T)``, their scores as :meth:`Pool.sweep` gives them."""

    catalogue: Catalogue
    model: ModelVersion
    predictor: Predictor
    keys: np.ndarray
    priority: np.ndarray
    why: dict[int, dict[str, Any]]
    blind: np.ndarray
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def best_first(self) -> np.ndarray:
        """All positions."""
        return np.argsort(-self.priority, kind="stable")

    @property
    def front(self) -> np.ndarray:
        """Positions of the head of the queue, best first."""
        found = np.flatnonzero(self.priority > FRONT_LINE)
        return found[np.argsort(-self.priority[found], kind="stable")]

    def places(self) -> list[Place]:
        """Where the head of the queue belongs."""
        return [
            Place(int(self.keys[i]), round(float(self.priority[i]), 6), self.why[int(i)], bool(self.blind[i]))
            for i in self.front
        ]

    def rest(self) -> dict[int, float]:
        """Product to priority, for all others."""
        others = np.flatnonzero(self.priority <= FRONT_LINE)
        return dict(zip(self.keys[others].tolist(), self.priority[others].round(6).tolist(), strict=True))

    def stale(self, positions: np.ndarray | None = None) -> np.ndarray:
        """Of these (of all), best first, those of which something else is stored than the model says, as far as known."""
        positions = np.arange(len(self)) if positions is None else positions
        here = held(self.catalogue)
        with here.lock:
            if here.pool is None:
                return positions
            there = np.array([int(key) in here.pool for key in self.keys[positions]], dtype=bool)
            positions = positions[there]
            here.shown.fit(self.predictor.model, len(here.pool.ids))
            keys = self.keys[positions]
            found = positions[here.shown.stale(here.pool.rows(keys), keys, self.codes[positions])]
        return found[np.argsort(-self.priority[found], kind="stable")]

    def suggestions(self, positions: Sequence[int] | np.ndarray) -> Iterator[ProductSuggestions]:
        """What the model suggests for these, in their order. Tags retired since, and products gone, are left out."""
        ids = tag_ids(self.catalogue)
        examples = Examples(self.predictor.model.schema)
        for begin in range(0, len(positions), PREDICTED_AT_ONCE):
            chunk = np.asarray(positions[begin : begin + PREDICTED_AT_ONCE])
            rows = {row.pk: row for row in questions.bare_facts(self.catalogue, self.keys[chunk].tolist())}
            there = [int(i) for i in chunk if int(self.keys[i]) in rows]
            predictions = self.predictor.predict([examples.of(rows[int(self.keys[i])]) for i in there])
            for i, prediction in zip(there, predictions, strict=True):
                yield ProductSuggestions(
                    product=int(self.keys[i]),
                    tags=[
                        SuggestedTag(ids[t.facet, t.tag], round(t.score, 4), t.band, t.source, spans(t.spans))
                        for t in prediction.tags
                        if (t.facet, t.tag) in ids
                    ],
                    priority=round(float(self.priority[i]), 6),
                    why=self.why.get(i, {}),
                    blind=bool(self.blind[i]),
                )

    def stored(self, positions: Sequence[int] | np.ndarray) -> None:
        """Note that these were written."""
        here = held(self.catalogue)
        positions = np.asarray(positions, dtype=np.int64)
        with here.lock:
            if here.pool is not None:
                positions = positions[[int(key) in here.pool for key in self.keys[positions]]]
                keys = self.keys[positions]
                here.shown.fit(self.predictor.model, len(here.pool.ids))
                here.shown.stored(here.pool.rows(keys), keys, self.codes[positions])


def rank(catalogue: Catalogue, model: ModelVersion, *, everything: bool = False) -> Order | None:
    """What waits (or everything), ranked by what a decision would teach. None where the model's files are gone."""
    try:
        served = predictor(model)
    except (BundleError, EncoderError, OSError):
        return None
    here = held(catalogue)
    with here.refit():
        if here.pool is None:
            here.refresh(catalogue, schema_of(catalogue), lambda step: None)
        pool = here.pool
        assert pool is not None
        if here.model is not served.model:
            pool.follow(served.model)
            here.model = served.model
        waiting = pool.row_of if everything else [key for key in questions.waiting(catalogue) if key in pool]
        keys = np.array(list(waiting), dtype=np.int64)
        swept = pool.sweep(served.model, keys)
        done, blind_done = asking.decided_counts(catalogue)
        reserved = policy.Slice(catalogue.blind_share).reserved(done, len(keys))
        listed = _shortlist(pool, keys, swept.doubt, reserved)
        ranking = policy.rank(
            _view(pool, served, keys[listed]),
            blind_share=catalogue.blind_share,
            decided=done,
            blind_decided=blind_done,
            waiting=len(keys),
            random=asking.falls_back(catalogue),
        )
        priority, blind = np.zeros(len(keys)), np.zeros(len(keys), dtype=bool)
        if len(listed) < len(keys):
            priority[np.argsort(swept.doubt, kind="stable")] = np.linspace(0, 0.5, len(keys))
        priority[listed] = ranking.utilities
        blind[listed] = ranking.blind
        head = listed[np.argsort(-ranking.utilities, kind="stable")[:FRONT]]
        priority[head] += FRONT_LINE + 1
        why = dict(zip(listed.tolist(), ranking.why, strict=True))
        order = Order(catalogue, model, served, keys, priority, why, blind, swept.codes)
        if not everything:
            here.order = order
    return order


def latest(catalogue: Catalogue) -> Order | None:
    """The last order of what waits that was made in this process."""
    return held(catalogue).order


def hold_back(catalogue: Catalogue, check: Callable[[], None]) -> None:
    """Return when no refit runs in this process; ``check`` is called meanwhile."""
    here = held(catalogue)
    while here.refitting:
        check()
        time.sleep(0.02)


def _shortlist(pool: Pool, keys: np.ndarray, doubt: np.ndarray, blind_share: float) -> np.ndarray:
    """Positions, ascending."""
    if len(keys) <= SHORTLIST:
        return np.arange(len(keys))
    draw = pool.draws[pool.rows(keys)]
    blind = draw < blind_share
    doubtful = np.flatnonzero(~blind)
    doubtful = doubtful[np.argsort(-doubt[doubtful], kind="stable")[: SHORTLIST // 2]]
    chosen = np.zeros(len(keys), dtype=bool)
    chosen[doubtful] = True
    hidden = np.flatnonzero(blind)
    chosen[hidden[np.argsort(draw[hidden], kind="stable")[: int(SHORTLIST * blind_share)]]] = True
    others = np.flatnonzero(~chosen & ~blind)
    more = max(SHORTLIST - int(chosen.sum()), 0)
    chosen[np.random.default_rng(0).permutation(others)[:more]] = True
    return np.flatnonzero(chosen)


def _view(pool: Pool, served: Predictor, keys: np.ndarray) -> PoolView:
    model, features = served.model, pool.features(keys)
    rows = pool.rows(keys).tolist()
    return PoolView(
        ids=[pool.ids[row] for row in rows],
        families=[pool.families[row] for row in rows],
        embeddings=features.dense,
        probabilities=model.probabilities(features),
        open=features.applies & ~pool.answered(keys),
        applies=features.applies,
        decided=pool.features(_seen(pool)).dense,
        support=model.support,
        facets=model.schema.facet_columns,
        tags=[tag for _facet, tag in model.schema.columns],
    )


def _seen(pool: Pool) -> list[int]:
    """Products that were decided on, the latest; those of which only a facet or two are (by the grid, by an import) are
    no ground that is covered, least of all for what is still to be asked about themselves."""
    keys = pool.decided[-REMEMBERED:]
    if not keys:
        return keys
    _y, known = pool.truth(keys)
    applies = pool.features(keys).applies
    facets = [list(columns) for columns in pool.schema.facet_columns.values() if len(columns)]
    said = sum((known & applies)[:, columns].any(axis=1).astype(float) for columns in facets)
    asked = sum(applies[:, columns].any(axis=1).astype(float) for columns in facets)
    return [key for key, enough in zip(keys, np.asarray(said > SEEN * asked), strict=True) if enough]
