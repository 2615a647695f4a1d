"""Drift on real catalogues: false alarms on stationary replays, and batches that were spoilt on purpose.

    python benchmarks/drift.py ../shared/data [--seeds 40] [--sets magento_luma_en]

Products come in random order, whole families together: some first, then batches. Each batch is compared with what was
there, as ``annotations.bridge.drift`` does it: words, and through a yardstick that has learned from neither side
embeddings and tags, facet by facet; Holm over all of them. *False alarms*: looks at unspoilt batches with any alarm, and
whole replays with any (asked for: at most 5 %). Then batches with one change: every product gets two words that nobody
used (new words), half of them do, or products of another catalogue come instead (other goods), or the commonest tag's
products alone (one tag). *Told*: looks with an alarm (asked for: within one batch, so all of them). ``--through model``
is how it was before: the encoder and the head fitted on the first products, the loss that the yardstick mends.
Intervals are exact for shares (Clopper and Pearson 1934); looks of a replay share what was before, replays do not.
Seconds are of the processor, for a look.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from instant_vs_sklearn import load
from scipy.stats import beta

from ml.encoders.lexical import LexicalEncoder
from ml.evaluation.drift import ALPHA, alarms, shifts
from ml.evaluation.drift_words import risen
from ml.evaluation.yardstick import EMBEDDING, Yardstick
from ml.examples import Example
from ml.instant.model import InstantModel
from ml.schema import Schema
from ml.text import render

INVENTED = ("zorvex", "blimpton", "quandle", "frostique", "marnovel")
FAR = 0.1  # as annotations.bridge.drift
SIZES = {  # products before, of a batch, batches
    "magento_luma_en": (200, 40, 4), "oamine_en": (400, 60, 8), "yanxuan_zh": (100, 30, 3),
}  # fmt: skip
KINDS = ("words", "embedding", "tags")
Spoil = Callable[[Sequence[Example], Sequence[Example], np.random.Generator], list[Example]]


def in_random_order(products: Sequence[Example], rng: np.random.Generator) -> list[Example]:
    """Whole families together, so that a variant does not come back batches later."""
    families: dict[str, list[Example]] = {}
    for one in products:
        families.setdefault(one.family, []).append(one)
    names = list(families)
    return [e for i in rng.permutation(len(names)) for e in families[names[i]]]


def told(before: Sequence[Example], recent: Sequence[Example], through: Yardstick | InstantModel | None) -> set[str]:
    """Kinds that a look alarms of."""
    families = [e.family for e in before], [e.family for e in recent]
    words = risen([render(e).text for e in before], [render(e).text for e in recent], *families)
    found = [("words", words.rise, words.p)]
    if isinstance(through, Yardstick):
        seen = through.shifts(before, recent)
    else:
        seen = shifts(views(through, before, recent), *families) if through else {}
    found += [("embedding" if facet == EMBEDDING else "tags", one.distance, one.p) for facet, one in seen.items()]
    loud = alarms([p for _kind, _far, p in found])
    return {kind for (kind, far, _p), is_loud in zip(found, loud, strict=True) if is_loud and far >= FAR}


def views(
    model: InstantModel, before: Sequence[Example], recent: Sequence[Example]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Through an encoder and a head that were fitted on what was before."""
    old, new = (model.encoders[0].embed(side) for side in (before, recent))
    was, now = (model.scores(side) for side in (before, recent))
    return {EMBEDDING: (old, new), **{f: (was[:, c], now[:, c]) for f, c in model.schema.facet_columns.items()}}


def with_new_words(share: float) -> Spoil:
    def spoil(batch: Sequence[Example], later: Sequence[Example], rng: np.random.Generator) -> list[Example]:
        out = []
        for one in batch:
            words = " ".join(rng.choice(INVENTED, 2, replace=False)) if rng.random() < share else ""
            out.append(replace(one, texts={**one.texts, "title": f"{one.texts.get('title', '')} {words}"}))
        return out

    return spoil


