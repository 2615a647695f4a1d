"""The default policy: cover what is unknown while tags lack examples, then ask what the model cannot tell, never two
copies of one thing, with a random blind slice in between that keeps every measure honest.

Coverage is facility location (Mirchandani and Francis 1990; as filtered submodular selection Wei, Iyer and Bilmes
2015): a product covers another by the square of their cosine, and is worth what it adds to the cover of the pool by
what is decided. Doubt is the margin of the most doubtful tag of each open facet. How much either counts is not a
constant: it is Good's (1953) estimate, from the tags that decisions brought so far, of how likely the next right tag is
one of which hardly a product is known. Both are utilities of a product, and of one that is answered in part they count
for the part that is left; the head of the queue is picked one after the other, each with what the ones before already
cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.active.cold_start import remembered
from ml.active.selectors import first_of_family
from ml.active.uncertainty import margin
from ml.active.view import ANCHORS, BLOCK, PoolView, by_facet, facets_of
from ml.examples import draw_of

ENOUGH = 3  # products that a tag should be known of before doubt about it means anything
AHEAD = 40  # places at the head of the queue that are picked one after the other
AMONG = 1500  # products of most utility that these are picked from
COPY = 0.975  # cosine from which a product teaches nothing that its copy did not: its doubt counts no more
FIRST = 150  # decided products up to which the random slice is at least FIRST_SHARE
FIRST_SHARE = 0.2


@dataclass(frozen=True)
class Ranking:
    """utilities: ``(n,)`` in (-1, 1], higher first; why: what speaks for asking about each product, as data;
    blind: ``(n,)`` bool, to be shown without suggestions.

    A why has ``reason`` (blind, random, coverage or uncertain), the most doubtful ``facet`` and ``tag`` with its
    ``score``, and the parts of the utility: ``doubt``, ``cover`` (0 to 1, of the most in the pool), ``unknown``, the
    weight of coverage.
    """

    utilities: np.ndarray
    why: list[dict[str, Any]]
    blind: np.ndarray


def rank(
    view: PoolView,
    *,
    blind_share: float = 0.05,
    decided: int | None = None,
    blind_decided: int = 0,
    waiting: int | None = None,
    random: bool = False,
    order: Sequence[str] | None = None,
) -> Ranking:
    """Order the pool. The same view gives the same order.

    Utilities fall evenly from 1 with the place in the queue. Products whose family has a better one in the pool follow
    after all others (utilities below 0).

    decided, blind_decided: how many products are decided (default: as many as the view remembers), and how many of them
    belong to the blind slice, by which the next ones of it are placed. waiting: how many products wait in all, where
    the view holds a shortlist of them. random: the guard's order
    (:mod:`ml.active.guard`), drawn by a hash. order: all ids, another strategy's order to take the policy's place.
    """
    if not len(view):
        return Ranking(np.zeros(0), [], np.zeros(0, dtype=bool))
    done = len(view.decided) if decided is None else decided
    plan = Slice(blind_share)
    reserved = plan.reserved(done, len(view) if waiting is None else waiting)
    blind = np.array([draw_of(name, "blind") < reserved for name in view.ids])
    place = np.array([draw_of(name, "place") for name in view.ids])
    doubts, cover, unknown = _parts(view)
    if random:
        wanted = place
    elif order is not None:
        at = {name: number for number, name in enumerate(order)}
        wanted = np.array([-float(at[name]) for name in view.ids])
    else:
        wanted = _ordered(view, doubts, cover, unknown, ~blind)
    first = first_of_family(np.where(blind, -np.inf, wanted), view.families) | blind
    utilities = interleave(wanted, blind, place, first, plan, done, blind_decided)
    return Ranking(utilities, _reasons(view, doubts, cover.gain, unknown, blind, random), blind)


@dataclass(frozen=True)
class Slice:
    """How large the blind slice is: FIRST_SHARE of the first FIRST decisions, so that the guard and the first honest
    measure soon have something to go by, then ``share``. Share 0: no slice."""

    share: float

    @property
    def _first(self) -> float:
        return max(self.share, FIRST_SHARE) if self.share > 0 else 0.0

    def due(self, decided: float) -> float:
        """How many of the first ``decided`` products are of the slice."""
        return self._first * min(decided, FIRST) + self.share * max(decided - FIRST, 0.0)

    def reserved(self, decided: int, waiting: int) -> float:
        """The share of all products that is kept for the slice, so that it stays a random part of the catalogue."""
        return self.due(decided + waiting) / max(decided + waiting, 1)

    def when(self, number: np.ndarray) -> np.ndarray:
        """After how many decisions the slice's product of each number is due: the inverse of :meth:`due`."""
        if self.share <= 0:
            return np.full(len(number), np.inf)
        head = self.due(FIRST)
        return np.where(number <= head, number / self._first, FIRST + (number - head) / self.share)


