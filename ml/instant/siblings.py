"""What decided variants of an article say of the others, on the facets that tell variants apart.

Variants share most of their words. A head that was fitted on one of them therefore claims its colour of all others, and
with confidence, for it has learned that very text; and nothing that was measured out of fold knows of it, since there
whole families are left out. So on variant axes a product with decided siblings is scored by a head that has not seen its
family (one of those that the calibration was made with), and what its siblings have is weighed by itself, with weights
learned from articles of which several variants are decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ml.encoders.base import normalise
from ml.examples import fold_of
from ml.instant.combine import newton
from ml.schema import Schema

# log odds before anything was learned: of a tag that a sibling has, and of one that none has though siblings are decided
TERMS = (-2.0, 0.0)
PULL = 4.0  # of the terms to these, in pairs
# a facet nobody called an axis is one if this share of decided families, and at least so many, differ on it
DIFFER, FAMILIES = 0.5, 3
HAS, HAS_NOT = 1, 2


def names_of(names: Sequence[str]) -> np.ndarray:
    """``(n,)`` uint64: names of products or families, the same on every machine."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, dtype="<u8")


@dataclass(frozen=True, slots=True)
class Said:
    """rows ``(k,)`` of products with a decided sibling, ascending; fold ``(k,)`` of their families; what ``(k, A)`` int8:
    HAS, HAS_NOT, or 0 where no sibling's facet is known."""

    rows: np.ndarray
    fold: np.ndarray
    what: np.ndarray


@dataclass(frozen=True)
class Heads:
    """What scores variant axes; it stays while the calibration stays.

    columns: ``(A,)``, of the axes; weights: ``(folds, d + 1, A)``, the heads that left each fold out, less their prior,
    zero for tags without one; prototypes: ``(folds, A, d)``, likewise; terms: ``(A, 2)``; seed: which families are in
    which fold
    """

    columns: np.ndarray
    weights: np.ndarray
    prototypes: np.ndarray
    terms: np.ndarray
    seed: int = 0

    @classmethod
    def unfitted(cls, columns: np.ndarray, dim: int, folds: int = 0, seed: int = 0) -> Heads:
        """They say nothing but what siblings have."""
        count = len(columns)
        return cls(
            columns,
            np.zeros((folds, dim + 1, count), dtype=np.float32),
            np.zeros((folds, count, dim), dtype=np.float32),
            np.tile(np.array(TERMS), (count, 1)),
            seed,
        )


@dataclass(frozen=True)
class Siblings:
    """Heads, and the decided products with a family, by family: product, family ``(m,)`` uint64, fold ``(m,)``, has and
    known ``(m, A)`` bool."""

    heads: Heads
    product: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    family: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    fold: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    has: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))
    known: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))

    @classmethod
    def of(
        cls, heads: Heads, product: np.ndarray, families: Sequence[str], y: np.ndarray, known: np.ndarray
    ) -> Siblings:
        """From decided products: their names, their families, and what was decided ``(n, T)``."""
        family = names_of(families)
        kept = np.flatnonzero((family != product) & known[:, heads.columns].any(axis=1))
        kept = kept[np.argsort(family[kept], kind="stable")]
        folds = len(heads.weights)
        dealt = {
            name: fold_of(name, folds, str(heads.seed)) if folds else -1
            for name in {families[i] for i in kept.tolist()}
        }
        known = known[np.ix_(kept, heads.columns)]
        return cls(
            heads,
            product[kept],
            family[kept],
            np.array([dealt[families[i]] for i in kept.tolist()], dtype=np.int64),
            (y[np.ix_(kept, heads.columns)] > 0) & known,
            known,
        )

    @cached_property
    def _sums(self) -> tuple[np.ndarray, ...]:
        """Where each family begins, how many of its products have a tag and are known; products by name."""
        starts = np.flatnonzero(np.r_[True, self.family[1:] != self.family[:-1]])
        has, known = (np.add.reduceat(cells.astype(np.int32), starts, axis=0) for cells in (self.has, self.known))
        order = np.argsort(self.product, kind="stable")
        return starts, has, known, order, self.product[order]

    def said(self, product: np.ndarray, family: np.ndarray) -> Said | None:
        """What decided siblings of these products have, themselves left out; None where none has any."""
        if not len(self.family) or not len(family):
            return None
        begin, end = np.searchsorted(self.family, family, "left"), np.searchsorted(self.family, family, "right")
        rows = np.flatnonzero(end > begin)
        if not len(rows):
            return None
        starts, every_has, every_known, order, ordered = self._sums
        at = np.searchsorted(starts, begin[rows])
        has, known = every_has[at], every_known[at]
        own = order[np.minimum(np.searchsorted(ordered, product[rows]), len(order) - 1)]
        itself = (self.product[own] == product[rows]) & (self.family[own] == family[rows])
        has -= self.has[own] * itself[:, None]
        known -= self.known[own] * itself[:, None]
        what = np.where(has > 0, HAS, np.where(known > 0, HAS_NOT, 0)).astype(np.int8)
        told = what.any(axis=1)
        return Said(rows[told], self.fold[begin[rows[told]]], what[told]) if told.any() else None

    def unseen(self, dense: np.ndarray, centre: np.ndarray, said: Said) -> tuple[np.ndarray, np.ndarray]:
        """Evidence of head and prototype ``(k, A)`` for the rows of ``said``, from heads that have not seen the family."""
        shape = said.what.shape
        of_head, of_prototype = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        for fold in np.unique(said.fold[said.fold >= 0]):
            here = said.fold == fold
            features, weights = dense[said.rows[here]], self.heads.weights[fold]
            of_head[here] = features @ weights[:-1] + weights[-1]
            of_prototype[here] = normalise(features - centre) @ self.heads.prototypes[fold].T
        return of_head, of_prototype

    def term(self, said: Said) -> np.ndarray:
        """``(k, A)``: what siblings' tags add to the log odds."""
        has, has_not = self.heads.terms.T.astype(np.float32)
        return np.asarray((said.what == HAS) * has + (said.what == HAS_NOT) * has_not)

    def arrays(self) -> dict[str, np.ndarray]:
        """For a bundle."""
        heads = self.heads
        return {
            "columns": heads.columns, "weights": heads.weights, "prototypes": heads.prototypes, "terms": heads.terms,
            "seed": np.array([heads.seed]), "product": self.product, "family": self.family, "fold": self.fold,
            "has": self.has, "known": self.known,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], dim: int) -> Siblings:
        """The inverse; of a bundle that is older, none."""
        if "columns" not in arrays:
            return cls(Heads.unfitted(np.zeros(0, dtype=np.int64), dim))
        heads = Heads(
            arrays["columns"], arrays["weights"], arrays["prototypes"], arrays["terms"], int(arrays["seed"][0])
        )
        return cls(heads, *(arrays[name] for name in ("product", "family", "fold", "has", "known")))


