"""A taxonomy that grows: twenty new tags and products decided with them, with and without reading the old products again.

A model learns the old facets from half of the products. Then facets of twenty tags are added, the other half of the products
is decided on all facets, and training goes on from that model: with all of the old products, with a third, with none. What
counts is micro-F1 on the old facets beside what it was, on products of neither half; and on the new ones.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.models._kept import key_of
from benchmarks.models._runs import (
    MEASURE,
    OWN,
    Problem,
    chosen,
    follow_on,
    new_encoder,
    plan_of,
    points,
    problem,
)  # fmt: skip
from benchmarks.models.table import Row
from ml.evaluation.regressions import regressions
from ml.examples import Example, draw_of, in_fold, targets
from ml.schema import Schema

NEW = 20  # tags
SHARES = (1.0, 0.3, 0.0)
SETTING = replace(OWN, decided=10**6)  # of its 124 tags 20 are few; Yanxuan has 23 in all
SECONDS = 85.0


def parted(schema: Schema, seed: int) -> tuple[Schema, Schema]:
    """``(old, whole)``: facets in a random order; the last ones, of NEW tags or somewhat more, are new. The columns of
    ``old`` are the first of ``whole``."""
    facets = sorted(schema.facets, key=lambda f: draw_of(f.slug, f"new {seed}"))
    first = len(facets)
    while sum(len(f.tags) for f in facets[first:]) < NEW:
        first -= 1
    return Schema(tuple(facets[:first])), Schema(tuple(facets))


def only(example: Example, schema: Schema) -> Example:
    """What was said of it before the schema grew."""
    facets = set(schema.facet_columns)
    labels = {f: tags for f, tags in example.labels.items() if f in facets}
    return replace(example, labels=labels, complete=example.complete & facets)


def grown(seed: int) -> dict[str, float]:
    """``before``: F1 on the old facets; ``old R``, ``new R`` and ``lost R`` (tags that the gate would name) for each share."""
    from ml.training.inputs import split_exactly
    from ml.training.stages import Read

    given = problem(SETTING.data, SETTING.decided, seed)
    old, whole = parted(given.schema, seed)
    first, later = split_exactly(given.decided, 0.5, f"later {seed}")
    plan = plan_of(SETTING, seed)
    train, validation = split_exactly([only(e, old) for e in first], plan.validation_share, f"validation {seed}")
    more, watched = split_exactly(later, plan.validation_share, f"validation {seed}")
    base, _ = follow_on(plan, old, new_encoder(SETTING, plan), Read(train, validation))
    was = Problem(old, train, [], given.test)
    former, columns = chosen(base, was), len(old.columns)
    found = {"before": points(was, former)}
    for share in SHARES:
        again = [e for e in train if in_fold(e.family, share, f"replay {seed}")] if share < 1 else train
        encoder = copy.deepcopy(base.model.encoder)
        task, _ = follow_on(plan, whole, encoder, Read([*again, *more], [*validation, *watched]))
        tagged = chosen(task, Problem(whole, again, [], given.test))
        found[f"old {share}"] = points(was, tagged[:, :columns])
        fresh = Schema(whole.facets[len(old.facets) :])
        found[f"new {share}"] = points(Problem(fresh, again, [], given.test), tagged[:, columns:])
        found[f"lost {share}"] = float(_lost(old, given.test, former, tagged[:, :columns]))
    return found


def _lost(schema: Schema, test: Sequence[Example], former: np.ndarray, tagged: np.ndarray) -> int:
    y, known = targets(schema, test)
    names = sorted({e.family for e in test})
    family = np.array([names.index(e.family) for e in test])
    return len(regressions(schema, y > 0.5, known, former, tagged, family))


def rows(once: Any, seeds: int = 5) -> Iterator[Row]:
    found = [
        once(key_of("grown", SETTING.what, SETTING.plan, NEW, f"seed {seed}"), SECONDS, lambda seed=seed: grown(seed))
        for seed in range(1, seeds + 1)
    ]
    data, seconds = f"{SETTING.data}, {NEW} tags added", sum(f.seconds for f in found)
    before = [f["before"] for f in found]
    yield Row("before they were added", f"{data}: old facets", MEASURE, "", before, [], seconds)
    for share in SHARES:
        lost = sum(f[f"lost {share}"] for f in found)
        values, note = [f[f"old {share}"] for f in found], f"tags that the gate names: {lost:.0f} in all seeds"
        yield Row(
            f"{100 * share:.0f} % read again", f"{data}: old facets", MEASURE, "before", values, before, 0.0, note
        )
    for part in ("old", "new"):
        where, whole = f"{data}: {part} facets", [f[f"{part} {SHARES[0]}"] for f in found]
        if part == "new":
            yield Row("100 % read again", where, MEASURE, "", whole)
        for share in SHARES[1:]:
            values = [f[f"{part} {share}"] for f in found]
            yield Row(f"{100 * share:.0f} % read again", where, MEASURE, "100 % read again", values, whole)
