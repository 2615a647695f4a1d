"""Phrases that name values, with the precision each has shown in marked text: the dictionary word by word.

What :mod:`ml.instant.dictionary` is for tags this is for spans: for each word, how far what it knows speaks for the
word beginning a value of a facet, or lying inside one. While a model is trained, what a product itself (and its
family) taught is taken out again, so that the model learns how far to trust the dictionary on products not yet seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.examples import Example
from ml.instant.dictionary import EMPTY_WORDS, WEIGHT, Token, prior_precision, tokens
from ml.schema import Schema
from ml.serving.labelling import Labels, Words, known_facets
from ml.text import Rendered

MARKED = 0.5  # prior precision of a phrase that was only seen marked
LONGEST = 12  # words in a phrase

Key = tuple[tuple[str, ...], str]  # words, facet


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase of a facet at characters ``start:end`` of a field."""

    key: Key
    field: str
    start: int
    end: int


class Phrases:
    """Counts of each phrase and facet: how often it stood where the facet's spans are known, and was one of them."""

    def __init__(self, schema: Schema) -> None:
        self.schema, self.labels = schema, Labels(schema)
        self.named: dict[Key, float] = {}  # prior precision of what the taxonomy names
        self.right: Counter[Key] = Counter()
        self.seen: Counter[Key] = Counter()
        self._of_family: dict[str, tuple[Counter[Key], Counter[Key]]] = {}
        self._facets: dict[tuple[str, ...], list[str]] = {}
        self._longest: dict[str, int] = {}

    @classmethod
    def learn(cls, schema: Schema, examples: Sequence[Example]) -> Phrases:
        """From the taxonomy's labels and synonyms, and from the examples' spans."""
        out = cls(schema)
        for (facet, _), spec in zip(schema.columns, schema.tag_specs, strict=True):
            for word in spec.words:
                if phrase := phrase_of(word):
                    out.named.setdefault((phrase, facet), prior_precision(phrase))
                    out._offer(phrase, facet)
        for example in examples:
            for span in example.spans:
                if span.facet in out.labels.numbers and (phrase := phrase_of(_text(example, span))):
                    out._offer(phrase, span.facet)
        for example in examples:
            right, seen = out._of_family.setdefault(example.family, (Counter(), Counter()))
            for hit, ok in out._judged(example):
                seen[hit.key] += 1
                right[hit.key] += ok
        for right, seen in out._of_family.values():
            out.right.update(right)
            out.seen.update(seen)
        return out

    def found(self, example: Example, rendered: Rendered, words: Words, *, own: bool = False) -> np.ndarray:
        """``(w, k)`` float32: for the label of each word, the precision of the phrase there that speaks for it; 0 where
        none does. Of one facet the longest phrase counts. own: the product is one that was learned from, and what its
        family taught is left out.
        """
        out = np.zeros((len(words), len(self.labels)), dtype=np.float32)
        nothing: tuple[Counter[Key], Counter[Key]] = (Counter(), Counter())
        less = self._of_family.get(example.family, nothing) if own else nothing
        begin = {name: start for name, start, _ in rendered.parts}
        reach: dict[str, tuple[str, int]] = {}
        for hit in self._hits(example):
            trust = self._precision(hit.key, *less)
            if not trust or (reach.get(hit.key[1], ("", 0))[0] == hit.field and hit.end <= reach[hit.key[1]][1]):
                continue
            reach[hit.key[1]] = (hit.field, hit.end)
            start, end = hit.start + begin[hit.field], hit.end + begin[hit.field]
            inside = words.inside(start, end)
            if len(inside):
                number = self.labels.numbers[hit.key[1]]
                out[inside[0], number] = max(out[inside[0], number], trust)
                out[inside[1:], number + 1] = np.maximum(out[inside[1:], number + 1], trust)
        return out

    def to_json(self) -> list[list[Any]]:
        keys = dict.fromkeys([*self.named, *self.seen])
        return [[list(p), f, self.named.get((p, f), 0.0), self.right[p, f], self.seen[p, f]] for p, f in keys]

    @classmethod
    def from_json(cls, schema: Schema, rows: Iterable[Sequence[Any]]) -> Phrases:
        """Phrases of facets that the schema no longer has are passed over."""
        out = cls(schema)
        for phrase, facet, named, right, seen in rows:
            if facet in out.labels.numbers:
                key = (tuple(phrase), facet)
                out._offer(*key)
                if named:
                    out.named[key] = float(named)
                out.right[key], out.seen[key] = int(right), int(seen)
        return out

    def _precision(self, key: Key, right: Counter[Key], seen: Counter[Key]) -> float:
        ok, all_ = self.right[key] - right[key], self.seen[key] - seen[key]
        if not ok and key not in self.named:
            return 0.0  # without this family nobody would know it
        return (ok + WEIGHT * self.named.get(key, MARKED)) / (all_ + WEIGHT)

    def _offer(self, phrase: tuple[str, ...], facet: str) -> None:
        facets = self._facets.setdefault(phrase, [])
        if facet not in facets:
            facets.append(facet)
        self._longest[phrase[0]] = max(self._longest.get(phrase[0], 0), len(phrase))

    def _hits(self, example: Example) -> Iterator[Hit]:
        """Every phrase of a facet that applies, in reading order, the longest first at each place."""
        applies = {f.slug for f in self.schema.facets if f.applies(example.category)}
        for field, text in example.texts.items():
            words = tokens(text)
            for at, word in enumerate(words):
                for length in range(min(self._longest.get(word.text, 0), len(words) - at), 0, -1):
                    piece = words[at : at + length]
                    for facet in self._facets.get(tuple(t.text for t in piece), ()):
                        if facet in applies:
                            yield Hit((tuple(t.text for t in piece), facet), field, word.start, piece[-1].end)

    def _judged(self, example: Example) -> Iterator[tuple[Hit, bool]]:
        """Hits of facets whose spans are known, and whether one of the spans is just that."""
        known = known_facets(example)
        spans = {(s.facet, s.field, *_edges(example, s)) for s in example.spans}
        for hit in self._hits(example):
            if hit.key[1] in known:
                yield hit, (hit.key[1], hit.field, hit.start, hit.end) in spans


def phrase_of(text: str) -> tuple[str, ...]:
    """The words of a value as phrases have them; empty for what names nothing, or is too long to be a name."""
    words = tuple(t.text for t in tokens(text))
    return () if len(words) > LONGEST or " ".join(words) in EMPTY_WORDS else words


def _text(example: Example, span: Any) -> str:
    return example.texts.get(span.field, "")[span.start : span.end]


def _edges(example: Example, span: Any) -> tuple[int, int]:
    """The span without signs and spaces at its ends, as tokens are cut."""
    found: list[Token] = tokens(_text(example, span))
    return (span.start + found[0].start, span.start + found[-1].end) if found else (span.start, span.end)
