"""Which words come in more families than they did, beyond chance over all words. Numpy alone.

A mean over whole texts hardly moves when two words are new in a long description; the count of families with a word does.
Under no change it does not matter which families are the recent ones, so that the number of recent families with a word is
hypergeometric (Fisher 1935), whatever the language is like. Words are many and mostly rare: a word of two families cannot
be significant, and is not paid for. The p-value of the least likely word is the chance that *any* word reaches one as
small, each counted with what it can attain (discrete Bonferroni: Westfall and Wolfinger 1997, after Tarone 1990).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ml.text import fold

WORD = re.compile(r"[^\W\d_\u3040-\u30ff\u3400-\u9fff]{3,}")
IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")
SAID = 0.05  # words of a chance up to this are named
MOST_SAID = 8


@dataclass(frozen=True)
class Risen:
    """``p`` of any word that rises so much by chance; ``words`` beyond chance, the most risen first, and ``rise`` of the
    first of them: the share of families that have it now, less the share that had it. Families on both sides."""

    p: float
    rise: float
    words: tuple[str, ...]
    before: int
    recent: int


def words_of(text: str) -> set[str]:
    """Runs of at least three letters; of Chinese, every two characters that follow each other."""
    folded = fold(text)
    pairs = (run[i : i + 2] for run in IDEOGRAPHS.findall(folded) for i in range(len(run) - 1))
    return {*WORD.findall(folded), *pairs}


def risen(
    before: Sequence[str], recent: Sequence[str], families_before: Sequence[str], families_recent: Sequence[str]
) -> Risen:
    """Texts of products and their families. A family on both sides is left to the recent one.

    Raises ValueError where either has none.
    """
    late = _by_family(zip(families_recent, recent, strict=True))
    early = _by_family((f, text) for f, text in zip(families_before, before, strict=True) if f not in late)
    n, total = len(late), len(early) + len(late)
    if not late or not early:
        raise ValueError(f"{len(early)} families before and {n} recent ones: both are needed")
    now = Counter(word for words in late.values() for word in words)
    once = Counter(word for words in early.values() for word in words)
    have = Counter(now)
    have.update(once)
    tails = _Tails(total, n)
    chance = {word: tails.at_least(have[word], count) for word, count in now.items()}
    sizes = Counter(have.values())
    rises = {word: now[word] / n - once[word] / len(early) for word in now}

    def any_word(p: float) -> float:
        return min(1.0, sum(words * tails.reaches(size, p) for size, words in sizes.items()))

    least = any_word(min(chance.values(), default=1.0))
    if least > SAID:
        return Risen(least, 0.0, (), len(early), n)
    said = [word for word in sorted(chance, key=lambda w: chance[w])[: 4 * MOST_SAID] if any_word(chance[word]) <= SAID]
    said.sort(key=lambda word: (-rises[word], word))
    return Risen(least, rises[said[0]], tuple(said[:MOST_SAID]), len(early), n)


def _by_family(texts: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for family, text in texts:
        found.setdefault(family, set()).update(words_of(text))
    return found


class _Tails:
    """``P(X >= k)`` for X recent among the families that have a word, of ``total`` families of which ``n`` are recent."""

    def __init__(self, total: int, n: int) -> None:
        self.total, self.n = total, n
        self._log = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])  # of factorials
        self._of: dict[int, np.ndarray] = {}

    def of(self, have: int) -> np.ndarray:
        """By ``k - lowest``, falling from 1."""
        if have not in self._of:
            log, total, n = self._log, self.total, self.n
            k = np.arange(self.lowest(have), min(have, n) + 1)
            ways = log[have] - log[k] - log[have - k] + log[total - have] - log[n - k] - log[total - have - n + k]
            tail = np.cumsum(np.exp(ways - (log[total] - log[n] - log[total - n]))[::-1])[::-1]
            self._of[have] = np.minimum(tail, 1.0)
        return self._of[have]

    def lowest(self, have: int) -> int:
        return max(0, self.n + have - self.total)

    def at_least(self, have: int, count: int) -> float:
        return float(self.of(have)[count - self.lowest(have)])

    def reaches(self, have: int, p: float) -> float:
        """The chance that a word of so many families has a p-value of at most ``p``; 0 where it cannot."""
        tail = self.of(have)
        small = tail[tail <= p * (1 + 1e-9)]
        return float(small[0]) if len(small) else 0.0
