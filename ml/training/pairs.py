"""What a generator is taught: sources and targets drawn from examples. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ml.evaluation.generation import words
from ml.examples import Example
from ml.generation import TAGS, Control, answered, columns_of
from ml.schema import Schema
from ml.text import is_ideograph

BULLETS = "•·-*–●▪ "
LONGEST = 4  # words of a phrase; twice as many where a word is one ideograph
MOST_PHRASES = 8


def draw_control(
    rng: np.random.Generator, schema: Schema, example: Example, names: Sequence[str], *, share: float
) -> tuple[Control, list[int]]:
    """``(control, columns)``: what to ask of an example in training, and the right answer.

    All facets that were answered, or for a ``share`` of the draws some of them, and for as many the right number of
    tags. A generator that reads such sources learns to do what they say. ``names`` are languages to draw from.
    """
    facets = answered(schema, example)
    asked = facets
    if len(facets) > 1 and rng.random() < share:
        some = set(rng.choice(len(facets), size=int(rng.integers(1, len(facets) + 1)), replace=False).tolist())
        asked = [f for place, f in enumerate(facets) if place in some]
    columns = columns_of(schema, example, asked)
    count = len(columns) if rng.random() < share else 0
    return Control(TAGS, named(schema, example, asked), count, str(rng.choice(list(names)))), columns


def named(schema: Schema, example: Example, asked: Sequence[str]) -> tuple[str, ...]:
    """The facets as a control has them: none where these are all that apply, since then nothing need be said."""
    every = [f.slug for f in schema.facets if f.tags and f.applies(example.category)]
    return () if list(asked) == every else tuple(asked)


def written_text(example: Example, kind: str, phrases: Mapping[str, Sequence[str]]) -> str:
    """The text of ``kind`` that the example teaches; empty where it teaches none.

    What a person approved (``Example.written``) comes first. Else the title is the title, selling points are the listed
    lines of the description, and keywords are what :func:`key_phrases` found for its id.
    """
    if said := example.written.get(kind):
        return said
    if own := example.texts.get(kind):
        return own.strip()
    if kind == "selling_points":
        return "\n".join(points(example.texts.get("description", "")))
    return ", ".join(phrases.get(example.id, ())) if kind == "keywords" else ""


def points(description: str) -> list[str]:
    """The lines of a description that begin with a bullet, without it."""
    lines = [line.strip() for line in description.splitlines()]
    return [text for line in lines if line.startswith(tuple(BULLETS.strip())) and (text := line.lstrip(BULLETS))]


def key_phrases(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Example id to phrases that a shopper might type: the category's last name and, longest first, phrases of the
    title that some other family's title has too. No words are made up: they are the catalogue's own.
    """
    held = [set(_grams(e.texts.get("title", ""))) for e in examples]
    families: dict[str, set[str]] = {}
    for example, grams in zip(examples, held, strict=True):
        families.setdefault(example.family, set()).update(grams)
    counts = Counter(gram for grams in families.values() for gram in grams)
    found = {}
    for example, grams in zip(examples, held, strict=True):
        shared = sorted((g for g in grams if counts[g] > 1), key=lambda g: (-len(g), g))
        whole = [g for place, g in enumerate(shared) if not any(g in longer for longer in shared[:place])]
        leaf = example.category.rpartition("/")[2].strip().lower()
        found[example.id] = list(dict.fromkeys(p for p in (leaf, *whole) if p))[:MOST_PHRASES]
    return found


def _grams(title: str) -> Iterator[str]:
    """Runs of its words; ideographs stand without blanks, and one alone is no phrase."""
    tokens = words(title)
    for start in range(len(tokens)):
        text = ""
        for token in tokens[start : start + 2 * LONGEST]:
            text += token if is_ideograph(token[0]) or not text else f" {token}"
            if text.count(" ") < LONGEST and (len(text) > 1 and not text.isdigit()):
                yield text
