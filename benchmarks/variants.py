"""Are confident tags right where siblings are decided? Replay: some families of a catalogue are decided, one product each
(or two); what the instant tier then claims of their variants, beside what it claims of families that nobody has seen.

    python benchmarks/variants.py ../shared/data --seeds 10

Lexical encoder alone. Of the families drawn one product each is decided whole (``--members 2``: two each, where there are
three). ``copied``: what holds for the whole article was copied to its variants, as the review screen does, so that only
facets that tell variants apart are open; ``alone``: nothing is known of the variants. *Checked*: tags that come checked on
the card; *wrong*: the share of them that is not right; *F1*: micro, over the open facets; *error*: calibration, 15 bins of
what is suggested at all. *siblings*: variants of decided articles; *others*: products of families that nobody has seen.

``magento_luma_en`` (variants share every word) and the project's own sample in English and Chinese (titles name the
colour, mostly). ``--before`` scores as if nobody knew who is whose sibling.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from annotations import sample
from benchmarks.instant_vs_sklearn import interval, load
from ml.encoders.lexical import LexicalEncoder
from ml.evaluation.metrics import expected_calibration_error
from ml.examples import Example, targets
from ml.instant.model import InstantModel, applicable
from ml.schema import Schema

SETS = ("magento_luma_en", "sample_en", "sample_zh")
LEAST = 0.05
COLUMNS = ("checked", "wrong", "F1", "error")


def catalogue(data: Path, name: str) -> tuple[list[Example], Schema]:
    """Decided products, and their schema with the variant axes that the import would find."""
    if not name.startswith("sample_"):
        examples, schema = load(data / name)
        axes = differing(examples)
        facets = tuple(dataclasses.replace(f, variant_axis=f.slug in axes) for f in schema.facets)
        return examples, Schema(facets)
    return of_sample(name.removeprefix("sample_"))


def of_sample(language: str) -> tuple[list[Example], Schema]:
    taxonomy = sample.taxonomy()
    schema = Schema.from_json({"facets": [{**f, "single": f["kind"] == "single"} for f in taxonomy["facets"]]})
    truth = sample.truth()
    examples = []
    for row in sample.products():
        if row["language"].startswith(language):
            found = {facet: frozenset(tags) for facet, tags in truth[row["id"]].items()}
            texts = {field: row[field] for field in ("title", "description") if row.get(field)}
            whole, family = frozenset(schema.facet_columns), row.get("family") or row["id"]
            examples.append(
                Example(
                    row["id"], texts, row.get("category") or "", row["language"], family, labels=found, complete=whole
                )
            )
    return examples, schema


def differing(examples: Sequence[Example]) -> set[str]:
    """Facets on which the products of at least half of the families differ, as ``tags_from_attributes`` has it."""
    families: dict[str, list[Example]] = {}
    for example in examples:
        families.setdefault(example.family, []).append(example)
    several = [members for members in families.values() if len(members) > 1]
    return {
        facet
        for facet in {f for e in examples for f in e.labels}
        if np.mean([len({m.labels.get(facet) for m in members}) > 1 for members in several]) >= 0.5
    }


def deal(
    examples: Sequence[Example], schema: Schema, seed: int, share: float, members: int, copied: bool
) -> tuple[list[Example], list[Example], list[Example]]:
    """``decided, siblings, others``: siblings and others as the oracle knows them."""
    rng = np.random.default_rng(seed)
    families: dict[str, list[Example]] = {}
    for at in rng.permutation(len(examples)):
        families.setdefault(examples[at].family, []).append(examples[at])
    names = sorted(families)
    chosen = {names[i] for i in rng.permutation(len(names))[: round(share * len(names))]}
    axes = {f.slug for f in schema.facets if f.variant_axis}
    decided, siblings, others = [], [], []
    for name, found in families.items():
        if name not in chosen:
            others += found
            continue
        first = members if len(found) > members else 1
        decided += found[:first]
        siblings += found[first:]
        if copied:
            decided += [part(e, e.complete - axes) for e in found[first:]]
    return decided, siblings, others


def part(example: Example, facets: frozenset[str]) -> Example:
    """The product with only these facets decided."""
    return dataclasses.replace(
        example, labels={f: tags for f, tags in example.labels.items() if f in facets}, complete=facets
    )


def measured(
    scores: np.ndarray, thresholds: np.ndarray, y: np.ndarray, asked: np.ndarray
) -> tuple[float, float, float, float]:
    checked = (scores >= thresholds) & asked
    right = float((checked * y).sum())
    f1 = 2 * right / max(float(checked.sum() + (y * asked).sum()), 1.0)
    error = expected_calibration_error(y, scores, asked, least=LEAST) if (scores[asked] >= LEAST).any() else 0.0
    return float(checked.sum()), 1 - right / max(float(checked.sum()), 1.0), f1, error


def trial(
    examples: Sequence[Example], schema: Schema, lexical: LexicalEncoder, seed: int, options: argparse.Namespace
) -> dict[tuple[str, str], tuple[float, float, float, float]]:
    """COLUMNS for siblings and others, over each axis, the other facets, and all."""
    decided, siblings, others = deal(examples, schema, seed, options.share, options.members, options.copied)
    model = InstantModel.fit(schema, decided, [lexical])
    axes = [f.slug for f in schema.facets if f.variant_axis]
    axis = np.array([schema.facet(facet).variant_axis for facet, _tag in schema.columns])
    out = {}
    for who, group in (("siblings", siblings), ("others", others)):
        y, known = targets(schema, group)
        known &= applicable(schema, group)
        if who == "siblings" and options.copied:
            known &= axis
        fresh = [Example(e.id, e.texts, e.category, e.language, e.id if options.before else e.group) for e in group]
        scores = model.scores(fresh)
        for what in (*axes, "not axes", "all"):
            here = {"not axes": ~axis, "all": np.ones(len(axis), dtype=bool)}.get(what)
            if here is None:
                here = np.array([facet == what for facet, _tag in schema.columns])
            if (known & here).any():
                out[who, what] = measured(scores, model.thresholds, y, known & here)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--share", type=float, default=0.4, help="of the families that are decided")
    parser.add_argument("--members", type=int, default=1, help="products decided in each")
    parser.add_argument("--copied", action="store_true")
    parser.add_argument("--before", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{options.members} of each family decided, {'copied' if options.copied else 'alone'}"
          f"{', siblings not known' if options.before else ''}")  # fmt: skip
    print(f"{'set':17}{'who':10}{'facets':14}" + "".join(f"{n:>16}" for n in COLUMNS))
    for name in options.sets.split(","):
        examples, schema = catalogue(options.data, name)
        lexical = LexicalEncoder.fit(examples)
        rows = [trial(examples, schema, lexical, seed, options) for seed in range(options.seeds)]
        for key in rows[0]:
            values = np.array([row[key] for row in rows if key in row])
            cells = [f"{m:.3f} ± {interval(list(v)):.3f}" if n else f"{m:.0f}"
                     for n, (m, v) in enumerate(zip(values.mean(axis=0), values.T, strict=True))]  # fmt: skip
            print(f"{name:17}{key[0]:10}{key[1]:14}" + "".join(f"{c:>16}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
