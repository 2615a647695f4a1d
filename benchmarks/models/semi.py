"""Few decided products: contrastive steps before the head, self-training and GAN-BERT's idea on undecided ones.

Beside the plain plan, and on a new category: the catalogue's tags are asked of products of which each tag has eight examples
at most, against what a reviewer would have without training: the instant tier's head.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from benchmarks.models._runs import (
    CHINESE,
    ENGLISH,
    MEASURE,
    Problem,
    Setting,
    ablations,
    bare,
    by_seed,
    catalogue,
    chosen,
    follow,
    helpers_of,
    instant_tier,
    new_encoder,
    packaged_encoder,
    pairs,
    plan_of,
    points,
    problem,
    validation_of,
)  # fmt: skip
from benchmarks.models.table import Row
from ml.examples import Example

SHOTS = 8
OPTIONS: dict[str, dict[str, Any]] = {
    "self-training, 1 round": {"pseudo_rounds": 1},
    "GAN 0.1": {"generator_weight": 0.1},
    "supervised contrastive first": {"contrastive_steps": 60},
    "pairs first (SetFit)": {"contrastive_steps": 60, "contrastive": "pairs"},
}
UNDECIDED = ("self-training, 1 round", "GAN 0.1")  # what reads products that nobody has decided on
ALONE = "head alone, instant tier"
FROZEN: dict[str, Any] = {"freeze": "encoder", "epochs": 30}
FEW: dict[str, dict[str, Any]] = {
    "fine-tuned": {},
    "pairs first (SetFit)": {"contrastive_steps": 60, "contrastive": "pairs"},
    "supervised contrastive first": {"contrastive_steps": 60},
}


def few(setting: Setting, seed: int) -> Problem:
    """Of each tag no more than SHOTS decided products (a product has many tags)."""
    whole = problem(setting.data, 10**6, seed)
    taken, count = [], Counter[tuple[str, str]]()
    known = {(f.slug, t.slug) for f in whole.schema.facets for t in f.tags}
    for example in whole.decided:
        if any(count[pair] < SHOTS for pair in pairs(example) if pair in known):
            taken.append(_capped(example, count))
            count.update(pairs(taken[-1]))
    ids = {t.id for t in taken}
    return Problem(whole.schema, taken, [bare(e) for e in whole.decided if e.id not in ids], whole.test)


def _capped(example: Example, count: Counter[tuple[str, str]]) -> Example:
    """Its tags that have their examples already are unknown, not wrong."""
    full = {facet for facet, tag in pairs(example) if count[facet, tag] >= SHOTS}
    labels = {f: frozenset(t for t in tags if count[f, t] < SHOTS) for f, tags in example.labels.items()}
    return replace(example, labels=labels, complete=example.complete - full)


def few_trained(setting: Setting, seed: int, **changes: Any) -> dict[str, float]:
    """``f1``: the model alone, in points; ``both``: the instant tier's head on the lexical and the trained encoder, which
    is what serves after a promotion."""
    given, plan = few(setting, seed), plan_of(setting, seed, **changes)
    task, _ = follow(plan, given, new_encoder(setting, plan), helpers=helpers_of(setting, plan))
    texts, unseen = catalogue(setting.data)[0], validation_of(plan, given)
    both = instant_tier(given, texts, task.model.encoder, unseen=unseen)
    return {"f1": points(given, chosen(task, given)), "both": both}


def few_shot(setting: Setting, seed: int, **changes: Any) -> float:
    """The model alone."""
    given, plan = few(setting, seed), plan_of(setting, seed, **changes)
    task, _ = follow(plan, given, new_encoder(setting, plan), helpers=helpers_of(setting, plan))
    return points(given, chosen(task, given))


def instant(setting: Setting, seed: int) -> float:
    """What the instant tier makes of as much; on English with the packaged encoder beside the lexical one."""
    plan = plan_of(setting, seed, max_length=128)
    more = [] if plan.base == "catalogue" else [packaged_encoder(plan)]
    return instant_tier(few(setting, seed), catalogue(setting.data)[0], *more)


def few_rows(once: Any, setting: Setting, seeds: range, among: Collection[str] = tuple(FEW)) -> Iterator[Row]:
    data = f"{setting.data}, {SHOTS} a tag"
    tier = by_seed(once, replace(setting, seconds=2.0), seeds, {}, instant)
    frozen = by_seed(once, setting, seeds, FROZEN, few_shot)
    yield Row(ALONE, data, MEASURE, "", tier.values, [], tier.seconds)
    yield Row("head alone, encoder frozen", data, MEASURE, ALONE, frozen.values, tier.values, frozen.seconds)
    tuned = None
    for what in among:
        side = by_seed(once, setting, seeds, FEW[what], few_trained)
        yield Row(what, data, MEASURE, ALONE, side.values, tier.values, side.seconds)
        yield Row(f"{what}, beside lexical", data, MEASURE, ALONE, side.named("both"), tier.values)
        yield Row(what, data, MEASURE, "head alone, encoder frozen", side.values, frozen.values)
        if tuned is not None:
            yield Row(what, data, MEASURE, "fine-tuned", side.values, tuned.values)
        tuned = tuned or side


def rows(once: Any, seeds: int = 5) -> Iterator[Row]:
    numbers = range(1, seeds + 1)
    yield from few_rows(once, CHINESE, numbers)
    yield from ablations(once, OPTIONS, numbers, [CHINESE])
    yield from few_rows(once, ENGLISH, numbers, [what for what in FEW if "supervised" not in what])
    yield from ablations(once, {what: OPTIONS[what] for what in UNDECIDED}, numbers, [ENGLISH])
