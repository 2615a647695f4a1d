"""What the dictionary finds in the products of a pool, kept between refits.

Beside the hits it keeps which words occur in which product. So when the dictionary changes, hits of entries that stayed
get their new numbers, and only products are read again in which a changed phrase may stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ml.examples import Example
from ml.instant.dictionary import Dictionary, Read, fields_read, plain
from ml.instant.evidence import Hits

Name = tuple[tuple[str, ...], str, str, bool]  # of an entry: see Dictionary.names


class Found:
    """Hits and words by the pool's row. What was read waits in ``_fresh`` until :meth:`join`, so that many small reads
    cost one copy."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.hits = Hits.of([])
        self._word, self._word_row = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
        self._fresh: list[tuple[np.ndarray, np.ndarray, np.ndarray, Hits]] = []

    def read(self, rows: np.ndarray, examples: Sequence[Example]) -> None:
        """Read products that will lie in these rows. Nothing of it is seen before :meth:`join`."""
        fields = [fields_read(example) for example in examples]
        words = [_words(example, read) for example, read in zip(examples, fields, strict=True)]
        word_row = np.repeat(rows, [len(w) for w in words]).astype(np.int32)
        self._fresh.append((rows, np.concatenate(words), word_row, self._match(rows, examples, fields)))

    def join(self, rows: int) -> None:
        """Take in what was read, in place of what stood in the same rows. rows: of the pool, free ones among them."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        self.forget(np.concatenate([part[0] for part in fresh]), rows)
        self._word = np.concatenate([self._word, *(part[1] for part in fresh)])
        self._word_row = np.concatenate([self._word_row, *(part[2] for part in fresh)])
        self._join_hits([part[3] for part in fresh])

    def forget(self, gone_rows: np.ndarray, rows: int) -> None:
        """Drop what was found in these rows; rows: of the pool."""
        self.join(rows)  # a read that was cut off must not come back in rows that others took since
        gone = np.zeros(rows, dtype=bool)
        gone[gone_rows] = True
        if gone[self._word_row].any():
            kept = ~gone[self._word_row]
            self._word, self._word_row = self._word[kept], self._word_row[kept]
        kept = ~gone[self.hits.row]
        if not kept.all():
            self.hits = _part(self.hits, kept)

    def follow(
        self,
        dictionary: Dictionary,
        rows: int,
        again: set[str],
        texts: Callable[[np.ndarray], Iterable[tuple[np.ndarray, Sequence[Example]]]],
    ) -> None:
        """Take over a dictionary: hits of entries that stayed get their new numbers; where entries came or went, the
        products with their words are matched anew, as ``texts(rows)`` gives them.

        rows: of the pool; again: facets whose entries count as changed whatever they say
        """
        parts = list(texts(self._renumber(dictionary, rows, again)))
        self._join_hits([self._match(found, examples) for found, examples in parts])

    def _renumber(self, dictionary: Dictionary, rows: int, again: set[str]) -> np.ndarray:
        """Returns the rows that must be matched anew: their hits are gone."""
        before, now = self.dictionary.names, dictionary.names
        number = {name: at for at, name in enumerate(now) if name[1] not in again}
        moved = np.array([number.get(name, -1) for name in before], dtype=np.int64)
        there = set(before)
        fresh = [name for name in now if name[1] in again or name not in there]
        self.dictionary = dictionary
        stale = np.zeros(rows, dtype=bool)
        if fresh:
            wanted = np.unique(np.array([_word_code(name) for name in fresh], dtype=np.int32))
            stale[self._word_row[np.isin(self._word, wanted)]] = True
        hits = self.hits
        entry = moved[hits.entry] if len(moved) else hits.entry
        stale[hits.row[entry < 0]] = True
        column = np.array([e.column for e in dictionary.entries], dtype=np.int64)
        kept = ~stale[hits.row]
        entry = entry[kept]
        self.hits = Hits(hits.row[kept], entry, column[entry] if len(entry) else entry, hits.place[kept])
        return np.flatnonzero(stale)

    def of_rows(self, rows: np.ndarray, count: int) -> Hits:
        """The hits of these rows, renumbered by their place among them; count: rows of the pool."""
        place = np.full(count, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        at = place[self.hits.row]
        kept = at >= 0
        part = _part(self.hits, kept)
        return Hits(at[kept], part.entry, part.column, part.place)

    def _match(self, rows: np.ndarray, examples: Sequence[Example], read: Sequence[list[Read]] | None = None) -> Hits:
        fields = read or [fields_read(example) for example in examples]
        found = Hits.of([self.dictionary.match(e, words) for e, words in zip(examples, fields, strict=True)])
        return Hits(rows[found.row], found.entry, found.column, found.place)

    def _join_hits(self, more: Sequence[Hits]) -> None:
        every = [self.hits, *more]
        self.hits = Hits(*(np.concatenate([getattr(h, n) for h in every]) for n in ("row", "entry", "column", "place")))


def _part(hits: Hits, kept: np.ndarray) -> Hits:
    return Hits(hits.row[kept], hits.entry[kept], hits.column[kept], hits.place[kept])


def _code(text: str) -> int:
    """A number of 32 bits for a word, the same within this process. Two words with one number cost a look too many."""
    return (hash(text) & 0xFFFFFFFF) - 0x80000000


def _fact_code(facet: str, value: str) -> int:
    return _code(f"\0{facet}\0{value}")


def _word_code(name: Name) -> int:
    """What a product must have for an entry to be found in it: its first word, or the fact itself."""
    phrase, facet, _tag, source = name
    return _fact_code(facet, phrase[0]) if source else _code(phrase[0])


def _words(example: Example, read: Sequence[Read]) -> np.ndarray:
    """Codes of all that the dictionary may look at in a product, each once."""
    found = {_code(token.text) for _name, _text, words in read for token in words}
    for facet, values in example.source.items():
        found.update(_fact_code(facet, plain(v)) for v in values)
    return np.fromiter(found, dtype=np.int32, count=len(found))
