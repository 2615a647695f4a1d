"""What a full model that reads pictures says of a product by its text alone and by its picture alone, and how far the two
are apart. A missing text or picture is a state that the fusion has learned (modality dropout), so each side is an answer
of the same model, no model of its own. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from ml.encoders.base import Encoder
from ml.encoders.pictures import OnnxFused
from ml.examples import Example
from ml.instant.cache import EmbeddingCache
from ml.serving.full import FullModel


@dataclass(frozen=True, slots=True)
class Apart:
    """A facet on which text and picture say something else.

    gap: 0 (alike) to 1. In a single-choice facet the total variation distance of the two answers, "none of them" being
    one; in others the largest difference of a tag's probability. text, picture: the tag that speaks for the difference,
    each side's likeliest or, in facets of several values, that one tag, with its probability on that side.
    """

    facet: str
    gap: float
    text: tuple[str, float]
    picture: tuple[str, float]


def reads_both(encoder: Encoder) -> bool:
    """Whether a model on it can be asked by text alone and by picture alone."""
    return isinstance(encoder, OnnxFused)


def both_sides(
    model: FullModel, examples: Sequence[Example], cache: EmbeddingCache | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(n, columns)`` probabilities by the text alone and by the picture alone, and ``(n,)`` bool: whether the product
    has both, each readable. Raises TypeError for a model that does not read both."""
    encoder = model.encoder
    if not isinstance(encoder, OnnxFused):
        raise TypeError(f"{type(encoder).__name__} does not read text and picture together")
    states = cache.embed(cast(Encoder, encoder.part), examples) if cache else encoder.part.embed(examples)
    text = encoder.embed_with(examples, np.zeros_like(states))
    picture = encoder.embed_pictures(states)
    has_both = (text != 0).any(axis=1) & (picture != 0).any(axis=1)
    return model.scores_of(text, examples), model.scores_of(picture, examples), has_both


def apart(
    model: FullModel, examples: Sequence[Example], *, least: float, cache: EmbeddingCache | None = None
) -> list[list[Apart]]:
    """For each product the facets whose gap is at least ``least``, the widest first; none where it has but one side."""
    if not examples:
        return []
    p, q, both = both_sides(model, examples, cache)
    found: list[list[Apart]] = [[] for _example in examples]
    for facet in model.schema.facets:
        columns = list(model.schema.facet_columns[facet.slug])
        if not columns:
            continue
        a, b = p[:, columns], q[:, columns]
        gap = _single(a, b) if facet.single else np.abs(a - b).max(axis=1)
        for row in np.flatnonzero((gap >= least) & both).tolist():
            most = int(np.abs(a[row] - b[row]).argmax())
            said, shown = (int(a[row].argmax()), int(b[row].argmax())) if facet.single else (most, most)
            found[row].append(
                Apart(
                    facet.slug, float(gap[row]), (facet.tags[said].slug, float(a[row, said])),
                    (facet.tags[shown].slug, float(b[row, shown])),
                )
            )  # fmt: skip
    return [sorted(some, key=lambda one: -one.gap) for some in found]


def _single(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Total variation between answers of which "none of them" has what is left of 1."""
    none = np.abs(np.clip(1 - a.sum(axis=1), 0, 1) - np.clip(1 - b.sum(axis=1), 0, 1))
    out: np.ndarray = np.clip(0.5 * (np.abs(a - b).sum(axis=1) + none), 0.0, 1.0)
    return out
