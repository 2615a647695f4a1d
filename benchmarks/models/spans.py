"""Values in product titles by sequence labelling: OA-Mine, folds by title, each option beside a plain head.

    python -m benchmarks.models spans                            a part of the folds
    python -m benchmarks.models.spans --folds 0 2                more of it with the packaged encoder, kept beside the rest

A fold stands where other nouns have a seed: plans are compared on the same titles. One answer a facet, right when its text
is one of the values; *listed* ignores answers for facets that the annotators did not list (the published count), *strict*
counts them as wrong. Published for orientation, official test: dictionary 60.1, GPT-3.5 74.0, GPT-4 with ten examples
82.2 (listed) and 79.5 (strict).
"""

from __future__ import annotations

import argparse
import functools
import gzip
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models._kept import Measured, Once, key_of
from benchmarks.models._runs import follow_on, made_once
from benchmarks.models.table import Missing, Row, text
from ml.evaluation.spans import ValueScores, value_scores
from ml.examples import Example, Span, fold_of
from ml.schema import FacetSpec, Schema
from ml.serving.labelling import spans_of
from ml.training.plan import PACKAGED, Plan

SHARED = Path(os.environ.get("TAGSTUDIO_SHARED") or Path(__file__).parents[3] / "shared")
FOLDS = 5
SCRATCH = Plan(
    base="catalogue", pretrain_steps=1, layers=2, width=128, vocabulary=4000, epochs=8, learning_rate=1e-3,
    spans="marked", tag_weight=0.0, warmup_share=0.3, patience=0,
)  # fmt: skip
FINE = Plan(
    base=PACKAGED, freeze="embeddings", epochs=8, learning_rate=1.5e-4, spans="marked", tag_weight=0.0,
    warmup_share=0.3, patience=0,
)  # fmt: skip
CRF = {"span_layer": "crf"}
DICTIONARY = {"span_features": "dictionary"}
BOTH = {**CRF, **DICTIONARY}
SWAP = {"value_swap": 0.5}
FGM = {"adversarial": 0.5, "freeze": "none"}  # moves word vectors, so they must train
TOGETHER = {"members": 2, "combine": "scores"}
COUNTS = ("strict", "listed", "seen", "unseen")
LIKELIEST = "likeliest labelling"  # strict, when all words get the labels that are likeliest together
SECONDS = {SCRATCH.base: 2.5, FINE.base: 29.0}  # an epoch of a fold, plain


@dataclass(frozen=True)
class OaMine:
    schema: Schema
    examples: list[Example]
    values: dict[str, dict[str, list[str]]]  # of each product, by facet

    def fold(self, number: int) -> tuple[list[Example], list[Example]]:
        """``(rest, fold)``; equal titles are in one fold."""
        parts: tuple[list[Example], list[Example]] = ([], [])
        for example in self.examples:
            parts[fold_of(example.family, FOLDS) == number].append(example)
        return parts


@functools.cache
def oa_mine() -> OaMine:
    folder = SHARED / "data" / "oamine_en"
    if not folder.is_dir():
        raise Missing(f"no {folder}")
    by_category = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    categories: dict[str, list[str]] = {}
    for category, facets in by_category.items():
        for facet in facets:
            categories.setdefault(facet, []).append(category)
    with gzip.open(folder / "products.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    examples = [
        Example(
            row["id"], {"title": row["title"]}, row["category"], group=row["title"],
            complete=frozenset(by_category[row["category"]]),
            spans=tuple(Span("title", s["start"], s["end"], s["facet"]) for s in row["spans"]),
        )
        for row in rows
    ]  # fmt: skip
    schema = Schema(tuple(FacetSpec(facet, (), categories=tuple(where)) for facet, where in categories.items()))
    return OaMine(schema, examples, {row["id"]: row["attributes"] for row in rows})


def trained(plan: Plan, fold: int) -> Any:
    """The task, trained on the other folds."""
    from ml.encoders.catalogue import new_encoder, train_tokenizer
    from ml.encoders.hf import load_text_encoder
    from ml.encoders.packaged import packaged_folder
    from ml.text import render
    from ml.training.stages import Read

    data = oa_mine()
    train, _ = data.fold(fold)
    if plan.base == PACKAGED:
        encoder = load_text_encoder(packaged_folder(), max_length=plan.max_length, dropout=plan.dropout)
    else:
        tokenizer = made_once(
            f"oamine-{fold}-{plan.vocabulary}",
            lambda: train_tokenizer((render(e).text for e in train), plan.vocabulary),
        )
        sizes = {"layers": plan.layers, "width": plan.width, "max_length": plan.max_length}
        encoder = new_encoder(tokenizer, dropout=plan.dropout, seed=plan.seed, **sizes)
    return follow_on(plan, data.schema, encoder, Read(train, []))[0]


def measured(plan: Plan, fold: int) -> tuple[ValueScores, ValueScores]:
    """Asked on the fold: answers by the probability of each, and by the likeliest labelling."""
    from ml.serving.spans import best_of_each

    data = oa_mine()
    train, test = data.fold(fold)
    reader = trained(plan, fold).reader()
    known = {(f, v.casefold()) for e in train for f, values in data.values[e.id].items() for v in values}
    ways: tuple[list[dict[str, str]], list[dict[str, str]]] = ([], [])
    for one in reader.emissions(test):
        for way, found in zip(ways, (reader.decode(*one), labelled(reader, *one)), strict=True):
            way.append({f: v.text for f, v in best_of_each(found).items()})
    gold = [data.values[e.id] for e in test]
    return value_scores(gold, ways[0], known), value_scores(gold, ways[1], known)


