"""A lead's dashboard. Charts are drawn here, on the server; the table beside each says the same in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotations.models import Catalogue, Facet, Role
from annotations.queries import conflicts
from annotations.queries import dashboard as questions
from annotations.queries.drift import open_alerts
from annotations.views.doors import MemberRequest, catalogue_page

TARGETS = (80, 85, 90, 95, 98)
TARGET = 95
WIDTH, HEIGHT = 420, 120  # of the chart of hours, in its own units


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    hour: datetime
    count: int
    label: bool


@require_safe
@never_cache
@catalogue_page(Role.LEAD)
def team(request: MemberRequest) -> HttpResponse:
    """``?target=``: the share of right suggestions, in percent, that the forecast is about."""
    asked = request.GET.get("target", "")
    target = int(asked) if asked in {str(t) for t in TARGETS} else TARGET
    view = questions.dashboard(request.catalogue)
    context = {
        "tab": "team",
        "view": view,
        "alerts": open_alerts(request.catalogue),
        "bars": _bars(view.hours),
        "most": max((count for _hour, count in view.hours), default=0),
        "target": target,
        "targets": TARGETS,
        "total": conflicts.how_many(request.catalogue),
        "compared": any(person.blind.all for person in view.reviewers),
        "gold": any(person.gold.all for person in view.reviewers),
        **_figures(request.catalogue, target, view.seconds),
    }
    return render(request, "team/dashboard.html", context)


def _bars(hours: tuple[tuple[datetime, int], ...]) -> list[Bar]:
    most = max((count for _hour, count in hours), default=0) or 1
    step = WIDTH / max(len(hours), 1)
    return [
        Bar(
            round(n * step + 1, 1), round(HEIGHT - HEIGHT * count / most, 1), round(step - 2, 1),
            round(HEIGHT * count / most, 1), hour, count, n % 6 == 2,
        )
        for n, (hour, count) in enumerate(hours)
    ]  # fmt: skip


def _figures(catalogue: Catalogue, target: int, seconds: float | None) -> dict[str, Any]:
    """Agreement and forecasts; what they need loads numpy, so only once a lead looks."""
    from annotations.bridge import team as measures

    facets: dict[int, Facet] = {facet.pk: facet for facet in catalogue.facets.live()}  # type: ignore[attr-defined]
    by_facet, pairs = measures.agreement(questions.answer_units(catalogue))
    names = questions.names_of(user for pair in pairs for user in (pair.first, pair.second))
    forecasts = []
    for facet, right in questions.right_so_far(catalogue).items():
        if facet in facets:
            said = measures.forecast(right, target / 100)
            # a decision is about one tag, a product's turn about several
            per = seconds / max(1, len(facets)) if seconds is not None else None
            forecasts.append((facets[facet], said, said.more * per if said.more and per is not None else None))
    return {
        "agreement": [(facets[one.facet], one) for one in by_facet if one.facet in facets and one.products],
        "pairs": [(names.get(p.first, "?"), names.get(p.second, "?"), p) for p in pairs],
        "forecasts": sorted(forecasts, key=lambda row: row[0].position),
    }
