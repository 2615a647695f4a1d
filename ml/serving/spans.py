"""Spans of a product from a span head's numbers, and the values that they name. No torch.

A value is the text of a span, normalised by the labels and synonyms of its facet. One that no tag has is a proposal for
the taxonomy: it keeps its text and has no tag.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from ml.examples import Example, Span
from ml.instant.dictionary import plain
from ml.instant.phrases import Phrases
from ml.schema import Schema
from ml.serving.labelling import Chain, Labels, Words, read_words, span_at
from ml.text import Rendered, render

KEPT = 10_000  # products whose values a reader remembers: what a text says does not change with a refit
LEAST = 0.35  # probability from which a span is a value: half of the F1 of a good reader
GAIN = 2.0  # log weight with which the dictionary's word starts


@dataclass(frozen=True)
class SpanWeights:
    """A span head in numbers: ``weight (k, d)``, ``bias (k,)``, ``gain (2, k)`` of the dictionary's word and of there
    being one; with a CRF also ``first (k,)`` and ``transitions (k, k)``."""

    weight: np.ndarray
    bias: np.ndarray
    gain: np.ndarray
    first: np.ndarray | None = None
    transitions: np.ndarray | None = None

    def emissions(self, states: np.ndarray, found: np.ndarray | None) -> np.ndarray:
        """``(w, k)`` from the words' states ``(w, d)`` and what the dictionary found ``(w, k)``."""
        out: np.ndarray = states @ self.weight.T + self.bias
        return out if found is None else out + found * self.gain[0] + (found > 0) * self.gain[1]

    def fits(self, k: int, d: int) -> bool:
        """Whether it is a head for k labels on states of width d."""
        chain = [a.shape for a in (self.first, self.transitions) if a is not None]
        shapes = (self.weight.shape, self.bias.shape, self.gain.shape)
        return shapes == ((k, d), (k,), (2, k)) and chain in ([], [(k,), (k, k)])

    def chain(self, labels: Labels) -> Chain:
        return Chain.of(labels, self.first, self.transitions)

    def save(self, path: Path) -> None:
        save_file({name: value for name, value in vars(self).items() if value is not None}, path)

    @classmethod
    def load(cls, path: Path) -> SpanWeights:
        """Raises KeyError or TypeError for a file of other arrays, SafetensorError for one that is not safetensors."""
        return cls(**load_file(path))


@dataclass(frozen=True, slots=True)
class Value:
    """A value found in a product. ``tag`` is empty where no tag of the facet is named so; ``score`` (0 to 1) is the
    probability that the span is just that (see :meth:`ml.serving.labelling.Chain.spans`)."""

    facet: str
    text: str
    tag: str
    score: float
    span: Span


class States(Protocol):
    """What gives token states: ``(tokens of the i-th text, d)`` for lists of token ids."""

    def states(self, ids: Sequence[Sequence[int]]) -> list[np.ndarray]: ...


class SpanReader:
    """Reads spans and values. ``encoder`` gives token states, ``tokenizer`` is the one it was trained with."""

    def __init__(
        self,
        schema: Schema,
        encoder: States,
        tokenizer: Tokenizer,
        weights: SpanWeights,
        phrases: Phrases | None = None,
    ) -> None:
        self.schema, self.labels = schema, Labels(schema)
        self.encoder, self.tokenizer, self.weights, self.phrases = encoder, tokenizer, weights, phrases
        self.chain = weights.chain(self.labels)
        self.tags = tag_names(schema)
        self._kept: OrderedDict[str, list[Value]] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, examples: Sequence[Example]) -> list[list[Value]]:
        """As :meth:`read`, for products that are asked about again and again: the latest are not read anew."""
        keys = [f"{e.category}\0{e.texts}" for e in examples]
        with self._lock:
            known = {key: self._kept[key] for key in keys if key in self._kept}
        new = {key: example for key, example in zip(keys, examples, strict=True) if key not in known}
        known |= dict(zip(new, self.read(list(new.values())), strict=True))
        with self._lock:
            for key in keys:
                self._kept[key] = known[key]
                self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return [known[key] for key in keys]

    def read(self, examples: Sequence[Example]) -> list[list[Value]]:
        """The values of each product in reading order."""
        return [self.decode(*one) for one in self.emissions(examples)]

    def emissions(self, examples: Sequence[Example]) -> Iterator[tuple[Example, Rendered, Words, np.ndarray]]:
        """Of each product its rendering, its words, and what the labels weigh at each of them ``(w, k)``."""
        rendered = [render(e) for e in examples]
        ids = [e.ids for e in self.tokenizer.encode_batch([r.text for r in rendered])]
        states = self.encoder.states(ids) if ids else []
        for example, shown, words, each in zip(
            examples, rendered, read_words(self.tokenizer, rendered), states, strict=True
        ):
            found = self.phrases.found(example, shown, words) if self.phrases else None
            yield example, shown, words, self.weights.emissions(each[words.token], found)

    def decode(self, example: Example, rendered: Rendered, words: Words, emissions: np.ndarray) -> list[Value]:
        """The values of one product, in reading order.

        Every span that is likely enough, the likeliest first, where none lies yet: what raises F1 is an answer that is
        right in more than half of F1 of the cases (Lewis 1995), not the likeliest labelling as a whole.
        """
        asked = words.asked(self.labels.asked(example), self.labels.begins)
        p = self.chain.spans(emissions, asked)
        out: list[tuple[int, Value]] = []
        taken = np.zeros(len(words), dtype=bool)
        places = np.argwhere(p >= LEAST)
        for first, more, facet in places[np.argsort(-p[tuple(places.T)], kind="stable")]:
            end = first + more + 1
            span = span_at(rendered, words, self.schema.facets[facet].slug, first, end)
            if span is not None and not taken[first:end].any():
                taken[first:end] = True
                out.append((first, self.named(example, span, float(p[first, more, facet]))))
        return [value for _, value in sorted(out, key=lambda one: one[0])]

    def named(self, example: Example, span: Span, score: float) -> Value:
        text = example.texts[span.field][span.start : span.end]
        tag = self.tags.get((span.facet, plain(text)), "")
        return Value(span.facet, text, tag, score, replace(span, tag=tag))


def tag_names(schema: Schema) -> dict[tuple[str, str], str]:
    """Facet and folded word to the tag that it names; the first of several."""
    out: dict[tuple[str, str], str] = {}
    for (facet, tag), spec in zip(schema.columns, schema.tag_specs, strict=True):
        for word in (*spec.words, spec.slug):
            out.setdefault((facet, plain(word)), tag)
    return out


def best_of_each(values: Sequence[Value]) -> dict[str, Value]:
    """The surest value of each facet, the first of equals: for facets that take one answer."""
    out: dict[str, Value] = {}
    for value in values:
        if value.facet not in out or value.score > out[value.facet].score:
            out[value.facet] = value
    return out