def labelled(reader: Any, example: Example, rendered: Any, words: Any, emissions: np.ndarray) -> list[Any]:
    """The values that the likeliest labelling names; each is as sure as its span."""
    asked = words.asked(reader.labels.asked(example), reader.labels.begins)
    sure = reader.chain.spans(emissions, asked, longest=len(words))
    found = spans_of(rendered, words, reader.chain.viterbi(emissions, asked), reader.labels)
    return [
        reader.named(example, span, sure[begin, end - begin - 1, reader.labels.numbers[span.facet] // 2])
        for span, begin, end in found
    ]


def counts(plan: Plan, fold: int) -> dict[str, float]:
    """What was right, answered and there, by each way of counting."""
    whole, likeliest = measured(plan, fold)
    parts = {**{name: getattr(whole, name) for name in COUNTS}, LIKELIEST: likeliest.strict}
    return {
        f"{name} {field}": float(getattr(c, field)) for name, c in parts.items() for field in ("right", "said", "due")
    }


def f1(found: Sequence[Measured], name: str) -> float:
    """Micro-F1 in points over folds."""
    right, said, due = (sum(f[f"{name} {field}"] for f in found) for field in ("right", "said", "due"))
    return 200 * right / (said + due) if said + due else 0.0


def asked(once: Any, plan: Plan, fold: int) -> Measured:
    changed = {n: v for n, v in plan.to_json().items() if v != getattr(Plan(), n)}
    slower = (1.3 if plan.span_layer == "crf" else 1.0) * (2 if plan.adversarial else 1) * plan.members
    return once(key_of(changed, f"fold {fold}"), slower * plan.epochs * SECONDS[plan.base], lambda: counts(plan, fold))


def row(once: Any, what: str, data: str, plan: Plan, base: str, beside: Plan | None, folds: Sequence[int]) -> Row:
    """One option over the folds, strict; the other counts in the note."""
    ours = [asked(once, plan, fold) for fold in folds]
    theirs = [f1([asked(once, beside, fold)], "strict") for fold in folds] if beside else []
    note = ", ".join(f"{name} {f1(ours, name):.1f}" for name in COUNTS[1:])
    return Row(
        what, f"{data}, folds {', '.join(map(str, folds))}", "value F1, strict", base, [f1([f], "strict") for f in ours],
        theirs, sum(f.seconds for f in ours), note,
    )  # fmt: skip


def options(once: Any, data: str, plain: Plan, folds: Sequence[int]) -> Iterator[Row]:
    """The plain head, and each option beside it."""
    crf, words, both = (replace(plain, **some) for some in (CRF, DICTIONARY, BOTH))
    yield row(once, "plain", data, plain, "", None, folds)
    yield row(once, "CRF", data, crf, "plain", plain, folds)
    yield row(once, "dictionary", data, words, "plain", plain, folds)
    yield row(once, "CRF and dictionary", data, both, "plain", plain, folds)
    yield row(once, "CRF and dictionary", data, both, "dictionary", words, folds)
    yield likeliest(once, data, both, folds)
    yield row(once, "values exchanged", data, replace(both, **SWAP), "CRF and dictionary", both, folds)
    yield row(once, "FGM 0.5", data, replace(both, **FGM), "CRF and dictionary", both, folds)
    yield row(once, "two side by side", data, replace(both, **TOGETHER), "CRF and dictionary", both, folds)
    yield row(once, "values exchanged, FGM 0.5", data, replace(both, **SWAP, **FGM), "plain", plain, folds)


def likeliest(once: Any, data: str, plan: Plan, folds: Sequence[int]) -> Row:
    """The same models, decoded by Viterbi."""
    found = [asked(once, plan, fold) for fold in folds]
    ways = [[f1([one], name) for one in found] for name in (LIKELIEST, "strict")]
    where = f"{data}, folds {', '.join(map(str, folds))}"
    return Row("likeliest labelling (Viterbi)", where, "value F1, strict", "CRF and dictionary", *ways)


def fine_rows(once: Any, folds: Sequence[int], fgm: bool = False) -> Iterator[Row]:
    """fgm: the best that was found, too, which takes ten minutes of a core a fold."""
    data, both = "OA-Mine, MiniLM", replace(FINE, **BOTH)
    if fgm:
        yield row(once, "CRF, dictionary, FGM 0.5", data, replace(both, **FGM), "", None, folds)
    yield row(once, "plain", data, FINE, "", None, folds)
    yield row(once, "CRF and dictionary", data, both, "plain", FINE, folds)


def rows(once: Any) -> Iterator[Row]:
    """Without any checkpoint on some folds, then the packaged encoder on one."""
    yield from options(once, "OA-Mine, no checkpoint", SCRATCH, range(3))
    yield from fine_rows(once, [2])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)), help=f"which of the {FOLDS}")
    parser.add_argument("--kept", type=Path, default=Path("var/bench-models/spans.runs.csv"))
    given = parser.parse_args()
    once, found = Once(given.kept), []
    for one in fine_rows(once, given.folds, fgm=True):
        found.append(one)
        print(text(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
