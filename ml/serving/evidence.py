"""Which words of a product speak for a tag.

First the dictionary's matches: names everyone recognises. Where there are none, what each word adds to the log odds
through the lexical encoder, which is linear, so that the contributions are exact. Only words that raise the score are
shown, as ranges of the field a person sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, Span
from ml.instant.dictionary import Dictionary, Match, Token, tokens
from ml.text import Rendered, fold, is_ideograph, render

MOST = 4  # spans a tag
SHARE = 0.3  # of the strongest word's contribution, below which a word is not shown
LEAST = 0.05  # log odds a word must add
LONGEST = 4  # ideographs that are shown as one word
FIRM, LOOSE = 0.6, 0.15  # cohesion that always joins two ideographs, and below which they never are
# Words that carry no meaning of their own: never shown alone.
_ENGLISH = (
    "the a an and or of in on for to it its is are was be been at by as with from this that these those you your our we "
    "they them their he she his her how when while where what which who if then than so but just very more most all any "
    "some no not can will may has have had do does into over under about up out off only also too s t"
)
PARTICLES = frozenset([*_ENGLISH.split(), *"的了和与及或是在有这那款个种为于等也都而更很最可让把被给其之"])


def dictionary_spans(
    dictionary: Dictionary, matches: Sequence[Match], column: int, useful: Mapping[int, float]
) -> tuple[Span, ...]:
    """The tag's matches in the product's fields, most precise first, at most four. ``useful``: entry to its gain."""
    facet, tag = dictionary.schema.columns[column]
    found = [
        m
        for m in matches
        if m.column == column and m.field not in {"category", "source"} and useful.get(m.entry, 0.0) > 0
    ]
    found.sort(key=lambda m: (-useful[m.entry], m.field != "title", m.start))
    spans = dict.fromkeys(Span(m.field, m.start, m.end, facet, tag) for m in found)
    return tuple(spans)[:MOST]


def word_spans(
    example: Example, encoder: LexicalEncoder, directions: np.ndarray, pairs: Sequence[tuple[str, str]]
) -> list[tuple[Span, ...]]:
    """For each column of ``directions`` ``(dim, k)``, the words that raise it most; ``pairs`` name facet and tag."""
    rendered = render(example)
    found = encoder.token_scores(rendered.text, directions)
    per_character = np.zeros((len(rendered.text) + 1, directions.shape[1]))
    each = found.score / np.maximum(found.end - found.start, 1)[:, None]
    np.add.at(per_character, found.start, each)  # a gram's score is spread over its characters:
    np.add.at(per_character, found.end, -each)  # differences here, summed below
    before = np.zeros((len(rendered.text) + 1, directions.shape[1]))
    before[1:] = np.cumsum(np.cumsum(per_character, axis=0)[:-1], axis=0)
    words = _words(rendered, encoder)
    if not words:
        return [() for _ in pairs]
    start, end = (np.array([getattr(t, name) for t in words]) for name in ("start", "end"))
    text = _Words(rendered, words)
    sums = before[end] - before[start]
    return [_strongest(text, sums[:, k], *pair) for k, pair in enumerate(pairs)]


def _words(rendered: Rendered, encoder: LexicalEncoder) -> list[Token]:
    """Words of the fields. Ideographs are put together where the catalogue often has them together, at most four."""
    text = rendered.text
    firm = encoder.cohesion(text)
    out: list[Token] = []
    for token in tokens(text):
        if rendered.locate(token.start, token.end) is None:
            continue
        before = out[-1] if out else None
        if (
            before is not None
            and before.end == token.start
            and before.end - before.start < LONGEST
            and is_ideograph(text[token.start])
            and is_ideograph(text[token.start - 1])
            and not {before.text, token.text} & PARTICLES
            and rendered.locate(before.start, token.end) is not None
            and _holds(firm, token.start - 1)
        ):
            out[-1] = Token(before.text + token.text, before.start, token.end)
        else:
            out.append(token)
    return out


def _holds(firm: Mapping[int, float], at: int) -> bool:
    """True unless the pair at ``at`` is loose, or looser than the pairs on both of its sides."""
    here = firm.get(at, 0.0)
    return here >= FIRM or (here >= LOOSE and here >= min(firm.get(at - 1, 0.0), firm.get(at + 1, 0.0)))


class _Words:
    """The words of the fields of one product, in reading order, and how they join."""

    def __init__(self, rendered: Rendered, words: Sequence[Token]) -> None:
        self.rendered = rendered
        self.words = words
        text = rendered.text
        self.particle = [t.text in PARTICLES or fold(text[t.start : t.end]) in PARTICLES for t in words]
        self.ideograph = [is_ideograph(text[t.start]) and t.end - t.start == 1 for t in words]
        self.joined = [False] + [
            text[left.end : right.start] in {"", " ", "-"} and rendered.locate(left.start, right.end) is not None
            for left, right in pairwise(words)
        ]  # word and the one before are of one field, with at most a space or hyphen between

    def widen(self, first: int, last: int, sums: np.ndarray) -> tuple[int, int]:
        """Particles at the ends are dropped; a lone Chinese character takes the neighbour that says more.

        So a word is shown, not half of one.
        """
        while last > first and self.particle[first]:
            first += 1
        while last > first and self.particle[last]:
            last -= 1
        if first == last and self.ideograph[first]:
            beside = [at for at in (first - 1, first + 1) if 0 <= at < len(self.words) and self._extends(first, at)]
            if beside:
                other = max(beside, key=lambda at: float(sums[at]))
                return min(first, other), max(first, other)
        return first, last

    def _extends(self, at: int, other: int) -> bool:
        wide = is_ideograph(self.rendered.text[self.words[other].start])
        return self.joined[max(at, other)] and wide and not self.particle[other]


def _strongest(text: _Words, sums: np.ndarray, facet: str, tag: str) -> tuple[Span, ...]:
    """Runs of words that raise the score, the strongest first, at most four, in the fields they stand in."""
    highest = float(sums.max())
    if highest < LEAST:
        return ()
    runs: list[list[int]] = []
    for at in np.flatnonzero(sums >= max(SHARE * highest, LEAST)):
        if runs and runs[-1][1] == at - 1 and text.joined[at]:
            runs[-1][1] = int(at)
        else:
            runs.append([int(at), int(at)])
    ranked = []
    for run in runs:
        first, last = text.widen(run[0], run[1], sums)
        if not all(text.particle[first : last + 1]):
            ranked.append((-float(sums[first : last + 1].sum()), text.words[first].start, text.words[last].end))
    spans: list[tuple[int, int]] = []
    for _, start, end in sorted(ranked):
        if len(spans) < MOST and all(end <= s or start >= e for s, e in spans):
            spans.append((start, end))
    located = [place for start, end in spans if (place := text.rendered.locate(start, end)) is not None]
    return tuple(Span(name, start, end, facet, tag) for name, start, end in located)
