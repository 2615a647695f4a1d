"""Which words speak for which tags: a text cut into pieces, each with the tags whose evidence it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from annotations.models import Band
from annotations.queries.cards import Card, Chip


@dataclass(frozen=True, slots=True)
class Claimed:
    """Code points ``start`` to ``end`` (exclusive) of a text speak for a tag of a facet with this hue.

    A ``faint`` one belongs to a tag that the model itself hardly believes in.
    """

    start: int
    end: int
    hue: int
    tag: int
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text under the same tags throughout. ``hues`` are those of their facets, without repeats; faint
    ones are left out, so that a text is not painted over by tags that hardly fit."""

    text: str
    tags: tuple[int, ...] = ()
    hues: tuple[int, ...] = ()


def pieces(text: str, claims: Iterable[Claimed]) -> list[Piece]:
    """The text cut at every edge of a span; joined together the pieces are the text again, exactly.

    Spans may overlap and nest. One that reaches beyond the text (the text changed since) is cut off at its end, and
    one that lies outside or is empty is left out.
    """
    size = len(text)
    kept = [c for c in claims if 0 <= c.start < min(c.end, size)]
    edges = sorted({0, size, *(c.start for c in kept), *(min(c.end, size) for c in kept)})
    found = []
    for start, end in pairwise(edges):
        over = [c for c in kept if c.start <= start and end <= c.end]
        hues = dict.fromkeys(c.hue for c in over if not c.faint)
        found.append(Piece(text[start:end], tuple(dict.fromkeys(c.tag for c in over)), tuple(hues)))
    return found


def claims_on(card: Card, field: str) -> list[Claimed]:
    """All spans of the card's chips in ``title`` or ``description``."""
    return [
        Claimed(start, end, row.hue, chip.tag.pk, faint=not chip.checked and chip.band == Band.UNSURE)
        for row in card.facets
        for chip in row.chips
        for name, start, end in map(_span, chip.spans)
        if name == field
    ]


def quotes(card: Card, chip: Chip, limit: int = 3) -> list[str]:
    """The chip's evidence in the product's own words, each once, at most ``limit``."""
    texts = {"title": card.product.title, "description": card.product.description}
    words = [texts.get(name, "")[max(0, start) : end] for name, start, end in map(_span, chip.spans)]
    return list(dict.fromkeys(w for w in words if w))[:limit]


def _span(span: dict[str, Any]) -> tuple[str, int, int]:
    return str(span.get("field", "")), int(span.get("start", 0)), int(span.get("end", 0))