def interleave(
    wanted: np.ndarray,
    blind: np.ndarray,
    place: np.ndarray,
    first: np.ndarray,
    plan: Slice,
    decided: int,
    blind_decided: int,
) -> np.ndarray:
    """Utilities that put the blind slice, in the order of ``place``, where it is due among the others, which go by
    ``wanted``. A slice that is behind catches up with every second product."""
    slice_, others = np.flatnonzero(blind), np.flatnonzero(~blind)
    slice_ = slice_[np.argsort(place[slice_], kind="stable")]
    others = others[np.lexsort((-wanted[others], ~first[others]))]
    number = np.arange(len(slice_))
    due = plan.when(blind_decided + number + 1.0) - decided - 1
    key = np.concatenate([np.maximum(due, 2 * number) - number - 0.5, np.arange(len(others))])
    queue = np.concatenate([slice_, others])[np.argsort(key, kind="stable")]
    out = np.empty(len(wanted))
    out[queue] = 1 - np.arange(len(queue)) / len(queue)
    return np.where(first, out, out - 1.0)


def unknown_share(support: np.ndarray, enough: int = ENOUGH) -> float:
    """Good's estimate of the chance that the next right tag has at most ``enough - 1`` known products.

    Of N right tags seen, those of tags seen r times are expected to come next with chance ``(r + 1) n(r + 1) / N``,
    n(r) being how many tags were seen r times. 1 where nothing is known.
    """
    seen = np.rint(support).astype(np.int64)
    total = seen.sum()
    if total <= 0:
        return 1.0
    return float(min(sum(r * (seen == r).sum() for r in range(1, enough + 1)) / total, 1.0))


@dataclass(frozen=True)
class Cover:
    """gain ``(n,)`` in [0, 1]: what a decision about each product adds to the cover of the pool, as a share of the most
    there is; own ``(n,)``: how well it is covered itself, by cosine; covered ``(a,)``: how well each anchor is."""

    gain: np.ndarray
    own: np.ndarray
    anchors: np.ndarray
    covered: np.ndarray
    most: float


def coverage(view: PoolView) -> Cover:
    """Against at most ANCHORS products of the pool: two matrix products with as many columns."""
    n = len(view)
    at = np.arange(n) if n <= ANCHORS else np.sort(view.rng.choice(n, ANCHORS, replace=False))
    anchors, known = view.points[at], remembered(view)
    covered = _similar(anchors, known).max(axis=1, initial=0.0)
    gain, own = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32)
    for begin in range(0, n, BLOCK):
        rows = slice(begin, begin + BLOCK)
        gain[rows] = np.maximum(_similar(view.points[rows], anchors) - covered, 0.0).sum(axis=1)
        if len(known):
            own[rows] = (view.points[rows] @ known.T).max(axis=1)
    most = float(gain.max(initial=0.0))
    return Cover(gain / max(most, 1e-9), own, anchors, covered, max(most, 1e-9))


def _similar(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(points @ others.T, 0.0) ** 2)


