"""Mention replacement (Dai and Adel 2020): a product read with other values in the places of its own.

A marked value is replaced by another of the same facet, category and tag from the products to train on, so that what is
said of the product's tags stays true, and the words around a value are learned with more values than stood there. What is
drawn for a product is a function of (seed, step, product) alone. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.examples import Example, Span

Kind = tuple[str, str, str]  # facet, category, tag


@dataclass(frozen=True)
class Said:
    """A product with other values in it, and which of its spans hold one."""

    example: Example
    new: tuple[Span, ...]


class Mentions:
    """The values of the examples' spans, each text once a kind; ``share`` of the spans get another."""

    def __init__(self, examples: Sequence[Example], share: float, seed: int) -> None:
        self.examples, self.share, self.seed = list(examples), share, seed
        found: dict[Kind, dict[str, str]] = {}
        for example in examples:
            for span in apart(example):
                text = example.texts[span.field][span.start : span.end]
                found.setdefault(_kind(example, span), {}).setdefault(text.casefold(), text)
        self.values = {kind: list(texts.values()) for kind, texts in found.items()}

    def said(self, row: int, step: int) -> Said:
        """The row's product as this step reads it."""
        example, rng = self.examples[row], np.random.default_rng((self.seed, step, row))
        texts, spans, new = dict(example.texts), list(example.spans), []
        moved: dict[str, int] = {}  # characters that the field has grown by so far
        places = {span: at for at, span in enumerate(spans)}
        for span in sorted(apart(example), key=lambda s: s.start):
            by = moved.get(span.field, 0)
            others = self.values[_kind(example, span)]
            value = example.texts[span.field][span.start : span.end]
            if rng.random() < self.share:
                value = others[rng.integers(len(others))]
            here = replace(span, start=span.start + by, end=span.start + by + len(value))
            text, grown = texts[span.field], len(value) - (span.end - span.start)
            texts[span.field] = text[: here.start] + value + text[span.end + by :]
            moved[span.field] = by + grown
            spans[places[span]] = here
            if value != example.texts[span.field][span.start : span.end]:
                new.append(here)
        return Said(replace(example, texts=texts, spans=tuple(spans)), tuple(new))


def apart(example: Example) -> list[Span]:
    """Spans that share no character with another, in products all of whose spans are so; elsewhere none, since what
    overlaps a value that is replaced would have no place."""
    taken: dict[str, list[tuple[int, int]]] = {}
    for span in example.spans:
        if span.field not in example.texts:
            return []
        if any(span.start < end and span.end > start for start, end in taken.setdefault(span.field, [])):
            return []
        taken[span.field].append((span.start, span.end))
    return list(example.spans)


def _kind(example: Example, span: Span) -> Kind:
    return span.facet, example.category, span.tag