def one_tag(batch: Sequence[Example], later: Sequence[Example], rng: np.random.Generator) -> list[Example]:
    """As many products as the batch has, of all that have not come, all with the commonest tag that not all have."""
    counts = Counter((f, t) for e in later for f, tags in e.labels.items() for t in tags)
    common = next((one for one, n in counts.most_common() if n <= 0.6 * len(later)), None)
    with_it = [e for e in later if common and common[1] in e.labels.get(common[0], ())]
    return with_it[: len(batch)]


@dataclass
class Tally:
    looks: int = 0
    replays: int = 0
    loud_replays: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)

    def row(self, name: str) -> str:
        told_of = share(self.kinds["any"], self.looks)
        replays = share(self.loud_replays, self.replays) if self.replays else ""
        kinds = " | ".join(f"{100 * self.kinds[kind] / max(1, self.looks):.1f}" for kind in KINDS)
        seconds = f"{self.seconds / max(1, self.looks):.2f}"
        return f"| {name} | {self.looks} | {told_of} | {kinds} | {replays} | {seconds} |"


def share(hits: int, of: int) -> str:
    low = beta.ppf(0.025, hits, of - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1.0
    return f"{100 * hits / of:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def replay(
    products: Sequence[Example],
    schema: Schema,
    spoils: dict[str, Spoil],
    tallies: dict[str, Tally],
    options: argparse.Namespace,
    seed: int,
) -> None:
    """One order of the products: each unspoilt batch in turn, and the second one spoilt in each way."""
    first, size, batches = SIZES[options.set]
    rng = np.random.default_rng(seed)
    order = in_random_order(products, rng)
    model = None
    if options.through == "model":
        model = InstantModel.fit(schema, order[:first], [LexicalEncoder.fit(order[:first])])
    loud = False
    for number in range(batches):
        begin = first + number * size
        before, batch, later = order[:begin], order[begin : begin + size], order[begin:]
        if len(batch) < size:
            break
        for name, spoil in spoils.items():
            if number != 1 and name != STATIONARY:
                continue
            spoilt, began = spoil(batch, later, rng), time.process_time()
            kinds = told(before, spoilt, model or Yardstick.fit(schema, before))
            tally = tallies[name]
            tally.seconds += time.process_time() - began
            tally.looks += 1
            tally.kinds.update([*kinds, *(["any"] if kinds else [])])
            loud |= bool(kinds) and name == STATIONARY
    tallies[STATIONARY].replays += 1
    tallies[STATIONARY].loud_replays += loud


STATIONARY = "none (stationary)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sets", default="magento_luma_en", help=f"some of {','.join(SIZES)}")
    parser.add_argument("--through", choices=("yardstick", "model"), default="yardstick")
    options = parser.parse_args()
    for name in options.sets.split(","):
        options.set = name
        products, schema = load(options.data / options.set)
        goods, _other = load(options.data / ("oamine_en" if options.set != "oamine_en" else "magento_luma_en"))
        spoils: dict[str, Spoil] = {
            STATIONARY: lambda batch, later, rng: list(batch),
            "two new words in each product": with_new_words(1.0),
            "two new words in half of them": with_new_words(0.5),
            "other goods": lambda batch, later, rng, goods=goods: [  # type: ignore[misc]
                goods[i] for i in rng.permutation(len(goods))[: len(batch)]
            ],
            "one tag": one_tag,
        }
        tallies = {name: Tally() for name in spoils}
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            replay(products, schema, spoils, tallies, options, seed)
        print(f"\n{options.set}, {len(products)} products, {options.seeds} seeds, alpha {ALPHA}, {options.through}\n")
        print("| batch | looks | told, % | by words | by embedding | by tags | replays with any, % | s |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for kind, tally in tallies.items():
            print(tally.row(kind), flush=True)


if __name__ == "__main__":
    main()
