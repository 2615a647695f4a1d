"""Sequence labelling: words of a product, a label for each of them, and the spans that the labels come to. No torch.

The scheme is BIO (Ramshaw and Marcus 1995): ``O`` outside, ``B-facet`` where a span begins, ``I-facet`` inside it.
Labels are numbers: 0 is O, facet f of the schema has 1 + 2 f (B) and 2 + 2 f (I). A word has the state of its first
token. Training and serving read words, and decode, through the same lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer

from ml.examples import Example, Span
from ml.schema import Schema
from ml.text import Rendered, render

LONGEST = 24  # words of a span that is looked for by its own probability
NEVER = -1e4  # a log weight that no sum of others makes up for, and whose gradient is a number


@dataclass(frozen=True)
class Labels:
    """The labels of a schema's facets; ``len(labels)`` is their number k."""

    schema: Schema

    def __len__(self) -> int:
        return 1 + 2 * len(self.schema.facets)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Facet slug to the number of its B; its I is one more."""
        return {facet.slug: 1 + 2 * f for f, facet in enumerate(self.schema.facets)}

    @cached_property
    def begins(self) -> np.ndarray:
        """``(k,)`` bool: labels that may stand first, which is all but I."""
        out = np.ones(len(self), dtype=bool)
        out[2::2] = False
        return out

    @cached_property
    def follows(self) -> np.ndarray:
        """``(k, k)`` bool: whether the label of the column may follow that of the row. I follows its B or itself."""
        out = np.tile(self.begins, (len(self), 1))
        inside = np.arange(2, len(self), 2)
        out[inside, inside] = out[inside - 1, inside] = True
        return out

    def asked(self, example: Example) -> np.ndarray:
        """``(k,)`` bool: O and the labels of facets that apply to the product's category."""
        applies = [facet.applies(example.category) for facet in self.schema.facets]
        return np.concatenate([[True], np.repeat(np.array(applies, dtype=bool), 2)])


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a product's fields, in reading order. Those of the category are context, not labelled.

    token: index of the first token; start, end: characters of the rendering; first: whether a field begins here
    """

    token: np.ndarray
    start: np.ndarray
    end: np.ndarray
    first: np.ndarray

    def __len__(self) -> int:
        return len(self.token)

    def inside(self, start: int, end: int) -> np.ndarray:
        """Indices of the words that have characters in common with ``start:end`` of the rendering."""
        return np.flatnonzero((self.start < end) & (self.end > start))

    def asked(self, asked: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """``(w, k)`` bool: what each word may be. No span leaves its field."""
        out: np.ndarray = asked & (begins | ~self.first[:, None])
        return out


def read_words(tokenizer: Tokenizer, rendered: Sequence[Rendered]) -> list[Words]:
    """Words as the tokenizer's pre-tokenizer cuts them (WordPiece: a Chinese character by itself)."""
    found = tokenizer.encode_batch([r.text for r in rendered])
    return [_words(r, e.offsets, e.word_ids) for r, e in zip(rendered, found, strict=True)]


def _words(rendered: Rendered, offsets: Sequence[tuple[int, int]], word_ids: Sequence[int | None]) -> Words:
    rows: list[list[int]] = []
    last: tuple[int | None, str] = (None, "")
    for at, ((begin, end), word) in enumerate(zip(offsets, word_ids, strict=True)):
        piece = rendered.text[begin:end]
        start = begin + len(piece) - len(piece.lstrip())  # byte-level tokens carry the space before them
        place = rendered.locate(start, end) if word is not None and start < end else None
        if place is None:
            continue
        if (word, place[0]) == last:
            rows[-1][2] = end
        else:
            rows.append([at, start, end, place[0] != last[1]])
            last = (word, place[0])
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return Words(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool))


def known_facets(example: Example) -> frozenset[str]:
    """Facets whose spans are all marked: those that have one, and those looked at as a whole that have no tag."""
    marked = {span.facet for span in example.spans}
    return frozenset(marked | {f for f in example.complete if not example.labels.get(f)})


def encode(labels: Labels, example: Example, rendered: Rendered, words: Words) -> np.ndarray:
    """``(w,)`` int64: the label of each word by the example's spans. Of two that overlap the longer one counts."""
    out = np.zeros(len(words), dtype=np.int64)
    begin = {name: start for name, start, _ in rendered.parts}
    asked = labels.asked(example)
    for span in sorted(example.spans, key=lambda s: (s.start - s.end, s.start)):
        number = labels.numbers.get(span.facet)
        if number is None or span.field not in begin or not asked[number]:
            continue
        start, end = span.start + begin[span.field], span.end + begin[span.field]
        inside = words.inside(start, end)
        if len(inside) and not out[inside].any():
            out[inside] = number + 1
            out[inside[0]] = number
    return out


def possible(labels: Labels, example: Example, label: np.ndarray) -> np.ndarray:
    """``(w, k)`` bool: what each word may be by what people said. Where a facet is unknown, a word outside of the marked
    spans may be in one of that facet as well as outside."""
    out = np.zeros((len(label), len(labels)), dtype=bool)
    known = known_facets(example)
    unknown = np.array([facet.slug not in known for facet in labels.schema.facets], dtype=bool)
    out[label == 0] = np.concatenate([[True], np.repeat(unknown, 2)])
    out[np.arange(len(label)), label] = True
    out &= labels.asked(example)
    return out


