"""A fitted model folded into as few numbers as scoring needs.

Head, label likeness and prior are linear in a product's features, the prototype is once their length is known, and
the dictionary speaks about few tags of a product. So all kinds of evidence, weighed and calibrated, come to one or two
matrix products and some sparse additions; :meth:`Combiner.logits` gives the same numbers kind by kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logit

from ml.instant.combine import KINDS, ease, knee, share_single, support_step
from ml.instant.evidence import Hits, entry_precision
from ml.instant.siblings import Said
from ml.instant.threads import in_parallel

if TYPE_CHECKING:
    from ml.instant.model import Features, InstantModel

ROWS = 2000  # products scored at a time: the working set stays near the caches


class Scorer:
    """Probabilities of one model for any number of products."""

    def __init__(self, model: InstantModel) -> None:
        combiner, tags = model.combiner, len(model.schema.columns)
        self._schema = model.schema
        kind = dict(zip(KINDS, combiner.weights[support_step(model.support)].T.astype(np.float32), strict=True))
        slope = (combiner.slope if len(combiner.slope) else np.ones(tags)).astype(np.float32)
        shift = (combiner.shift if len(combiner.shift) else np.zeros(tags)).astype(np.float32)
        slope, shift = slope * np.float32(combiner.bend[0]), shift * np.float32(combiner.bend[0])
        shift += np.float32(combiner.bend[1])
        of_head = np.where(model.has_head, kind["head"], np.float32(0.0))
        linear = model.weights[:-1] * of_head
        begin = 0
        for encoder, labels, lexical in zip(model.encoders, model.labels, model.lexical, strict=True):
            block = slice(begin, begin + encoder.dim)
            linear[block] += labels.T * kind["label_words" if lexical else "label_sense"]
            begin += encoder.dim
        constant = kind["one"] + kind["prior"] * model.prior + of_head * (model.weights[-1] - model.prior)
        self._linear = np.ascontiguousarray(linear * slope, dtype=np.float32)
        self._constant = (constant * slope + shift).astype(np.float32)
        near = model.prototypes.T * (kind["prototype"] * slope)
        self._near_columns = np.flatnonzero(near.any(axis=0))
        self._near = np.ascontiguousarray(near[:, self._near_columns], dtype=np.float32)
        self._centre = model.centre
        self._of_place = {1: kind["title"] * slope, 2: kind["category"] * slope}
        self._of_dictionary = kind["dictionary"] * slope
        self._siblings = model.siblings
        heads = model.siblings.heads
        self._axes = axes = heads.columns
        seen = np.where(model.has_head[axes], model.weights[:, axes], np.float32(0.0))
        seen[-1] -= np.where(model.has_head[axes], model.prior[axes], np.float32(0.0))
        # by fold what another head adds, last for a family in none, of which no head may speak
        nothing = np.zeros((1, *seen.shape), dtype=np.float32)
        self._unseen = (np.concatenate([heads.weights, nothing]) - seen) * (of_head * slope)[axes]
        near_nothing = np.zeros((1, len(axes), len(seen) - 1), dtype=np.float32)
        apart = np.concatenate([heads.prototypes, near_nothing]) - model.prototypes[axes]
        self._unseen_near = (apart * (kind["prototype"] * slope)[axes, None]).transpose(0, 2, 1)
        self._is_near = bool(self._unseen_near.any())
        self._knee, self._facts = knee(combiner.bend), combiner.facts.astype(np.float32)
        chance = logit(np.clip(entry_precision(model.dictionary), 1e-3, 0.995)).astype(np.float32)
        self._chance, self._prior = chance, model.prior

    def logits(self, features: Features) -> np.ndarray:
        """``(n, T)`` calibrated log odds, before single-choice facets share them."""
        dense, hits = features.dense, features.hits
        z = dense @ self._linear
        z += self._constant
        if len(self._near_columns):
            apart = dense - self._centre
            length = np.sqrt(np.einsum("ij,ij->i", apart, apart))
            likeness = (apart @ self._near) / np.where(length > 1e-12, length, np.float32(1.0))[:, None]
            if len(self._near_columns) == z.shape[1]:
                z += likeness
            else:
                z[:, self._near_columns] += likeness
        self._add_words(z, hits)
        said = self._siblings.said(features.product, features.family)
        if said is not None:
            self._forget_siblings(z, dense, said)
        z = ease(z, *self._knee)
        self._add_facts(z, hits, features.claimed)
        if said is not None:
            z[np.ix_(said.rows, self._axes)] += self._siblings.term(said)
        return z

    def _forget_siblings(self, z: np.ndarray, dense: np.ndarray, said: Said) -> None:
        """Where a sibling is decided, heads that have not seen the family speak in place of the one that has."""
        for fold in np.unique(said.fold):
            here = said.fold == fold
            features = dense[said.rows[here]]
            change = features @ self._unseen[fold][:-1] + self._unseen[fold][-1]
            if self._is_near:
                features -= self._centre
                length = np.sqrt(np.einsum("ij,ij->i", features, features))
                change += (features @ self._unseen_near[fold]) / np.where(length > 1e-12, length, 1.0)[:, None]
            z[np.ix_(said.rows[here], self._axes)] += np.where(said.what[here] > 0, change, np.float32(0.0))

    def _add_words(self, z: np.ndarray, hits: Hits) -> None:
        text = hits.place != 3
        row, column, gain = self._gains(hits, text)
        z[row, column] += gain * self._of_dictionary[column]
        for place, weight in self._of_place.items():
            there = hits.place == place
            row, column = hits.row[there], hits.column[there]
            # a pair that was found twice is written twice with the same number, not added twice
            z[row, column] = z[row, column] + weight[column]

    def _add_facts(self, z: np.ndarray, hits: Hits, claimed: np.ndarray) -> None:
        gain_weight, named_weight, other_weight = self._facts
        if claimed.any():
            z += claimed * other_weight
        row, column, gain = self._gains(hits, hits.place == 3)
        named = gain > 0
        row, column, gain = row[named], column[named], gain[named]
        z[row, column] += gain * gain_weight + named_weight - claimed[row, column] * other_weight

    def _gains(self, hits: Hits, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``(row, column, gain)``: the strongest hit of each pair, and how far it lifts the log odds above the prior."""
        row, column = hits.row[inside], hits.column[inside]
        gain = np.maximum(self._chance[hits.entry[inside]] - self._prior[column], np.float32(0.0))
        order = np.lexsort((gain, column, row))
        row, column, gain = row[order], column[order], gain[order]
        last = np.ones(len(row), dtype=bool)
        last[:-1] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
        return row[last], column[last], gain[last]

    def probabilities(self, features: Features) -> np.ndarray:
        """``(n, T)`` calibrated; 0 where the facet is no question about the product."""
        rows = len(features.dense)
        if rows <= ROWS:
            return self.block(features)
        out = np.empty((rows, len(self._schema.columns)), dtype=np.float32)

        def work(part: tuple[int, int, Hits]) -> None:
            begin, end, hits = part
            out[begin:end] = self.block(
                replace(
                    features,
                    dense=features.dense[begin:end],
                    blocks=[],
                    hits=hits,
                    applies=features.applies[begin:end],
                    claimed=features.claimed[begin:end],
                    product=features.product[begin:end],
                    family=features.family[begin:end],
                )
            )

        in_parallel(work, blocks(rows, features.hits))
        return out

    def block(self, features: Features) -> np.ndarray:
        """As :meth:`probabilities`, on this thread alone."""
        z, applies = self.logits(features), features.applies
        everywhere = applies.all()
        if not everywhere:
            z[~applies] = -30.0
        p = share_single(z, self._schema)
        if not everywhere:
            p[~applies] = 0.0
        return p


def blocks(rows: int, hits: Hits) -> Iterator[tuple[int, int, Hits]]:
    """Row ranges and their hits, rows renumbered. Hits may come in any order of rows."""
    if len(hits.row) and (np.diff(hits.row) < 0).any():
        order = np.argsort(hits.row, kind="stable")
        hits = Hits(hits.row[order], hits.entry[order], hits.column[order], hits.place[order])
    for begin in range(0, rows, ROWS):
        end = min(begin + ROWS, rows)
        low, high = np.searchsorted(hits.row, [begin, end])
        here = slice(low, high)
        yield begin, end, Hits(hits.row[here] - begin, hits.entry[here], hits.column[here], hits.place[here])
