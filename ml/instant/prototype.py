"""Scores for tags with few or no examples: likeness to the tag's words, and to the products that have it."""

from __future__ import annotations

import numpy as np

from ml.encoders.base import normalise
from ml.examples import Example
from ml.schema import Schema


def label_examples(schema: Schema) -> list[Example]:
    """Each tag as a product whose title is the tag's words, so that encoders read labels as they read products."""
    return [Example(id="/".join(pair), texts={"title": ", ".join(spec.words) or spec.slug})
            for pair, spec in zip(schema.columns, schema.tag_specs, strict=True)]  # fmt: skip


def facet_contrast(labels: np.ndarray, schema: Schema) -> np.ndarray:
    """Label vectors ``(T, d)`` less the mean of their facet, so that ``product @ label`` says how much nearer a
    product is to this tag's words than to those of its neighbours.

    A tag alone in its facet is compared with all tags.
    """
    out: np.ndarray = labels - labels.mean(axis=0)
    for columns in schema.facet_columns.values():
        if len(columns) > 1:
            out[columns] = labels[columns] - labels[columns].mean(axis=0)
    return out


def prototypes(features: np.ndarray, y: np.ndarray, known: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """``(T, d)``: the unit direction from the ``centre`` of all products to the mean of those that have the tag.

    Rows of tags without examples are zero.
    """
    weight = (y * known).astype(np.float32)
    count = weight.sum(axis=0)
    means = weight.T @ (features - centre)
    means[count == 0] = 0.0
    return normalise(means)
