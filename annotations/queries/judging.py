"""Human judgement of two models: what to show next, in which order, and what the judgements add up to."""

from __future__ import annotations

import hmac
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from annotations.models import Judgement, Product, Tag, TrainingRun, User

Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """``good`` of ``every``, with Wilson's 95 % interval."""

    good: int
    every: int
    value: float
    low: float
    high: float


def share(good: int, every: int) -> Share | None:
    """Wilson (1927). None of nothing."""
    if not every:
        return None
    p, z2 = good / every, Z * Z
    middle = (p + z2 / (2 * every)) / (1 + z2 / every)
    half = Z * math.sqrt(p * (1 - p) / every + z2 / (4 * every * every)) / (1 + z2 / every)
    return Share(good, every, p, max(0.0, middle - half), min(1.0, middle + half))


@dataclass(frozen=True, slots=True)
class Pair:
    """A product with two outputs, unnamed. Each output: [(facet label, [tag labels])], facets alike in both."""

    product: Product
    first: list[tuple[str, list[str]]]
    second: list[tuple[str, list[str]]]
    candidate_first: bool
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Tally:
    """``candidate_better`` is of those who found one better at all (the sign test's share)."""

    judgements: int
    people: int
    candidate_better: Share | None
    same: Share | None
    reasonable: dict[str, Share | None]
    complete: dict[str, Share | None]

    @property
    def verdict(self) -> str:
        """``candidate`` or ``current`` where the interval leaves a half out."""
        found = self.candidate_better
        if found is None:
            return ""
        return "candidate" if found.low > 0.5 else "current" if found.high < 0.5 else ""


def outputs_of(run: TrainingRun) -> list[dict[str, Any]]:
    """What is there to judge: products on which the two models differ, a random sample of them."""
    return list(((run.report or {}).get("comparison") or {}).get("outputs") or [])


def candidate_first(run: TrainingRun, product: Product, user: User) -> bool:
    """Random for whoever looks, and the same each time the pair is shown: a keyed hash, not a field of the form."""
    said = f"{run.pk} {product.pk} {user.pk}".encode()
    return bool(hmac.digest(settings.SECRET_KEY.encode(), b"judge " + said, "sha256")[0] & 1)


def next_pair(run: TrainingRun, user: User) -> Pair | None:
    """The pair that fewest people have judged and this one has not; None when none is left."""
    outputs = outputs_of(run)
    products = {
        p.external_id: p
        for p in Product.objects.filter(catalogue=run.catalogue, external_id__in=[o["product"] for o in outputs])
    }
    rows = list(Judgement.objects.filter(run=run).values_list("product", "user"))
    mine, times = {p for p, u in rows if u == user.pk}, Counter(p for p, _u in rows)
    left = [o for o in outputs if o["product"] in products and products[o["product"]].pk not in mine]
    if not left:
        return None
    chosen = min(left, key=lambda o: times[products[o["product"]].pk])
    return pair(run, products[chosen["product"]], chosen, user, done=len(mine), total=len(left) + len(mine))


def pair(run: TrainingRun, product: Product, output: dict[str, Any], user: User, *, done: int, total: int) -> Pair:
    labels, order = _labels(run)

    def told(tags: list[list[str]]) -> list[tuple[str, list[str]]]:
        said: dict[str, list[str]] = {facet: [] for facet in facets}
        for facet, tag in tags:
            said[facet].append(labels.get((facet, tag), tag))
        return [(order.get(facet, facet), names) for facet, names in said.items()]

    facets = list(dict.fromkeys(facet for facet, _tag in [*output["current"], *output["candidate"]]))
    sides = told(output["current"]), told(output["candidate"])
    swapped = candidate_first(run, product, user)
    first, second = sides[::-1] if swapped else sides
    return Pair(product, first, second, swapped, done, total)


def _labels(run: TrainingRun) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    tags = Tag.objects.filter(facet__catalogue=run.catalogue).select_related("facet")
    found = {(tag.facet.slug, tag.slug): tag.label for tag in tags}
    return found, {facet.slug: facet.label for facet in run.catalogue.facets.all()}  # type: ignore[attr-defined]


def tally(run: TrainingRun) -> Tally | None:
    """None while nobody has judged."""
    rows = list(Judgement.objects.filter(run=run))
    if not rows:
        return None
    n, better = len(rows), Counter(row.better for row in rows)
    told = better[Judgement.Better.CANDIDATE] + better[Judgement.Better.CURRENT]

    def of(quality: str) -> dict[str, Share | None]:
        return {who: share(sum(getattr(r, f"{who}_{quality}") for r in rows), n) for who in ("current", "candidate")}

    return Tally(
        n, len({row.user_id for row in rows}), share(better[Judgement.Better.CANDIDATE], told),
        share(better[Judgement.Better.SAME], n), of("reasonable"), of("complete"),
    )  # fmt: skip
