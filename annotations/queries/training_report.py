"""What a training run has to show: its curve as points to draw, and its report as rows to read.

The run stores JSON as the child process said it; here it becomes typed, and whatever is missing is simply not shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from annotations.models import Catalogue, Decision, ProductTag, TrainingRun
from annotations.queries.flips import Flip, names_of, told

FLIPS_SHOWN = 100
TAGS_SHOWN = 500
LABEL_APART = 16.0  # units of the drawing between the words at the ends of two lines


@dataclass(frozen=True, slots=True)
class Material:
    """What a run started now would learn from."""

    decisions: int
    products: int
    tags: int


def what_there_is(catalogue: Catalogue) -> Material:
    approved = ProductTag.objects.filter(product__catalogue=catalogue, state=ProductTag.State.APPROVED)
    return Material(
        decisions=Decision.objects.filter(catalogue=catalogue).exclude(verdict="undo").count(),
        products=approved.order_by().values("product").distinct().count(),
        tags=approved.order_by().values("tag").distinct().count(),
    )


# -- the curve ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """``loss`` and ``val`` (0 to 1, higher is better) as they were after ``step`` steps of ``stage``, in ``epoch``."""

    stage: str
    step: int
    epoch: int
    loss: float | None
    val: float | None


def curve_points(rows: Iterable[dict[str, Any]]) -> list[CurvePoint]:
    found = []
    for place, row in enumerate(rows, start=1):
        val = row.get("val")
        if isinstance(val, dict):
            val = val.get("primary", val.get("micro_f1"))
        step, epoch = int(row.get("step", place)), int(row.get("epoch", 0))
        found.append(CurvePoint(str(row.get("stage", "")), step, epoch, _number(row.get("loss")), _number(val)))
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the drawing: its points as SVG wants them, where it ends, and the value there and at its start."""

    points: str
    x: float
    y: float
    first: float
    last: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A curve laid out in a box of ``WIDTH`` by ``HEIGHT`` units; the plot lies within the margins."""

    loss: Line | None
    val: Line | None
    steps: int
    stage: str

    WIDTH = 560
    HEIGHT = 180
    LEFT, RIGHT, TOP, BOTTOM = 16, 430, 14, 150


def drawing(points: Sequence[CurvePoint]) -> Drawing | None:
    """The stage that came last, since stages have losses of their own. None with fewer than two points: no line yet.

    Loss falls from the top, the validation score has 0 to 1.
    """
    points = [point for point in points if point.stage == points[-1].stage]
    if len(points) < 2:
        return None
    steps = max(point.step for point in points) or 1
    losses = [(p.step, p.loss) for p in points if p.loss is not None]
    vals = [(p.step, p.val) for p in points if p.val is not None]
    loss = _line(losses, steps, top=max((v for _s, v in losses), default=1.0))
    val = _line(vals, steps, top=1.0)
    if loss and val and abs(loss.label_y - val.label_y) < LABEL_APART:
        # the words at the lines' ends step aside from each other
        middle = (loss.label_y + val.label_y) / 2
        up, down = round(middle - LABEL_APART / 2, 1), round(middle + LABEL_APART / 2, 1)
        val, loss = (
            replace(val, label_y=up if val.y <= loss.y else down),
            replace(loss, label_y=down if val.y <= loss.y else up),
        )
    return Drawing(loss, val, steps, points[-1].stage)


def _line(values: Sequence[tuple[int, float]], steps: int, top: float) -> Line | None:
    if not values:
        return None
    box = Drawing
    spots = [
        (
            round(box.LEFT + (box.RIGHT - box.LEFT) * step / steps, 1),
            round(box.BOTTOM - (box.BOTTOM - box.TOP) * min(1.0, max(0.0, value / (top or 1.0))), 1),
        )
        for step, value in values
    ]
    x, y = spots[-1]
    points = " ".join(f"{x},{y}" for x, y in spots)
    return Line(points, x, y, first=values[0][1], last=values[-1][1], label_y=round(y + 4, 1))


# -- the report --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measure:
    """A share with the interval that holds it with 95 % confidence."""

    value: float
    low: float
    high: float

    @property
    def percent(self) -> float:
        return 100 * self.value


@dataclass(frozen=True, slots=True)
class FacetResult:
    """One facet (or all together): the candidate, what serves now where it was measured too, and the difference.

    A measure is None where no product measured on has a tag of the facet: there was nothing to find.
    """

    label: str
    slug: str
    decided: int
    precision: Measure | None
    recall: Measure | None
    f1: Measure | None
    current: Measure | None
    gain: Measure | None
    right: int
    wrong: int

    @property
    def tone(self) -> str:
        """``up`` or ``down`` where the interval of the difference leaves zero out."""
        if self.gain is None:
            return ""
        return "up" if self.gain.low > 0 else "down" if self.gain.high < 0 else ""


@dataclass(frozen=True, slots=True)
class Trait:
    """Something of which less is better, of the candidate and of what is in use. ``change`` where it has an interval."""

    name: str
    unit: str
    current: float | None
    candidate: float | None
    change: Measure | None = None

    @property
    def tone(self) -> str:
        if self.change is None:
            return ""
        return "up" if self.change.high < 0 else "down" if self.change.low > 0 else ""


@dataclass(frozen=True, slots=True)
class Report:
    products: int
    families: int
    facets: tuple[FacetResult, ...]
    overall: FacetResult | None
    macro: FacetResult | None
    blind: FacetResult | None
    blind_products: int
    tags: tuple[FacetResult, ...]
    traits: tuple[Trait, ...]
    generation: dict[str, float]
    to_judge: int
    flips: tuple[Flip, ...]
    flip_count: int
    lost: int
    measured_on: str

    @property
    def compared(self) -> bool:
        return self.overall is not None and self.overall.current is not None

    @property
    def worse(self) -> list[str]:
        """Facets that may be worse."""
        return [row.label for row in self.facets if row.gain is not None and row.gain.value < 0]


def report_of(run: TrainingRun) -> Report | None:
    """The run's report with labels and products put in. None when it has none yet. At most five queries."""
    said = run.report or {}
    compared = said.get("comparison") or (said if "overall" in said else {})
    rows = compared.get("facets") or said.get("facets") or []
    if not rows:
        return None
    labels = {f.slug: f.label for f in run.catalogue.facets.all()}  # type: ignore[attr-defined]
    wins, losses = compared.get("wins", {}), compared.get("losses", {})
    overall = compared.get("overall") or _overall(said.get("metrics", {}))
    flips, blind = compared.get("flips", []), compared.get("blind")
    return Report(
        products=int(compared.get("products") or said.get("metrics", {}).get("products", 0)),
        families=int(compared.get("families") or said.get("metrics", {}).get("families", 0)),
        facets=tuple(
            _facet(row, labels.get(row["facet"], row["facet"]), wins, losses)
            for row in sorted(rows, key=lambda row: row.get("approved") == 0)  # nothing to find there: last
        ),
        overall=_facet(overall, "", {"": sum(wins.values())}, {"": sum(losses.values())}, key="") if overall else None,
        macro=_facet(compared["macro"], "", {}, {}, key="") if compared.get("macro") else None,
        blind=_facet(blind["overall"], "", {}, {}, key="") if blind else None,
        blind_products=int(blind["products"]) if blind else 0,
        tags=tuple(_tags(run.catalogue, compared.get("tags") or [], labels)),
        traits=tuple(_traits(compared)),
        generation={k: float(v) for k, v in (said.get("generation") or {}).items() if isinstance(v, int | float)},
        to_judge=len(compared.get("outputs") or []),
        flips=tuple(told(run.catalogue, flips[:FLIPS_SHOWN], labels)),
        flip_count=sum(wins.values()) + sum(losses.values()) or len(flips),
        lost=sum(1 for flip in flips if flip.get("approved") and not flip.get("candidate")),
        measured_on=str(said.get("measured_on", "")),
    )


