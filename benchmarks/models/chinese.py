"""Chinese: an encoder pre-trained on the catalogue's own texts, beside one that is not, and beside the lexical tier.

Two catalogues: Yanxuan (192 products) and the Chinese half of the project's own sample (224 products, written for it). All
texts are read while pre-training, those of test products too, as in the product; their tags are read by nobody. What serves
after a promotion is neither alone: the instant head on the lexical and the trained encoder side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.models._runs import (
    CHINESE,
    MEASURE,
    OWN,
    Setting,
    by_seed,
    catalogue,
    chosen,
    follow,
    instant_tier,
    new_encoder,
    plan_of,
    points,
    problem,
    validation_of,
)  # fmt: skip
from benchmarks.models.table import Row

STEPS = (150, 600)
TIER, NONE = "instant tier, lexical", "not pre-trained"


def instant(setting: Setting, seed: int) -> float:
    return instant_tier(problem(setting.data, setting.decided, seed), catalogue(setting.data)[0])


def trained(setting: Setting, seed: int, **changes: Any) -> dict[str, float]:
    """``f1``: the fine-tuned model alone; ``both``: the instant head on its encoder and the lexical one."""
    given, plan = problem(setting.data, setting.decided, seed), plan_of(setting, seed, **changes)
    task, _ = follow(plan, given, new_encoder(setting, plan))
    unseen, texts = validation_of(plan, given), catalogue(setting.data)[0]
    both = instant_tier(given, texts, task.model.encoder, unseen=unseen)
    return {"f1": points(given, chosen(task, given)), "both": both}


def setting_rows(once: Any, setting: Setting, seeds: Sequence[int]) -> Iterator[Row]:
    def row(what: str, values: list[float], base: str = "", beside: Sequence[float] = (), seconds: float = 0.0) -> Row:
        return Row(what, setting.what, MEASURE, base, values, list(beside), seconds)

    tier = by_seed(once, replace(setting, seconds=2.0), seeds, {}, instant)
    none = by_seed(once, setting, seeds, {"pretrain_steps": 1}, trained)
    yield row(TIER, tier.values, seconds=tier.seconds)
    yield row(NONE, none.values, TIER, tier.values, none.seconds)
    yield row(f"{NONE}, beside lexical", none.named("both"), TIER, tier.values)
    for steps in STEPS:
        side, what = by_seed(once, setting, seeds, {"pretrain_steps": steps}, trained), f"pre-trained, {steps} steps"
        yield row(what, side.values, NONE, none.values, side.seconds)
        yield row(what, side.values, TIER, tier.values)
        yield row(f"{what}, beside lexical", side.named("both"), f"{NONE}, beside lexical", none.named("both"))
        yield row(f"{what}, beside lexical", side.named("both"), TIER, tier.values)


def rows(once: Any, seeds: int = 5) -> Iterator[Row]:
    for setting in (CHINESE, OWN):
        yield from setting_rows(once, setting, range(1, seeds + 1))
