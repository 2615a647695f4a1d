"""The dictionary: words that name a tag, found in the text, with the precision each has shown so far.

The fastest suggester, the floor every model must beat, and an explanation everyone understands. Phrases come from
the labels and synonyms of the schema, from spans people marked, and, for facts that came with the product, from the
values that were accepted for it. English phrases match whole words (singular and plural alike), Chinese ones match
anywhere; in one facet the longest match wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ml.examples import Example
from ml.schema import Schema
from ml.text import fold

_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # an ideograph or kana by itself
    r"|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"  # letters and digits
    r"|[%+#°]"  # signs that change the meaning of a number
)
# Labels that answer a question but name nothing in a text.
EMPTY_WORDS = frozenset(
    [
        "yes",
        "no",
        "true",
        "false",
        "none",
        "other",
        "others",
        "n/a",
        "na",
        "unknown",
        "is",
        "a",
        "an",
        "and",
        "or",
        "of",
        "the",
        "in",
        "on",
        "for",
        "to",
        "it",
        "be",
        "at",
        "by",
        "as",
        "not",
        "with",
        "all",
        "any",
        "是",
        "否",
        "有",
        "无",
        "其他",
        "其它",
        "不",
        "未知",
        "没有",
        "暂无",
    ]
)
_ENDS = re.compile(r"[.;:!?,。；：！？，、\n]")
_LONGEST = 12  # tokens in a phrase
_NEGATIONS = frozenset(("no", "not", "without", "non", "无", "不", "免"))
WEIGHT = 4.0  # how many observations the prior precision of an entry is worth


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Match:
    """Characters ``start:end`` of ``field`` are entry ``entry``, which speaks for ``column``.

    ``field`` is a text field, ``category``, or ``source`` for a fact that came with the product (no characters).
    """

    field: str
    start: int
    end: int
    entry: int
    column: int


@dataclass(slots=True)
class Entry:
    """A phrase for a tag, or (``source``) a facet's value as it comes with products: ``phrase`` is then that value.

    prior: its precision before anything was seen; right of seen: decided products that had it
    """

    phrase: tuple[str, ...]
    column: int
    prior: float
    source: bool = False
    right: float = 0.0
    seen: float = 0.0


def precision(prior: np.ndarray, right: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The mean of the Beta posterior of entries with these priors and counts."""
    out: np.ndarray = (right + WEIGHT * prior) / (seen + WEIGHT)
    return out


def tokens(text: str) -> list[Token]:
    """Words, single ideographs and signs of a text, folded; English plurals lose their ``s``. Positions are exact."""
    return [Token(_stem(m.group()), m.start(), m.end()) for m in _TOKEN.finditer(fold(text))]


Read = tuple[str, str, list[Token]]


def fields_read(example: Example) -> list[Read]:
    """Name, text and words of the category and of each text field that is not empty."""
    fields = [("category", example.category.replace("/", " / ")), *example.texts.items()]
    return [(name, text, tokens(text)) for name, text in fields if text]


def _stem(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) and word.isascii():
        return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    return word


def prior_precision(phrase: Sequence[str]) -> float:
    """How far to trust a phrase nobody has decided on yet: long names far, single letters and numbers hardly."""
    letters = sum(len(word) for word in phrase)
    ideographs = sum(1 for word in phrase if ord(word[0]) >= 0x3040)
    if all(word.isdigit() or (len(word) == 1 and word.isascii()) for word in phrase):
        return 0.15
    if ideographs:
        return 0.3 if letters == 1 else 0.75
    return 0.35 if letters <= 2 else 0.75