def axes(schema: Schema, families: Sequence[str], y: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``(A,)``: columns of the facets that tell variants apart: those on which decided variants of one article mostly
    differ, and where too few are decided to say, those marked so, unless products mostly have several of their tags: who
    lists the sizes that a shirt comes in does not tell shirts apart by them."""
    members: dict[str, list[int]] = {}
    for row, family in enumerate(families):
        members.setdefault(family, []).append(row)
    several = [rows for rows in members.values() if len(rows) > 1]
    found: list[int] = []
    for facet in schema.facets:
        columns = schema.facet_columns[facet.slug]
        differ = _differ(several, y[:, columns], np.asarray(known[:, columns].all(axis=1))) if columns else None
        if differ is None:
            differ = facet.variant_axis and not _several_values(y[:, columns])
        if differ:
            found += columns
    return np.array(found, dtype=np.int64)


def _several_values(y: np.ndarray) -> bool:
    count = y.sum(axis=1)
    return bool((count > 1).sum() > (count == 1).sum())


def _differ(several: Sequence[Sequence[int]], y: np.ndarray, known: np.ndarray) -> bool | None:
    """None where too few families have two products of which the facet is known."""
    compared = [rows for rows in ([r for r in rows if known[r]] for rows in several) if len(rows) > 1]
    if len(compared) < FAMILIES:
        return None
    return sum(bool((y[rows] != y[rows[0]]).any()) for rows in compared) >= DIFFER * len(compared)


def fitted_terms(siblings: Siblings, said: Said | None, z: np.ndarray, y: np.ndarray, known: np.ndarray,
                 schema: Schema) -> Heads:  # fmt: skip
    """The heads with their terms learned: a pair of numbers a facet, on top of log odds ``z (n, T)`` that the family had
    no part in, from products with decided siblings."""
    heads = siblings.heads
    if said is None:
        return heads
    terms = heads.terms.copy()
    place = {int(column): at for at, column in enumerate(heads.columns)}
    for columns in schema.facet_columns.values():
        at = [place[c] for c in columns if c in place]
        if not at:
            continue
        cells = np.ix_(said.rows, heads.columns[at])
        what = said.what[:, at]
        pairs = known[cells] & (what > 0)
        design = np.stack([what[pairs] == HAS, what[pairs] == HAS_NOT], axis=1).astype(np.float64)
        weight, start = np.ones(len(design)), np.array(TERMS)
        terms[at] = newton(design, y[cells][pairs], weight, start, np.full(2, PULL), z[cells][pairs].astype(np.float64))
    return replace(heads, terms=terms)
