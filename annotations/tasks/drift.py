"""Looking for drift, and telling whom the catalogue names."""

from __future__ import annotations

from typing import Any

from annotations.actions import drift
from annotations.actions.claims import Claim
from annotations.models import Catalogue, DriftAlert
from annotations.tasks.registry import handles


@handles(drift.LOOK)
def look(claim: Claim) -> dict[str, Any]:
    from annotations import bridge  # loads numpy and more: only when there is something to compare

    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    found = bridge.look_for_drift(catalogue, claim.progress)
    fresh = drift.tell(catalogue=catalogue, findings=[one for one in found.findings if one.told])
    return {"compared": len(found.findings), "alerts": len(fresh), "marks": found.marks.to_json()}


@handles(drift.NOTIFY)
def notify(claim: Claim) -> dict[str, Any]:
    """Told once at most where nothing is killed between telling and noting it, else twice: the webhook's ids say so."""
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    alerts = DriftAlert.objects.filter(catalogue=catalogue, pk__in=claim.params["alerts"]).select_related("facet")
    return drift.notify(catalogue=catalogue, alerts=list(alerts))