class Dictionary:
    """Entries by first token, and by value for facts that came with a product."""

    def __init__(self, schema: Schema, entries: Sequence[Entry]) -> None:
        self.schema = schema
        self.entries = list(entries)
        self._facet_of = [facet for facet, _ in schema.columns]
        together: dict[tuple[str, ...], list[int]] = {}
        self._facts: dict[tuple[str, str], list[int]] = {}
        for number, entry in enumerate(self.entries):
            if entry.source:
                self._facts.setdefault((self._facet_of[entry.column], entry.phrase[0]), []).append(number)
            else:
                together.setdefault(entry.phrase, []).append(number)
        self._first: dict[str, list[tuple[tuple[str, ...], list[int]]]] = {}
        for phrase, numbers in together.items():
            self._first.setdefault(phrase[0], []).append((phrase, numbers))
        for candidates in self._first.values():
            candidates.sort(key=lambda c: -len(c[0]))

    @classmethod
    def build(cls, schema: Schema, decided: Iterable[Example] = ()) -> Dictionary:
        """Entries for every label and synonym, for spans that people marked, and for facts that people accepted."""
        phrases: dict[tuple[tuple[str, ...], int], float] = {}
        facts: dict[tuple[str, int], float] = {}
        named: set[tuple[str, str]] = set()
        for column, spec in enumerate(schema.tag_specs):
            facet = schema.columns[column][0]
            for word in spec.words:
                _offer(phrases, word, column)
            for word in (*spec.words, spec.slug):
                facts.setdefault((plain(word), column), 0.8)
                named.add((facet, plain(word)))
        for example in decided:
            for span in example.spans:
                column_of = schema.column(span.facet, span.tag)
                if column_of is not None and span.tag in example.labels.get(span.facet, ()):
                    _offer(phrases, example.texts.get(span.field, "")[span.start : span.end], column_of)
            for facet, values in example.source.items():
                for value in {plain(v) for v in values}:
                    if (facet, value) not in named:  # what names a tag needs no other explanation
                        for tag in example.labels.get(facet, ()):
                            if (column_of := schema.column(facet, tag)) is not None:
                                facts.setdefault((value, column_of), 0.1)
        entries = [Entry(phrase, column, prior) for (phrase, column), prior in phrases.items()]
        entries += [Entry((value,), column, prior, source=True) for (value, column), prior in facts.items()]
        return cls(schema, entries)

    def match(self, example: Example, read: Sequence[Read] | None = None) -> list[Match]:
        """Every longest match in the category and the text fields, in reading order, then facts of the source.

        read: the product's fields as from :func:`fields_read`, where they were read already
        """
        found: list[Match] = []
        for name, text, words in fields_read(example) if read is None else read:
            found += self._match_text(name, text, words, example.category)
        for facet, values in example.source.items():
            if facet in self.schema.facet_columns and self.schema.facet(facet).applies(example.category):
                for value in dict.fromkeys(plain(v) for v in values):
                    for number in self._facts.get((facet, value), ()):
                        found.append(Match("source", 0, 0, number, self.entries[number].column))
        return found

    def _match_text(self, name: str, text: str, words: list[Token], category: str) -> list[Match]:
        found: list[Match] = []
        taken: dict[str, tuple[int, int]] = {}  # facet to its latest match: what lies inside it is not matched again
        for at, word in enumerate(words):
            if word.text not in self._first:
                continue
            if at and words[at - 1].text in _NEGATIONS and word.start - words[at - 1].end <= 1:
                continue
            for phrase, numbers in self._first[word.text]:
                if not _follows(words, at, phrase, text):
                    continue
                here = (word.start, words[at + len(phrase) - 1].end)
                for number in numbers:
                    column = self.entries[number].column
                    facet = self._facet_of[column]
                    latest = taken.get(facet, (-1, -1))
                    if (here == latest or here[1] > latest[1]) and self.schema.facet(facet).applies(category):
                        found.append(Match(name, *here, number, column))
                        taken[facet] = here
        return found

    def learn(self, right: np.ndarray, seen: np.ndarray) -> None:
        """Take the counts of each entry, as from :func:`ml.instant.evidence.entry_counts`."""
        for entry, ok, all_ in zip(self.entries, right.tolist(), seen.tolist(), strict=True):
            entry.right, entry.seen = float(ok), float(all_)

    @property
    def names(self) -> list[tuple[tuple[str, ...], str, str, bool]]:
        """What each entry is, whatever number it has: phrase, facet, tag, whether a fact of the source."""
        columns = self.schema.columns
        return [(e.phrase, *columns[e.column], e.source) for e in self.entries]

    def to_json(self) -> list[list[Any]]:
        columns = self.schema.columns
        return [
            [list(e.phrase), *columns[e.column], round(e.prior, 4), int(e.source), e.right, e.seen]
            for e in self.entries
        ]

    @classmethod
    def from_json(cls, schema: Schema, rows: Iterable[Sequence[Any]]) -> Dictionary:
        """Entries of tags that the schema no longer has are passed over."""
        entries = []
        for phrase, facet, tag, prior, source, right, seen in rows:
            if (column := schema.column(facet, tag)) is not None:
                entries.append(Entry(tuple(phrase), column, prior, bool(source), right, seen))
        return cls(schema, entries)


def _offer(phrases: dict[tuple[tuple[str, ...], int], float], word: str, column: int) -> None:
    phrase = tuple(t.text for t in tokens(word))
    if phrase and len(phrase) <= _LONGEST and fold(word).strip() not in EMPTY_WORDS:
        if len(phrase) == 1 and phrase[0] in EMPTY_WORDS:
            return
        phrases.setdefault((phrase, column), prior_precision(phrase))


@lru_cache(maxsize=50_000)
def plain(value: str) -> str:
    """A value as facts are compared: folded, without what is no letter or digit at its ends and in between."""
    return " ".join(t.text for t in tokens(value)) or fold(value).strip()


def _follows(words: list[Token], at: int, phrase: tuple[str, ...], text: str) -> bool:
    """True when the tokens from ``at`` on are the phrase, without the end of a clause in between."""
    if at + len(phrase) > len(words):
        return False
    for step in range(1, len(phrase)):
        before, word = words[at + step - 1], words[at + step]
        if word.text != phrase[step]:
            return False
        gap = text[before.end : word.start]
        if gap and not _is_small(gap, before.text, word.text):
            return False
    return True


def _is_small(gap: str, before: str, after: str) -> bool:
    """True for what may stand inside a phrase: a space or hyphen, the point of a number; nothing between ideographs."""
    if ord(before[0]) >= 0x3040 and ord(after[0]) >= 0x3040:
        return False
    if gap == ".":
        return before[-1].isdigit() and after[0].isdigit()
    return len(gap) <= 2 and not _ENDS.search(gap)
