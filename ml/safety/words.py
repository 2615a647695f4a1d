"""Lists of blocked words with their exceptions, found in texts as a person would find them.

A Latin word is found as a whole word (``cure`` is not in ``secure``), a Chinese one wherever it stands, since nothing
separates words there. Case and width do not matter, nor how much space stands between the words of a phrase, nor
characters that nobody sees (zero-width ones, soft hyphens) put in to get past a list. A find inside an allowed phrase
(``Christian Dior``) is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ml.text import fold

_HIDDEN = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_LETTER = "[0-9a-zA-Z\u00c0-\u024f\u0370-\u052f]"  # of a script with spaces between words
_EDGED = re.compile(_LETTER)


@dataclass(frozen=True, slots=True)
class Hit:
    """A blocked word, as the list writes it, at characters ``start:end`` of the text."""

    word: str
    start: int
    end: int


def name_of(word: str) -> str:
    """What tells two entries of a list apart: folded, without hidden characters, spaces as one."""
    return " ".join(_HIDDEN.sub("", fold(word)).split())


class WordList:
    """Blocked words and allowed phrases. Empty lists find nothing and cost nothing."""

    def __init__(self, blocked: Iterable[str], allowed: Iterable[str] = ()) -> None:
        self._written = {name: word for word in blocked if (name := name_of(word))}
        self._blocked = _pattern(self._written)
        self._allowed = _pattern(filter(None, map(name_of, allowed)))

    def __bool__(self) -> bool:
        return bool(self._written)

    def find(self, text: str) -> list[Hit]:
        """In order, the longest at each place."""
        if self._blocked is None or not text:
            return []
        plain, places = _plain(text)
        spared = [m.span() for m in self._allowed.finditer(plain)] if self._allowed else []
        return [
            Hit(self._written[" ".join(m[0].split())], places[m.start()], places[m.end() - 1] + 1)
            for m in self._blocked.finditer(plain)
            if not any(begin <= m.start() and m.end() <= end for begin, end in spared)
        ]

    def first(self, texts: Iterable[str]) -> str:
        """The first blocked word in any of the texts; "" where there is none."""
        return next((hit.word for text in texts for hit in self.find(text)), "")


def _plain(text: str) -> tuple[str, range | list[int]]:
    """Folded and without hidden characters, and where each character stood."""
    folded = fold(text)
    if not _HIDDEN.search(folded):
        return folded, range(len(folded))
    kept = [place for place, char in enumerate(folded) if not _HIDDEN.match(char)]
    return "".join(folded[place] for place in kept), kept


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    words = sorted(set(names), key=lambda w: (-len(w), w))
    return re.compile("|".join(map(_form, words))) if words else None


def _form(word: str) -> str:
    """Its pattern. An edge that is a Latin letter or digit has none beside it; an ideograph beside it is another word."""
    inner = r"\s+".join(re.escape(part) for part in word.split())
    before, after = (_EDGED.fullmatch(edge) is not None for edge in (word[0], word[-1]))
    return (rf"(?<!{_LETTER})" if before else "") + inner + (rf"(?!{_LETTER})" if after else "")
