"""What speaks for each tag of each product, kind by kind, before it is weighed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from ml.instant.dictionary import Dictionary, Match, precision
from ml.schema import Schema

GUESS = 0.03  # rate of a tag that nobody has decided on: low, so that only evidence brings it up
PRIOR_WEIGHT = 4.0  # observations that the facet's rate is worth in a tag's prior


@dataclass(frozen=True, slots=True)
class Hits:
    """Dictionary matches of many products as arrays: product ``row``, entry, column, and where it was found."""

    row: np.ndarray
    entry: np.ndarray
    column: np.ndarray
    place: np.ndarray  # 0 text, 1 title, 2 category, 3 source

    @classmethod
    def of(cls, matches: Sequence[Sequence[Match]]) -> Hits:
        places = {"title": 1, "category": 2, "source": 3}
        flat = [(r, m.entry, m.column, places.get(m.field, 0)) for r, of_row in enumerate(matches) for m in of_row]
        table = np.array(flat, dtype=np.int64).reshape(-1, 4)
        return cls(table[:, 0], table[:, 1], table[:, 2], table[:, 3])

    def of_rows(self, inside: np.ndarray) -> Hits:
        """Those of the products where ``inside`` is true, rows renumbered."""
        kept = inside[self.row]
        row = np.cumsum(inside)[self.row[kept]] - 1
        return Hits(row, self.entry[kept], self.column[kept], self.place[kept])


def prior_logits(y: np.ndarray, known: np.ndarray, schema: Schema) -> np.ndarray:
    """``(T,)``: log odds of each tag before a product is read, its own rate pulled to the mean rate of its facet.

    The rate is of products with any decision in the facet, so that tags which were only ever accepted, never refused,
    are not taken for certain.
    """
    right = (y * known).sum(axis=0).astype(np.float64)
    seen = np.zeros(len(schema.columns))
    for columns in schema.facet_columns.values():
        seen[columns] = known[:, columns].any(axis=1).sum()
    rate = np.zeros(len(schema.columns))
    for columns in schema.facet_columns.values():
        if columns:
            guess = min(GUESS, 1.0 / (len(columns) + 1))
            mean = (right[columns].sum() + 2 * guess) / (seen[columns].sum() + 2)
            rate[columns] = (right[columns] + PRIOR_WEIGHT * mean) / (seen[columns] + PRIOR_WEIGHT)
    out: np.ndarray = logit(np.clip(rate, 1e-4, 0.98)).astype(np.float32)
    return out


def dictionary_evidence(
    hits: Hits, chance: np.ndarray, prior: np.ndarray, shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Kinds ``dictionary``, ``title``, ``category`` and ``source``.

    chance: ``(entries,)``, the precision of each entry. A hit's evidence is how much it raises the
    log odds above the prior; several hits do not add up, the strongest counts.
    """
    out = {kind: np.zeros(shape, dtype=np.float32) for kind in ("dictionary", "title", "category", "source")}
    if not len(hits.row):
        return out
    gain = (logit(np.clip(chance[hits.entry], 1e-3, 0.995)) - prior[hits.column]).astype(np.float32)
    source = hits.place == 3
    np.maximum.at(out["dictionary"], (hits.row[~source], hits.column[~source]), gain[~source])
    np.maximum.at(out["source"], (hits.row[source], hits.column[source]), gain[source])
    for kind, place in (("title", 1), ("category", 2)):
        there = hits.place == place
        out[kind][hits.row[there], hits.column[there]] = 1.0
    return out


def entry_precision(dictionary: Dictionary) -> np.ndarray:
    """``(entries,)`` from all that was counted."""
    table = np.array([(e.prior, e.right, e.seen) for e in dictionary.entries]).reshape(-1, 3)
    return precision(table[:, 0], table[:, 1], table[:, 2])


def entry_counts(hits: Hits, y: np.ndarray, known: np.ndarray, entries: int) -> tuple[np.ndarray, np.ndarray]:
    """``(right, seen)`` of each entry over the products of ``y``; a product counts once, however often it matches."""
    pair = np.unique(hits.row * np.int64(max(entries, 1)) + hits.entry, return_index=True)[1]
    row, entry, column = hits.row[pair], hits.entry[pair], hits.column[pair]
    is_known = known[row, column]
    right = np.bincount(entry[is_known], y[row, column][is_known], minlength=entries)
    return right, np.bincount(entry[is_known], minlength=entries).astype(float)


def label_evidence(
    blocks: Sequence[np.ndarray], labels: Sequence[np.ndarray], lexical: Sequence[bool]
) -> dict[str, np.ndarray]:
    """Kinds ``label_words`` and ``label_sense``: likeness of product and label (as from ``facet_contrast``)."""
    out: dict[str, np.ndarray] = {}
    for block, of_labels, is_lexical in zip(blocks, labels, lexical, strict=True):
        kind = "label_words" if is_lexical else "label_sense"
        likeness = block @ of_labels.T
        out[kind] = out[kind] + likeness if kind in out else likeness
    return out
