"""Weak spans: where the words of accepted tags stand in a product's text, for products that nobody marked spans in.

Distant supervision (Mintz et al. 2009) from decisions: labels, synonyms and the values that tags came with, as the
dictionary matches them. A facet of which some accepted tag is found nowhere stays unknown: its words may well be there.
No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ml.examples import Example, Span
from ml.instant.dictionary import Dictionary, Entry, prior_precision
from ml.instant.phrases import phrase_of
from ml.schema import Schema


def with_weak_spans(schema: Schema, examples: Sequence[Example]) -> list[Example]:
    """The examples, each with spans of the facets that have accepted tags, all of them found, and no spans so far."""
    dictionary = _dictionary(schema, examples)
    return [replace(e, spans=(*e.spans, *_spans(schema, dictionary, e))) for e in examples]


def _dictionary(schema: Schema, examples: Sequence[Example]) -> Dictionary:
    """Labels, synonyms, marked spans, and values of the source where one value stood beside one accepted tag."""
    base = Dictionary.build(schema, examples)
    entries = [entry for entry in base.entries if not entry.source]
    had = {(entry.phrase, entry.column) for entry in entries}
    for example in examples:
        for facet, values in example.source.items():
            tags = example.labels.get(facet, frozenset())
            if len(values) != 1 or len(tags) != 1:
                continue
            column, phrase = schema.column(facet, next(iter(tags))), phrase_of(values[0])
            if column is not None and phrase and (phrase, column) not in had:
                had.add((phrase, column))
                entries.append(Entry(phrase, column, prior_precision(phrase)))
    return Dictionary(schema, entries)


def _spans(schema: Schema, dictionary: Dictionary, example: Example) -> list[Span]:
    marked = {span.facet for span in example.spans}
    wanted = {
        facet: tags
        for facet, tags in example.labels.items()
        if tags and facet not in marked and facet in schema.facet_columns
    }
    if not wanted:
        return []
    found: dict[str, list[Span]] = {}
    for match in dictionary.match(example):
        facet, tag = schema.columns[match.column]
        if match.field in example.texts and tag in wanted.get(facet, ()):
            found.setdefault(facet, []).append(Span(match.field, match.start, match.end, facet, tag))
    out: list[Span] = []
    for facet, spans in found.items():
        if {span.tag for span in spans} == set(wanted[facet]):
            out += spans
    return out