def spans_of(rendered: Rendered, words: Words, label: np.ndarray, labels: Labels) -> list[tuple[Span, int, int]]:
    """The spans that labels come to, each with its first and one past its last word. An I that follows nothing of its
    facet begins a span, as in ``conlleval``."""
    out: list[tuple[Span, int, int]] = []
    at = 0
    while at < len(label):
        number = int(label[at])
        begin, at = at, at + 1
        if not number:
            continue
        facet = (number - 1) // 2
        while at < len(label) and label[at] == 2 + 2 * facet and not words.first[at]:
            at += 1
        span = span_at(rendered, words, labels.schema.facets[facet].slug, begin, at)
        if span is not None:
            out.append((span, begin, at))
    return out


def span_at(rendered: Rendered, words: Words, facet: str, begin: int, end: int) -> Span | None:
    """Of the words ``begin`` to one before ``end``; None where they lie in no field, or in several."""
    place = rendered.locate(int(words.start[begin]), int(words.end[end - 1]))
    return None if place is None else Span(*place, facet=facet)


@dataclass(frozen=True)
class Chain:
    """What labels weigh beside each other: ``first (k,)`` and ``transitions (k, k)`` (from row to column), log weights.
    Without a CRF they are 0 where BIO allows it and ``NEVER`` elsewhere."""

    first: np.ndarray
    transitions: np.ndarray

    @classmethod
    def of(cls, labels: Labels, first: np.ndarray | None = None, transitions: np.ndarray | None = None) -> Chain:
        zero = np.float32(0)
        return cls(
            np.where(labels.begins, zero if first is None else first, np.float32(NEVER)),
            np.where(labels.follows, zero if transitions is None else transitions, np.float32(NEVER)),
        )

    def viterbi(self, emissions: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """``(w,)``: the best sequence of labels for ``(w, k)`` emissions, among those asked (Viterbi 1967)."""
        score = np.where(asked, emissions, NEVER)
        if not len(score):
            return np.zeros(0, dtype=np.int64)
        best = self.first + score[0]
        back = np.zeros(score.shape, dtype=np.int64)
        for at in range(1, len(score)):
            ways = best[:, None] + self.transitions
            back[at] = ways.argmax(axis=0)
            best = ways[back[at], np.arange(ways.shape[1])] + score[at]
        out = np.zeros(len(score), dtype=np.int64)
        out[-1] = best.argmax()
        for at in range(len(score) - 1, 0, -1):
            out[at - 1] = back[at, out[at]]
        return out

    def spans(self, emissions: np.ndarray, asked: np.ndarray, longest: int = LONGEST) -> np.ndarray:
        """``(w, n, facets)``: the probability of a span of the facet that begins at the word and has ``1 + index`` words,
        neither more nor less (the sum over all sequences that hold it, by forward and backward sums, Rabiner 1989). n is
        ``longest``, or w where that is less."""
        size, longest = len(emissions), min(longest, len(emissions))
        out = np.zeros((size, longest, emissions.shape[1] // 2))
        facets = np.flatnonzero(asked[:, 1::2].any(axis=0))  # a category's own: what the others cost is squared
        if not len(facets):
            return out
        kept = np.concatenate([[0], np.stack([1 + 2 * facets, 2 + 2 * facets], 1).ravel()])
        chain = Chain(self.first[kept], self.transitions[np.ix_(kept, kept)])
        out[:, :, facets] = chain._spans(np.where(asked, emissions, NEVER).astype(np.float64)[:, kept], longest)
        return out

    def _spans(self, score: np.ndarray, longest: int) -> np.ndarray:
        """:meth:`spans` of labels all of which are asked somewhere, by their log weights ``(w, k)``."""
        size = len(score)
        begin, inside = np.arange(1, score.shape[1], 2), np.arange(2, score.shape[1], 2)
        out = np.zeros((size, longest, len(begin)))
        forward, backward = self._both_ways(score)
        whole = np.logaddexp.reduce(forward[-1])
        goes_on = np.full((size, 2, len(begin)), -np.inf)  # from B and from I into I at the next word, and all after it
        after = score[1:, inside] + backward[1:, inside]
        for row, label in enumerate((begin, inside)):
            goes_on[:-1, row] = self.transitions[label, inside] + after
        ends = backward[:, np.stack([begin, inside])]  # what is not going on is an end here
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = ends + np.log1p(-np.exp(np.minimum(goes_on - ends, 0.0)))
        held = forward[:, begin]  # all sequences up to a word that begins a span there
        for n in range(longest):
            last = size - n
            if n:
                held = held[:last] + self.transitions[begin if n == 1 else inside, inside] + score[n:, inside]
            out[:last, n] = np.exp(held + ends[n:, min(n, 1)] - whole)
        return out

    def _both_ways(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log weights ``(w, k)`` of all that leads to a label, it included, and of all that comes after it."""
        forward, backward = np.empty_like(score), np.zeros_like(score)
        forward[0] = self.first + score[0]
        for at in range(1, len(score)):
            forward[at] = np.logaddexp.reduce(forward[at - 1][:, None] + self.transitions, axis=0) + score[at]
        for at in range(len(score) - 2, -1, -1):
            backward[at] = np.logaddexp.reduce(self.transitions + (score[at + 1] + backward[at + 1]), axis=1)
        return forward, backward


def read(example: Example, tokenizer: Tokenizer) -> tuple[Rendered, Words]:
    """A product's rendering and words."""
    rendered = render(example)
    return rendered, read_words(tokenizer, [rendered])[0]
