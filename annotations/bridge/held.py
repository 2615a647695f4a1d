"""Catalogues in the memory of a worker: what a refit reads, kept between refits and brought up to date by what changed.

The database stays the truth: what is held is what was read of it, and each look asks for the revision of every product
and for the decisions after the last one seen. A process that has nothing yet reads everything once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from django.utils.translation import gettext as _

from annotations.bridge.encoders import SOON, AtHand, Say, encoders_at_hand, lexical_at_hand
from annotations.bridge.rows import Examples, embedding_cache, models_root
from annotations.models import Catalogue
from annotations.queries import examples as questions
from ml.examples import Example
from ml.instant.model import InstantModel
from ml.instant.pool import Fetch, Pool
from ml.schema import Schema

if TYPE_CHECKING:
    from annotations.bridge.order import Order

CATALOGUES = 4  # held by one process; the one that was used longest ago goes first
MOVED = 2  # steps (of a ``CODES``-th) by which a score must have moved to be stored anew
LEAST = 10  # steps below which nothing is suggested


class Held:
    """One catalogue. Whoever touches ``pool`` has ``lock``; ``refitting`` asks background work to wait."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.pool: Pool | None = None
        self.model: InstantModel | None = None
        self.shown = Shown()
        self.order: Order | None = None  # the last one made here
        self._examples: Examples | None = None
        self._revisions: dict[int, int] = {}
        self._taxonomy: Schema | None = None
        self._seq = -1
        self._refits = 0

    @property
    def refitting(self) -> bool:
        return self._refits > 0

    @contextmanager
    def refit(self) -> Iterator[None]:
        """Nobody else looks while the block runs, and background work holds back from its start to its end."""
        self._refits += 1
        try:
            with self.lock:
                yield
        finally:
            self._refits -= 1

    def refresh(self, catalogue: Catalogue, schema: Schema, say: Say) -> tuple[Pool, AtHand, int]:
        """The pool as the database is now, what encodes it, and the ``seq`` up to which decisions are in it."""
        seq = Catalogue.objects.values_list("seq", flat=True).get(pk=catalogue.pk)
        self._examples = examples = Examples(schema)
        if self.pool is None:
            lexical, _stale = lexical_at_hand(catalogue, examples, say)
            self.pool = Pool(schema, [lexical], embedding_cache(), self._fetch_of(catalogue), patience=SOON)
        pool = self.pool
        pool.use(schema, pool.encoders)
        fresh = self._read_products(pool, catalogue, say)
        hand = encoders_at_hand(catalogue, examples, pool, say)
        pool.use(schema, hand.encoders)
        pool.read_again()
        self._read_decisions(pool, catalogue, fresh, everything=self._taxonomy != schema)
        self._taxonomy, self._seq = schema, seq
        return pool, hand, seq

    def _fetch_of(self, catalogue: Catalogue) -> Fetch:
        def fetch(keys: Sequence[int]) -> Iterator[tuple[int, Example]]:
            assert self._examples is not None
            for row in questions.bare_facts(catalogue, keys):
                yield row.pk, self._examples.of(row)

        return fetch

    def _read_products(self, pool: Pool, catalogue: Catalogue, say: Say) -> list[int]:
        """Read what is new or changed, forget what is gone; returns the keys that were read."""
        assert self._examples is not None
        now = questions.revisions(catalogue)
        changed = [key for key, revision in now.items() if self._revisions.get(key) != revision]
        pool.drop(self._revisions.keys() - now.keys())
        if changed:
            say(str(_("Reading %(count)d products")) % {"count": len(changed)})
            rows = questions.bare_facts(catalogue, None if len(changed) == len(now) else changed)
            examples = self._examples
            pool.put((row.pk, examples.of(row)) for row in rows)
        self._revisions = now
        return changed

    def _read_decisions(self, pool: Pool, catalogue: Catalogue, fresh: Sequence[int], *, everything: bool) -> None:
        """Decisions since the last look; all of them where tags came, went or were merged."""
        assert self._examples is not None
        if everything:
            rows = questions.decided_facts(catalogue)
            gone = set(pool.decided) - {row.pk for row in rows}
            rows += questions.facts_of(catalogue, sorted(gone))
        else:
            rows = list(
                questions.facts_of(catalogue, sorted(questions.decided_since(catalogue, self._seq) | set(fresh)))
            )
        pool.decide((row.pk, self._examples.of(row)) for row in rows)


class Shown:
    """What is stored of each product's scores, in steps, so that only what moved is written again."""

    def __init__(self) -> None:
        self._columns: tuple[tuple[str, str], ...] = ()
        self._lines: tuple[np.ndarray, ...] = ()
        self._codes = np.zeros((0, 0), dtype=np.uint8)
        self._key = np.zeros(0, dtype=np.int64)

    def fit(self, model: InstantModel, rows: int) -> None:
        """Forget everything where tags or the scores from which they are checked are others than before."""
        lines = (model.thresholds, model.strong)
        same = self._columns == model.schema.columns and all(
            np.allclose(a, b, atol=1e-6) for a, b in zip(self._lines, lines, strict=True)
        )
        if not same:
            self._columns, self._lines = model.schema.columns, lines
            self._codes = np.zeros((rows, len(self._columns)), dtype=np.uint8)
            self._key = np.full(rows, -1, dtype=np.int64)
        elif rows > len(self._key):
            more = rows - len(self._key)
            self._codes = np.concatenate([self._codes, np.zeros((more, self._codes.shape[1]), dtype=np.uint8)])
            self._key = np.concatenate([self._key, np.full(more, -1, dtype=np.int64)])

    def stale(self, rows: np.ndarray, keys: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """``(n,)`` bool: what is stored of the product is another score, or nothing that we know of."""
        before = self._codes[rows]
        high, low = np.maximum(before, codes), np.minimum(before, codes)
        moved = ((high - low >= MOVED) & (high >= LEAST)).any(axis=1)
        return np.asarray(moved | (self._key[rows] != keys))

    def stored(self, rows: np.ndarray, keys: np.ndarray, codes: np.ndarray) -> None:
        self._codes[rows], self._key[rows] = codes, keys


_held: OrderedDict[tuple[object, ...], Held] = OrderedDict()
_lock = threading.Lock()


def forget(catalogue: Catalogue) -> None:
    """What this process knows of stored suggestions and of the order: both are another model's now."""
    here = held(catalogue)
    with here.lock:
        here.shown, here.order = Shown(), None


def held(catalogue: Catalogue) -> Held:
    """What this process holds of the catalogue; empty the first time."""
    name = (catalogue.pk, catalogue.slug, catalogue.created_at, models_root())
    with _lock:
        found = _held.setdefault(name, Held())
        _held.move_to_end(name)
        while len(_held) > CATALOGUES:
            _held.popitem(last=False)
    return found
