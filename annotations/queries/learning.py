"""What learning has saved so far, and which decisions are worth a second look, as the page shows them.

Jobs measure (``tasks/proof.py``) and leave numbers in their results; here these become lines to draw and rows to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.db.models import F

from annotations.models import Catalogue, Decision, Facet, Job, Product, ProductTag, QueueItem, Tag
from annotations.queries.asking import LOOKED_AT, latest_proof
from annotations.queries.training_report import Measure

PACE_OF = 400  # newest decisions that a product's time is read from
AWAY = 600.0  # seconds on one product beyond which somebody was away
SHOWN = 100
MOST_SAVED = 3  # times what was decided: the measurement says no more than that


@dataclass(frozen=True, slots=True)
class Spot:
    decisions: int
    f1: Measure
    measured: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Two curves in a box of 440 by 220 units, made by the server: ``points`` as SVG wants them, the band of the random
    curve as a polygon, and where the last points lie."""

    actual: str
    random: str
    expected: str
    band: str
    actual_end: tuple[float, float]
    random_end: tuple[float, float]
    grid: list[tuple[float, str]]
    last: int


@dataclass(frozen=True, slots=True)
class Target:
    """``more``: products still to decide until F1 is at ``share``; None where the curve does not say."""

    share: float
    more: int | None


@dataclass(frozen=True, slots=True)
class Learning:
    """``saved`` in products, ``minutes`` as an interval of minutes where the pace is known; ``next``: points of F1 that
    ``ahead`` more products would bring, None in what was measured before that was asked; ``enough``: that is little."""

    measured_at: datetime
    slice: int
    decisions: int
    actual: list[Spot]
    random: list[Spot]
    chart: Chart | None
    gain: Measure
    saved: Measure
    minutes: Measure | None
    targets: list[Target]
    guarded: bool
    capped: bool  # more may be saved than is ever said
    ahead: int
    next: Measure | None
    enough: bool


def learning(catalogue: Catalogue) -> Learning | None:
    """None where nothing was measured yet, or too few products were decided blind."""
    job = latest_proof(catalogue)
    if job is None or job.finished_at is None or "actual" not in job.result:
        return None
    found, scale = job.result, float(job.result.get("scale", 1.0))
    actual, random = (_spots(found[name], scale) for name in ("actual", "random"))
    saved = _measure(found["saved"], scale)
    pace = seconds_a_product(catalogue)
    minutes = Measure(*(v * pace / 60 for v in (saved.value, saved.low, saved.high))) if pace else None
    targets = [
        Target(float(name), None if more is None else round(more)) for name, more in found["remaining"].items()
        if more is None or more > 0
    ]  # fmt: skip
    return Learning(
        job.finished_at, found["slice"], found["decisions"], actual, random, chart(actual, random),
        _measure(found["gain"]), saved, minutes, targets, bool(found["guard"]["random"]),
        saved.value >= MOST_SAVED * found["decisions"] - 1,
        int(found.get("ahead", 0)), _measure(found["next"]) if "next" in found else None, bool(found.get("enough")),
    )  # fmt: skip


def too_few(catalogue: Catalogue) -> int | None:
    """How many blind products the last measurement had where they were too few; None where it had enough or was not
    made."""
    job = latest_proof(catalogue)
    return int(job.result.get("slice", 0)) if job is not None and "actual" not in job.result else None


def _measure(row: Mapping[str, float], scale: float = 1.0) -> Measure:
    return Measure(*(scale * row[name] for name in ("value", "low", "high")))


def _spots(rows: Sequence[Mapping[str, Any]], scale: float) -> list[Spot]:
    return [Spot(round(r["decisions"] * scale), _measure(r["f1"]), bool(r["measured"])) for r in rows]


