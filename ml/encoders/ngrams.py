"""Words and character n-grams of many texts at once, as 64-bit hashes with their positions, in NumPy.

A Python loop over the n-grams of 100,000 products takes minutes; array arithmetic over the code points of a batch
takes seconds. Hashes of 64 bits stand for the strings: at a million n-grams a collision is a one-in-ten-million event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ml.text import fold, is_ideograph

GAP = 4  # separators between texts, so that no n-gram reaches from one into the next
LONGEST_WORD = 48  # characters that count; what is longer is no word
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_WORD_SALT = np.uint64(0xD1B54A32D192ED03)
_PAIR_SALT = np.uint64(0x8CB92BA72F3D8DD7)


@dataclass(frozen=True, slots=True)
class Grams:
    """Occurrences: of text ``row``, characters ``start:end``, with feature ``code``. All arrays have one length."""

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    code: np.ndarray


@cache
def _character_table() -> np.ndarray:
    """Class of each code point: 0 separator, 1 letter or digit, 2 ideograph (a word by itself)."""
    table = np.zeros(0x110000, dtype=np.uint8)
    for code in range(0x40000):
        char = chr(code)
        if char.isalnum():
            table[code] = 2 if is_ideograph(char) else 1
    return table


def _mix(codes: np.ndarray) -> np.ndarray:
    """Spreads 64-bit integers (the finaliser of splitmix64)."""
    codes = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    codes = (codes ^ (codes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = codes ^ (codes >> np.uint64(31))
    return mixed


class TextBatch:
    """The code points of several texts in one array, folded, with separators between."""

    def __init__(self, texts: Sequence[str]) -> None:
        joined = (" " * GAP).join(["", *(fold(t) for t in texts), ""])
        points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        lengths = np.fromiter((len(t) for t in texts), dtype=np.int64, count=len(texts))
        self.starts = GAP + np.concatenate([[0], np.cumsum(lengths + GAP)[:-1]]) if len(texts) else np.zeros(0, int)
        self.kinds = _character_table()[points]
        # every separator is the same, so that "red," and "red " end alike
        self.points = np.where(self.kinds == 0, np.uint32(32), points).astype(np.uint64)
        self.rows = np.repeat(np.arange(len(texts)), lengths + GAP) if len(texts) else np.zeros(0, int)

    def _grams(self, begin: np.ndarray, end: np.ndarray, code: np.ndarray) -> Grams:
        """Positions in the joined array to positions in the text they are of (clipped to it)."""
        inside = np.where(self.kinds[begin] == 0, begin + 1, begin)
        row = self.rows[inside - GAP]
        offset = self.starts[row]
        stop = np.where(self.kinds[end - 1] == 0, end - 1, end)
        return Grams(row, inside - offset, stop - offset, code)

    def characters(self, sizes: Sequence[int]) -> Grams:
        """Character n-grams that stay inside a word or touch its edge; the edge counts as one character.

        Between ideographs there is no edge, so Chinese n-grams run over the whole clause.
        """
        separator = self.kinds == 0
        inner = np.concatenate([[0], np.cumsum(separator)])
        parts = []
        for size in sizes:
            count = len(self.points) - size + 1
            begin = np.arange(max(count, 0))
            # no separator inside the window, and no pair of separators
            clean = (inner[begin + size - 1] - inner[begin + 1]) == 0
            clean &= ~(separator[begin] & separator[begin + 1])
            begin = begin[clean]
            code = np.full(len(begin), size, dtype=np.uint64)
            for step in range(size):
                code = code * _MULTIPLIER + self.points[begin + step]
            parts.append(self._grams(begin, begin + size, _mix(code)))
        return _concatenate(parts)

    def words(self, *, pairs: bool = True) -> Grams:
        """Words (runs of letters and digits; each ideograph) and, with ``pairs``, neighbours of the same text."""
        kinds = self.kinds
        before = np.concatenate([[0], kinds[:-1]])
        after = np.concatenate([kinds[1:], [0]])
        begin = np.flatnonzero((kinds == 2) | ((kinds == 1) & (before != 1)))
        end = np.flatnonzero((kinds == 2) | ((kinds == 1) & (after != 1))) + 1
        length = np.minimum(end - begin, LONGEST_WORD)
        code = _WORD_SALT + length.astype(np.uint64)
        for step in range(int(length.max(initial=0))):  # unsigned arithmetic wraps on purpose
            alive = length > step
            code[alive] = code[alive] * _MULTIPLIER + self.points[begin[alive] + step]
        words = self._grams(begin, end, _mix(code))
        if not pairs:
            return words
        code = words.code[:-1] * _MULTIPLIER + words.code[1:] + _PAIR_SALT
        same = words.row[:-1] == words.row[1:]
        near = begin[1:] - end[:-1] <= 1
        keep = same & near & ~((kinds[begin[:-1]] == 2) & (kinds[begin[1:]] == 2))  # n-grams have those already
        neighbours = Grams(words.row[:-1][keep], words.start[:-1][keep], words.end[1:][keep], _mix(code[keep]))
        return _concatenate([words, neighbours])


def _concatenate(parts: Sequence[Grams]) -> Grams:
    return Grams(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("row", "start", "end", "code")))
