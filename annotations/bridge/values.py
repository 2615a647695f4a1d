"""Values that the promoted model reads in products' texts and that no tag is named after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from annotations.bridge.encoders import sentence_encoders
from annotations.bridge.rows import Examples
from annotations.bridge.suggesting import span_reader
from annotations.models import Catalogue
from annotations.queries import examples as questions

SURE = 0.5  # probability that it stands just there, from which a value is worth a count
AT_ONCE = 200


def open_values(catalogue: Catalogue, products: Sequence[int]) -> Iterator[tuple[int, str, str]]:
    """``(product, facet slug, text)`` of these products, where the promoted model has learned spans."""
    reader = span_reader(catalogue.encoder, sentence_encoders(catalogue, lambda step: None))
    if reader is None:
        return
    examples = Examples(reader.schema)
    for begin in range(0, len(products), AT_ONCE):
        rows = list(questions.bare_facts(catalogue, products[begin : begin + AT_ONCE]))
        for row, values in zip(rows, reader.read([examples.of(row) for row in rows]), strict=True):
            for value in values:
                if not value.tag and value.score >= SURE:
                    yield row.pk, value.facet, value.text