def chart(actual: Sequence[Spot], random: Sequence[Spot]) -> Chart | None:
    """None with fewer than two points a curve."""
    if len(actual) < 2 or len(random) < 2:
        return None
    last = max(actual[-1].decisions, random[-1].decisions, 1)
    heights = [s.f1.value for s in (*actual, *random)] + [s.f1.high for s in random] + [s.f1.low for s in random]
    top, bottom = min(max(heights) + 0.03, 1.0), max(min(heights) - 0.03, 0.0)

    def at(decisions: float, f1: float) -> tuple[float, float]:
        x = 44 + 380 * decisions / last
        return round(x, 1), round(190 - 172 * (min(max(f1, bottom), top) - bottom) / max(top - bottom, 1e-6), 1)

    def line(spots: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x},{y}" for x, y in spots)

    measured = [at(s.decisions, s.f1.value) for s in random if s.measured]
    drawn = [at(s.decisions, s.f1.value) for s in random if not s.measured]
    above = [at(s.decisions, s.f1.high) for s in random]
    below = [at(s.decisions, s.f1.low) for s in reversed(random)]
    ours = [at(s.decisions, s.f1.value) for s in actual]
    steps = [bottom + (top - bottom) * part / 3 for part in range(4)]
    grid = [(at(0, level)[1], f"{100 * level:.0f}") for level in steps]
    end = (drawn or measured)[-1]
    return Chart(line(ours), line(measured), line([*measured[-1:], *drawn]) if drawn else "", line([*above, *below]),
                 ours[-1], end, grid, last)  # fmt: skip


def seconds_a_product(catalogue: Catalogue) -> float | None:
    """Median time from showing a product to deciding on it, of late; None where nothing was timed."""
    rows = Decision.objects.filter(catalogue=catalogue, input__in=LOOKED_AT, shown_at__isnull=False)
    times: dict[int, float] = {}
    for product, taken in rows.order_by("-seq").values_list("product", F("decided_at") - F("shown_at"))[:PACE_OF]:
        times.setdefault(product, taken.total_seconds())
    sound = [t for t in times.values() if 0 < t < AWAY]
    return float(median(sound)) if len(sound) >= 5 else None


# -- decisions worth a second look -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Doubt:
    """A decision as it stands, with who decided it; ``flagged`` where somebody asked for a second look already."""

    product: Product
    facet: Facet
    tag: Tag
    approved: bool
    probability: float
    issue: bool
    reviewer: str
    flagged: bool


@dataclass(frozen=True, slots=True)
class SecondLook:
    measured_at: datetime
    decisions: int
    rows: list[Doubt]


def second_look(catalogue: Catalogue) -> SecondLook | None:
    """The last list, less what was decided otherwise since. None where none was made."""
    done = Job.objects.filter(catalogue=catalogue, kind="second_look", state=Job.State.DONE)
    job = done.order_by("-finished_at").first()
    if job is None or job.finished_at is None:
        return None
    found = job.result.get("doubted", [])
    keys = {row["product"] for row in found}
    items = {
        item.product_id: item
        for item in QueueItem.objects.filter(catalogue=catalogue, product__in=keys).select_related("product")
    }
    tags = {
        (tag.facet.slug, tag.slug): tag
        for tag in Tag.objects.live().filter(facet__catalogue=catalogue).select_related("facet")
    }
    standing = {
        (fact.product_id, fact.tag_id): fact
        for fact in ProductTag.objects.filter(product__in=keys).select_related("decision__reviewer")
    }
    rows = []
    for row in found:
        item, tag = items.get(row["product"]), tags.get((row["facet"], row["tag"]))
        fact = standing.get((row["product"], tag.pk)) if tag else None
        approved = fact is not None and fact.state == ProductTag.State.APPROVED
        if item is None or tag is None or approved != row["approved"]:
            continue
        reviewer = fact.decision.reviewer.get_username() if fact else ""
        rows.append(
            Doubt(
                item.product, tag.facet, tag, approved, row["probability"], row["issue"], reviewer, bool(item.flagged)
            )
        )
    return SecondLook(job.finished_at, int(job.result.get("decisions", 0)), rows[:SHOWN])