@dataclass(frozen=True)
class _Doubt:
    """value ``(n,)`` in [0, 1], of the most in the pool; facet ``(n,)``, the worst facet's number."""

    value: np.ndarray
    facet: np.ndarray


def _left(view: PoolView) -> np.ndarray:
    """``(n,)`` in (0, 1]: the share of a product's facets that nobody has answered. A card teaches no more than it
    asks, and costs a look and a save however little that is."""
    if view.applies is None:
        return np.ones(len(view))
    return np.asarray(np.clip(facets_of(view.open, view) / np.maximum(facets_of(view.applies, view), 1), 0.01, 1.0))


def _parts(view: PoolView) -> tuple[_Doubt, Cover, float]:
    table = by_facet(margin(view.probabilities), view)
    asked = facets_of(view.open, view)
    mean = table.sum(axis=1) / np.maximum(asked, 1)
    worst = table.argmax(axis=1) if table.shape[1] else np.zeros(len(view), dtype=np.int64)
    return _Doubt(mean / max(float(mean.max(initial=0.0)), 1e-9), worst), coverage(view), unknown_share(view.support)


def _ordered(view: PoolView, doubt: _Doubt, cover: Cover, unknown: float, eligible: np.ndarray) -> np.ndarray:
    """``(n,)`` utilities: as things stand, and above them the head of the queue, picked one after the other."""
    fresh, part = cover.own < COPY, _left(view)
    utilities = part * (unknown * cover.gain + (1 - unknown) * doubt.value * fresh)
    rows = np.flatnonzero(eligible)
    rows = rows[np.argsort(-utilities[rows], kind="stable")[:AMONG]]
    points = view.points[rows]
    alike, covered, own = _similar(points, cover.anchors), cover.covered.copy(), cover.own[rows].copy()
    left = np.ones(len(rows), dtype=bool)
    # as in the pool, gain is a share of the most there is at each turn: coverage keeps its weight to the end
    for turn in range(min(AHEAD, len(rows))):
        gain = np.maximum(alike - covered, 0.0).sum(axis=1)
        gain /= max(float(gain[left].max()), 1e-9)
        now = part[rows] * (unknown * gain + (1 - unknown) * doubt.value[rows] * (own < COPY))
        best = int(np.where(left, now, -1.0).argmax())
        left[best] = False
        covered = np.maximum(covered, alike[best])
        own = np.maximum(own, points @ points[best])
        utilities[rows[best]] = 2.0 + AHEAD - turn
    return np.asarray(utilities, dtype=np.float64)


def _reasons(
    view: PoolView, doubt: _Doubt, gain: np.ndarray, unknown: float, blind: np.ndarray, random: bool
) -> list[dict[str, Any]]:
    """One dictionary a product, from arrays made for all at once."""
    worst = np.full(len(view), -1)
    doubts = margin(view.probabilities)
    for number, columns in enumerate(view.facets.values()):
        rows = np.flatnonzero(doubt.facet == number)
        if len(columns) and len(rows):
            cells = np.ix_(rows, np.asarray(columns))
            inside = np.where(view.open[cells], doubts[cells], -1.0)
            worst[rows] = np.where(inside.max(axis=1) >= 0, np.asarray(columns)[inside.argmax(axis=1)], -1)
    score = np.where(worst >= 0, view.probabilities[np.arange(len(view)), worst], 0.0).round(3).tolist()
    covers = (unknown * gain > (1 - unknown) * doubt.value).tolist()
    names = list(view.facets)
    shares, gains = doubt.value.round(3).tolist(), gain.round(3).tolist()
    out: list[dict[str, Any]] = []
    for i in range(len(view)):
        if blind[i]:
            out.append({"reason": "blind"})
            continue
        reason = "random" if random else "coverage" if covers[i] else "uncertain"
        said = {"reason": reason, "doubt": shares[i], "cover": gains[i], "unknown": round(unknown, 3)}
        if worst[i] >= 0:
            said |= {"facet": names[doubt.facet[i]], "tag": view.tags[worst[i]], "score": score[i]}
        out.append(said)
    return out
