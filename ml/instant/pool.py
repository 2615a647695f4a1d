"""A catalogue as the instant tier holds it in memory, so that a decision costs what it changes.

Kept between refits: each product's features and dictionary hits, what is known of the decided ones, and which words
occur where. A refit reads none of the texts again; where the dictionary changed, only products are matched anew in
which a changed phrase may stand.

For 100,000 products of 640 features some 350 MB: 256 MB of features, the rest hits, words and names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from ml.encoders.base import Encoder
from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, draw_of, targets
from ml.instant.asked import Asked
from ml.instant.cache import EmbeddingCache, joined, keys_of, pictures_of
from ml.instant.dictionary import Dictionary
from ml.instant.evidence import Hits
from ml.instant.fitting import (
    Calibration,
    Material,
    Truth,
    calibration_due,
    check,
    fit_material,
    folds_of,
    label_vectors,
)
from ml.instant.found import Found
from ml.instant.model import Features, InstantModel, Plan
from ml.instant.scoring import blocks
from ml.instant.siblings import names_of
from ml.instant.threads import in_parallel
from ml.schema import Schema

AT_ONCE = 1000  # products read at a time
CODES = 200  # steps of a swept probability
Fetch = Callable[[Sequence[int]], Iterable[tuple[int, Example]]]


@dataclass(frozen=True, slots=True)
class Swept:
    """codes ``(n, T)`` uint8: probabilities in steps of ``1 / CODES``; doubt ``(n,)``: over the facets of a product, the
    sum of one minus the margin of its most doubtful tag."""

    codes: np.ndarray
    doubt: np.ndarray


class Pool:
    """Products by key (an integer of the caller's), each in a row of its own; not safe for two threads at once.

    fetch: asked for products by key whose text must be read again; those that are gone may be left out
    patience: texts that a slow encoder may read in one call of ``put``; of the others its part of the features is zero,
    as of a text that it cannot read, until :meth:`read_again` finds their vectors in the cache. None: all of them
    """

    def __init__(
        self,
        schema: Schema,
        encoders: Sequence[Encoder],
        cache: EmbeddingCache,
        fetch: Fetch,
        *,
        patience: int | None = None,
    ) -> None:
        check(schema, encoders)
        self._patience = patience
        self._unread: dict[str, set[int]] = {}  # encoder to keys
        self.schema, self.encoders = schema, list(encoders)
        self._cache, self._fetch = cache, fetch
        self._found = Found(Dictionary.build(schema))
        self.row_of: dict[int, int] = {}
        self.keys = np.zeros(0, dtype=np.int64)
        self.draws = np.zeros(0)  # a number in [0, 1) by row, drawn for the product's id: who is in the blind slice
        self.ids: list[str] = []
        self.families: list[str] = []
        self._dense = np.zeros((0, sum(e.dim for e in self.encoders)), dtype=np.float32)
        self._text = np.zeros((0, 4), dtype="<u8")  # names each text for the cache
        self._shown = np.zeros((0, 4), dtype="<u8")  # and each picture
        self._product, self._family = np.zeros(0, dtype="<u8"), np.zeros(0, dtype="<u8")  # names, as from ``names_of``
        self._asked = Asked()
        self._free: list[int] = []
        self._decided: dict[int, Example] = {}
        self._truth: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.row_of)

    def __contains__(self, key: int) -> bool:
        return key in self.row_of

    @property
    def dictionary(self) -> Dictionary:
        """By which products are read at present."""
        return self._found.dictionary

    # ---- products -------------------------------------------------------------------------------------------------

    def put(self, products: Iterable[tuple[int, Example]], advance: Callable[[int], None] = lambda n: None) -> None:
        """Add products, or read changed ones again; no key twice. Texts without a vector are embedded here."""
        source, texts = iter(products), 0
        while chunk := list(islice(source, AT_ONCE)):
            texts += self._put(chunk, texts)
            advance(len(chunk))
        self._found.join(len(self.ids))

    def _put(self, products: Sequence[tuple[int, Example]], before: int) -> int:
        """Returns how many texts slow encoders read, besides those they read ``before`` in the same call."""
        examples = [example for _key, example in products]
        rows = self._rows_for([key for key, _example in products])
        self._text[rows] = keys_of(examples)
        self._shown[rows] = pictures_of(examples)
        self.keys[rows] = [key for key, _example in products]
        begin = texts = 0
        for encoder in self.encoders:
            text = self._names(encoder, rows)
            there = self._cache.has(encoder, text)
            slow = not isinstance(encoder, LexicalEncoder)
            if not slow or self._patience is None or before + texts + (~there).sum() <= self._patience:
                filled = self._cache.fill(encoder, examples, text)
                texts += filled if slow else 0
                there[:] = True
            self._take_vectors(encoder, begin, rows, there)
            begin += encoder.dim
        for row, example in zip(rows.tolist(), examples, strict=True):
            self.ids[row], self.families[row] = example.id, example.family
            self.draws[row] = draw_of(example.id, "blind")
        self._product[rows] = names_of([e.id for e in examples])
        self._family[rows] = names_of([e.family for e in examples])
        self._asked.read(rows, examples)
        self._found.read(rows, examples)
        return texts

    def _names(self, encoder: Encoder, rows: np.ndarray) -> np.ndarray:
        """What the encoder reads of these rows, as the cache names it."""
        return joined(encoder, self._text[rows], self._shown[rows])

    def _take_vectors(self, encoder: Encoder, begin: int, rows: np.ndarray, there: np.ndarray) -> None:
        """The encoder's part of the features of these rows, where its vectors are ``there``."""
        block = slice(begin, begin + encoder.dim)
        self._dense[rows[there], block] = self._cache.read(encoder, self._names(encoder, rows[there]))
        self._dense[rows[~there], block] = 0.0
        unread = self._unread.setdefault(encoder.hash, set())
        unread.difference_update(self.keys[rows[there]].tolist())
        unread.update(self.keys[rows[~there]].tolist())

    @property
    def unread(self) -> int:
        """How many products some encoder has still to read."""
        return len(set().union(*(self._unread.get(e.hash, set()) for e in self.encoders)))

    def missing(self, encoder: Encoder) -> int:
        """How many products' texts have no vector of this encoder, one of the pool's or another."""
        rows = np.fromiter(self.row_of.values(), dtype=np.int64, count=len(self.row_of))
        return int((~self._cache.has(encoder, self._names(encoder, rows))).sum())

    def read_again(self) -> None:
        """Take the vectors that came into the cache since."""
        begin = 0
        for encoder in self.encoders:
            keys = [key for key in self._unread.get(encoder.hash, ()) if key in self.row_of]
            self._unread[encoder.hash] = set(keys)
            if keys:
                rows = np.array([self.row_of[key] for key in keys], dtype=np.int64)
                self._take_vectors(encoder, begin, rows, self._cache.has(encoder, self._names(encoder, rows)))
            begin += encoder.dim

    def _rows_for(self, keys: Sequence[int]) -> np.ndarray:
        new = [key for key in dict.fromkeys(keys) if key not in self.row_of]
        missing = len(new) - len(self._free)
        if missing > 0:
            self._grow(missing)
        for key in new:
            self.row_of[key] = self._free.pop()
        return np.array([self.row_of[key] for key in keys], dtype=np.int64)

    def _grow(self, missing: int) -> None:
        before = len(self.ids)
        more = max(missing, before // 4, AT_ONCE)
        for name in ("_dense", "_text", "_shown", "_product", "_family", "keys", "draws"):
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.zeros((more, *array.shape[1:]), dtype=array.dtype)]))
        self._asked.grow(before + more)
        self.ids += [""] * more
        self.families += [""] * more
        self._free += range(before + more - 1, before - 1, -1)  # rows are taken in order

    def drop(self, keys: Iterable[int]) -> None:
        """Forget products; unknown keys are passed over."""
        rows = []
        for key in keys:
            if (row := self.row_of.pop(key, None)) is not None:
                rows.append(row)
                self._decided.pop(key, None)
                self._truth.pop(key, None)
        self._found.forget(np.array(rows, dtype=np.int64), len(self.ids))
        self._free += rows

    # ---- decisions ------------------------------------------------------------------------------------------------

    def decide(self, products: Iterable[tuple[int, Example]]) -> None:
        """Take what is known of these products now; one of which nothing is known any more is no longer decided.

        Products that the pool does not have are passed over.
        """
        fresh = {}
        for key, example in products:
            self._decided.pop(key, None)
            self._truth.pop(key, None)
            if example.decided and key in self.row_of:
                fresh[key] = example if example.spans else replace(example, texts={})  # its words are read already
        self._decided |= fresh
        y, known = targets(self.schema, list(fresh.values()))
        for at, key in enumerate(fresh):
            self._truth[key] = (y[at], known[at])

    @property
    def decided(self) -> list[int]:
        """Keys of the products of which anything is known, oldest decision first."""
        return sorted(self._decided, key=lambda key: (self._decided[key].time, key))

    def truth(self, keys: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """y and known ``(n, T)``, as :func:`ml.examples.targets`, of decided products."""
        found = [self._truth[key] for key in np.asarray(keys).tolist()]
        tags = len(self.schema.columns)
        y = np.array([y for y, _known in found], dtype=np.float32).reshape(-1, tags)
        return y, np.array([known for _y, known in found], dtype=bool).reshape(-1, tags)

    def answered(self, keys: Sequence[int] | np.ndarray) -> np.ndarray:
        """``(n, T)`` bool: the tag's facet of the product has been looked at as a whole."""
        out = np.zeros((len(keys), len(self.schema.columns)), dtype=bool)
        for at, key in enumerate(np.asarray(keys).tolist()):
            if (example := self._decided.get(key)) is not None:
                for facet in example.complete:
                    out[at, self.schema.facet_columns.get(facet, [])] = True
        return out

    # ---- the dictionary and the schema ----------------------------------------------------------------------------

    def use(self, schema: Schema, encoders: Sequence[Encoder]) -> None:
        """Another taxonomy or other encoders from here on. Vectors of new encoders come from the cache."""
        check(schema, encoders)
        if [e.hash for e in encoders] != [e.hash for e in self.encoders]:
            self._use_encoders(list(encoders))
        if schema != self.schema:
            before, self.schema = self.schema, schema
            limited = {f.slug for f in schema.facets if f.categories != _categories(before, f.slug)}
            self._renumber(Dictionary.build(schema), limited)
            decided, self._decided = self._decided, {}
            self.decide(decided.items())

    def _use_encoders(self, encoders: list[Encoder]) -> None:
        """Texts that only a slow encoder lacks stay unread where there are more of them than patience."""
        keys = np.array(sorted(self.row_of), dtype=np.int64)
        rows = np.array([self.row_of[int(key)] for key in keys], dtype=np.int64)
        for encoder in encoders:
            asked = keys[~self._cache.has(encoder, self._names(encoder, rows))].tolist()
            if isinstance(encoder, LexicalEncoder) or self._patience is None or len(asked) <= self._patience:
                for at in range(0, len(asked), AT_ONCE):
                    self._cache.fill(encoder, [example for _key, example in self._fetch(asked[at : at + AT_ONCE])])
        self._dense = np.zeros((len(self._dense), sum(e.dim for e in encoders)), dtype=np.float32)
        self.encoders, self._unread, begin = encoders, {}, 0
        for encoder in encoders:
            self._take_vectors(encoder, begin, rows, self._cache.has(encoder, self._names(encoder, rows)))
            begin += encoder.dim

    def _renumber(self, dictionary: Dictionary, again: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        """Take over a dictionary: hits of entries that stayed get their new numbers; where entries came or went, the
        products with their words are matched anew.

        again: facets whose entries count as changed whatever they say
        """
        self._found.follow(dictionary, len(self.ids), again, self._texts)

    def _texts(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, list[Example]]]:
        """What is in these rows now, as rows and products read again; those that are gone are left out."""
        keys = self.keys[rows].tolist()
        for begin in range(0, len(keys), AT_ONCE):
            found = [(key, e) for key, e in self._fetch(keys[begin : begin + AT_ONCE]) if key in self.row_of]
            if found:
                yield self.rows([key for key, _example in found]), [example for _key, example in found]

    # ---- reading and fitting --------------------------------------------------------------------------------------

    def rows(self, keys: Sequence[int] | np.ndarray) -> np.ndarray:
        """Where the pool keeps these products; the same until one is dropped. Raises KeyError for an unknown one."""
        return np.fromiter((self.row_of[key] for key in np.asarray(keys).tolist()), dtype=np.int64, count=len(keys))

    def features(self, keys: Sequence[int] | np.ndarray) -> Features:
        """What a model reads of these products (without the places of dictionary hits in the text)."""
        rows = self.rows(keys)
        return self._features(rows, self._found.of_rows(rows, len(self.ids)))

    def _features(self, rows: np.ndarray, hits: Hits) -> Features:
        dense = self._dense[rows]
        ends = np.cumsum([e.dim for e in self.encoders])
        applies, claimed = self._asked.of_rows(rows, self.schema)
        return Features(
            dense=dense,
            blocks=[dense[:, end - e.dim : end] for e, end in zip(self.encoders, ends, strict=True)],
            matches=[],
            hits=hits,
            applies=applies,
            claimed=claimed,
            product=self._product[rows],
            family=self._family[rows],
        )

    def follow(self, model: InstantModel) -> None:
        """Read products as this model does, fitted here or elsewhere."""
        self.use(model.schema, model.encoders)
        if model.dictionary is not self.dictionary:
            self._renumber(model.dictionary)

    def sweep(self, model: InstantModel, keys: Sequence[int] | np.ndarray) -> Swept:
        """All scores of these products, small: a block at a time, on as many threads as there are cores.

        The model must be the one fitted here last, or followed.
        """
        if model.dictionary is not self.dictionary:
            raise ValueError("the pool reads products for another model")
        rows, scorer = self.rows(keys), model.scorer
        out = Swept(
            np.zeros((len(rows), len(self.schema.columns)), dtype=np.uint8), np.zeros(len(rows), dtype=np.float32)
        )
        sizes = [len(f.tags) for f in self.schema.facets if f.tags]
        starts = np.cumsum([0, *sizes[:-1]])
        self._asked.tables(self.schema)  # before threads ask for them

        def work(part: tuple[int, int, Hits]) -> None:
            begin, end, hits = part
            p = scorer.block(self._features(rows[begin:end], hits))
            out.codes[begin:end] = p * np.float32(CODES) + np.float32(0.5)
            doubt = 1 - np.abs(2 * p - 1)
            out.doubt[begin:end] = np.maximum.reduceat(doubt, starts, axis=1).sum(axis=1)

        in_parallel(work, blocks(len(rows), self._found.of_rows(rows, len(self.ids))))
        return out

    def fit(
        self,
        previous: InstantModel | None = None,
        *,
        seed: int = 0,
        calibrate_on: set[str] | None = None,
        plan: Plan | None = None,
        recalibrate: bool | None = None,
        calibration: Calibration | None = None,
    ) -> InstantModel:
        """As :meth:`InstantModel.fit`, on the decided products. recalibrate None: when it is due; calibration: see
        :func:`ml.instant.fitting.fit_material`."""
        if recalibrate is None:
            recalibrate = calibration is None and self.calibration_due(previous)
        material = self.material(previous, seed=seed, calibrate_on=calibrate_on, plan=plan, folds=recalibrate)
        return fit_material(material, previous, recalibrate=recalibrate, calibration=calibration)

    def calibration_due(self, previous: InstantModel | None) -> bool:
        """Whether the calibration of ``previous`` is too old for what is decided now."""
        return calibration_due(previous, self.schema, self.encoders, len(self._decided))

    def material(
        self,
        previous: InstantModel | None = None,
        *,
        seed: int = 0,
        calibrate_on: set[str] | None = None,
        plan: Plan | None = None,
        folds: bool = True,
    ) -> Material:
        """What a fit reads, as things stand: a copy, so that the pool may go on. folds False: for a fit that does not
        calibrate."""
        plan = plan or Plan()
        keys = self.decided
        self._renumber(Dictionary.build(self.schema, [self._decided[key] for key in keys]))
        features = self.features(keys)
        y, known = self.truth(keys)
        families = [self.families[self.row_of[key]] for key in keys]
        fold = folds_of(families, calibrate_on, plan, seed) if folds else np.full(len(keys), -1)
        labels = label_vectors(self.schema, self.encoders, previous, self._cache)
        truth = Truth(y, known & features.applies, fold, families)
        return Material(self.schema, self.encoders, self.dictionary, features, truth, labels, plan, seed)


def _categories(schema: Schema, facet: str) -> tuple[str, ...] | None:
    return schema.facet(facet).categories if facet in schema.facet_columns else None