def _overall(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """The overall row of a report without comparison, from its metrics."""
    if "micro_f1" not in metrics:
        return None
    low, high = metrics.get("micro_f1_interval", [metrics["micro_f1"]] * 2)
    return {
        "decided": 0,
        "precision": {"value": metrics.get("micro_precision", 0.0)},
        "recall": {"value": metrics.get("micro_recall", 0.0)},
        "f1": {"value": metrics["micro_f1"], "low": low, "high": high},
    }


def _facet(
    row: dict[str, Any], label: str, wins: dict[str, int], losses: dict[str, int], key: str | None = None
) -> FacetResult:
    side = row.get("candidate") or row
    name = row.get("facet", "") if key is None else key
    current = (row.get("current") or {}).get("f1")
    if row.get("approved") == 0 and "tag" not in row:  # a tag without one is listed for being chosen wrongly
        return FacetResult(label, name, int(row.get("decided", 0)), None, None, None, None, None,
                           int(wins.get(name, 0)), int(losses.get(name, 0)))  # fmt: skip
    return FacetResult(
        label=label,
        slug=name,
        decided=int(row.get("decided", 0)),
        precision=_measure(side["precision"]),
        recall=_measure(side["recall"]),
        f1=_measure(side["f1"]),
        current=_measure(current) if current else None,
        gain=_measure(row["f1_gain"]) if row.get("f1_gain") else None,
        right=int(wins.get(name, 0)),
        wrong=int(losses.get(name, 0)),
    )


def _tags(catalogue: Catalogue, rows: Sequence[dict[str, Any]], labels: dict[str, str]) -> list[FacetResult]:
    """Tag by tag. A tag has values and the interval of its difference, no intervals of its own."""
    names = names_of(catalogue, rows)
    found = []
    for row in rows[:TAGS_SHOWN]:
        sides = {side: {k: {"value": v} for k, v in row[side].items()} for side in ("current", "candidate")}
        label = f"{labels.get(row['facet'], row['facet'])}: {names.get((row['facet'], row['tag']), row['tag'])}"
        found.append(_facet({**row, **sides}, label, {}, {}))
    return found


def _traits(compared: dict[str, Any]) -> list[Trait]:
    found, calibration = [], compared.get("calibration")
    if calibration:
        for key, name in (("ece", _("calibration error (ECE)")), ("brier", _("Brier score"))):
            now, then = (_number(calibration[side][key]["value"]) for side in ("current", "candidate"))
            found.append(Trait(name, "share", now, then, _measure(calibration[f"{key}_change"])))
    for key, name, unit in (("latency_ms", _("one product, p95"), "ms"), ("bytes", _("size on disk"), "bytes")):
        if compared.get(key):
            now, then = (_number(compared[key].get(side)) for side in ("current", "candidate"))
            found.append(Trait(name, unit, now, then))
    return found


def _measure(said: dict[str, Any]) -> Measure:
    value = float(said.get("value", 0.0))
    return Measure(value, float(said.get("low", value)), float(said.get("high", value)))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
