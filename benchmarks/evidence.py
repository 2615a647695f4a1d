"""Do the highlighted words carry the suggestion? They are taken out of the text, and the tag is scored again.

    python benchmarks/evidence.py ../shared/data --encoders var/encoders [--train 200] [--products 60]

For every suggestion with evidence on products of other families: the share whose score falls when all its words are
masked ("lower"; at least 90 % is asked for), beside a control that masks as many other words of the same text. "with"
is the share of suggestions that have any evidence in the text.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from instant_vs_sklearn import SETS, load

from ml.encoders import packaged
from ml.encoders.base import Encoder
from ml.encoders.lexical import LexicalEncoder
from ml.examples import Example, Span, split_by_family
from ml.instant.cache import EmbeddingCache
from ml.instant.dictionary import tokens
from ml.instant.model import InstantModel
from ml.serving.predictor import Predictor


def masked(example: Example, spans: Sequence[Span]) -> Example:
    """The product without these words: as many spaces, so that nothing else moves."""
    texts = dict(example.texts)
    for span in spans:
        text = texts[span.field]
        texts[span.field] = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    return replace(example, texts=texts)


def other_words(example: Example, spans: Sequence[Span], rng: np.random.Generator) -> list[Span]:
    """As many words of the same fields, drawn at random, none of them highlighted."""
    taken = {(s.field, at) for s in spans for at in range(s.start, s.end)}
    free = [
        Span(name, t.start, t.end)
        for name, text in example.texts.items()
        for t in tokens(text)
        if (name, t.start) not in taken
    ]
    wanted = sum(len(tokens(example.texts[s.field][s.start : s.end])) for s in spans)
    return [free[i] for i in rng.permutation(len(free))[:wanted]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoders", type=Path, default=Path("var/encoders"))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--train", type=int, default=200)
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--suggestions", type=int, default=300, help="scored again, drawn at random from all of a set")
    parser.add_argument("--lexical", action="store_true", help="without MiniLM")
    options = parser.parse_args()
    beside = packaged.is_installed() and not options.lexical
    minilm = packaged.load_packaged(options.encoders) if beside else None
    print(
        f"{'set':17}{'encoders':10}{'suggestions':>12}{'with':>7}{'lower':>7}{'checked':>8}{'control':>9}{'median fall':>12}"
    )
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        cache = EmbeddingCache(Path(folder))
        for name in options.sets.split(","):
            examples, schema = load(options.data / name)
            lexical = LexicalEncoder.fit(examples)
            rest, held = split_by_family(examples, 0.3, "evidence")
            chosen = [rest[i] for i in rng.permutation(len(rest))[: options.train]]
            test = [Example(e.id, e.texts, e.category, e.language, e.group) for e in held[: options.products]]
            encoders: list[list[Encoder]] = [[lexical], *([[lexical, minilm]] if minilm else [])]
            for with_these in encoders:
                model = InstantModel.fit(schema, chosen, with_these, cache=cache)
                found, there, without, control = [], 0, [], []
                columns, checked = [], []
                for example, prediction in zip(test, Predictor(model, cache).predict(test), strict=True):
                    for tag in prediction.tags:
                        found.append(tag)
                        if tag.spans:
                            there += 1
                            columns.append(schema.column(tag.facet, tag.tag))
                            without.append(masked(example, tag.spans))
                            control.append(masked(example, other_words(example, tag.spans, rng)))
                            checked.append((tag.score, tag.band != "unsure"))
                drawn = rng.permutation(len(columns))[: options.suggestions]
                columns, checked, without, control = (
                    [a[i] for i in drawn] for a in (columns, checked, without, control)
                )
                before = np.array([score for score, _ in checked])
                at = np.arange(len(columns)), np.array(columns, dtype=int)
                after, by_chance = model.scores(without)[at], model.scores(control)[at]
                sure = np.array([is_checked for _, is_checked in checked])
                print(
                    f"{name:17}{'lexical' if len(with_these) == 1 else '+ MiniLM':10}{len(found):12}"
                    f"{there / max(len(found), 1):7.3f}{(after < before - 1e-6).mean():7.3f}"
                    f"{(after < before - 1e-6)[sure].mean():8.3f}{(by_chance < before - 1e-6).mean():9.3f}"
                    f"{np.median(before - after):12.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
