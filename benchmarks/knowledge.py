"""Is it worth it? Relations learned from the decisions as constraints, and co-occurrence as a feature, on against off.

The instant tier with its lexical encoder, as in the product; relations are learned from the training products alone and
used as if somebody had accepted all of them. The same split by family for every variant; the difference in micro-F1 is
paired, its interval over seeds (Student's t). ``broken``: learned relations that the decisions without constraints go
against, on the test products.

    python -m benchmarks.knowledge ../shared/data --seeds 10
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.instant_vs_sklearn import interval, load
from ml.encoders.lexical import LexicalEncoder
from ml.evaluation.metrics import micro
from ml.examples import Example, split_by_family, targets
from ml.instant.model import InstantModel, applicable
from ml.knowledge import Kind, Relations, Together, as_relations, learn
from ml.schema import Schema

SETS = ("magento_luma_en", "oamine_en")
VARIANTS: dict[str, tuple[Kind, ...]] = {
    "category": ("category",), "excludes": ("excludes",), "implies": ("implies",),
    "all three": ("category", "excludes", "implies"),
}  # fmt: skip
WEIGHTS = (0.1, 0.25, 0.5)


def trial(
    schema: Schema, rest: Sequence[Example], test: Sequence[Example], encoder: LexicalEncoder
) -> dict[str, float]:
    y, known = targets(schema, rest)
    known &= applicable(schema, rest)
    truth, asked = targets(schema, test)
    asked &= applicable(schema, test)
    model = InstantModel.fit(schema, rest, [encoder])
    bare = [Example(e.id, e.texts, e.category, e.language, e.group) for e in test]
    p = model.scores(bare)
    categories = [e.category for e in test]
    learned = learn(schema, y, known, [e.category for e in rest])
    plain = p >= model.thresholds

    def f1(chosen: np.ndarray) -> float:
        return 100 * micro(truth, chosen.astype(float), asked)["f1"]

    row = {"off": f1(plain), "relations": sum(r.kind != "together" for r in learned)}
    row["broken"] = as_relations(schema, learned, VARIANTS["all three"]).breaks(plain & asked, categories)
    for name, kinds in VARIANTS.items():
        relations: Relations = as_relations(schema, learned, kinds)
        q = relations.constrain(p, categories)
        row[name] = f1(relations.settle(q >= model.thresholds, q)) - row["off"]
    together = Together(schema, y, known)
    for weight in WEIGHTS:
        row[f"together {weight}"] = f1(together.adjust(p, weight) >= model.thresholds) - row["off"]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", default=",".join(SETS))
    options = parser.parse_args()
    for name in options.sets.split(","):
        examples, schema = load(options.data / name)
        rows = []
        with threadpool_limits(1):
            encoder = LexicalEncoder.fit(examples)
            for seed in range(options.seeds):
                rest, test = split_by_family(examples, 0.3, salt=f"knowledge {seed}")
                rows.append(trial(schema, rest, test, encoder))
        print(f"{name}: {len(examples)} products, {len(schema.columns)} tags, {options.seeds} seeds", flush=True)
        for column in rows[0]:
            values = [row[column] for row in rows]
            print(
                f"  {column:15}{np.mean(values):+9.2f} ± {interval(values):.2f}   least {min(values):+.2f}", flush=True
            )


if __name__ == "__main__":
    main()
