"""Job ``proof``: what asking in this order has brought, and whether the queue had better go random; job ``second_look``:
decisions that a model which has not seen them finds unlikely. The answer is the job's result.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _

from annotations import bridge
from annotations.actions.claims import Claim
from annotations.models import Catalogue
from annotations.tasks.registry import handles


@handles("proof")
def proof(claim: Claim) -> dict[str, Any]:
    """Measure; the answer is the job's result. Refits in this process go first."""
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)

    def step(done: int, total: int) -> None:
        bridge.hold_back(catalogue, claim.check)
        claim.progress(done, total, step=str(_("Measuring what the order of questions brings")))

    return bridge.measure_learning(catalogue, step)


@handles("second_look")
def second_look(claim: Claim) -> dict[str, Any]:
    """List them, the least likely first. Refits in this process go first."""
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)

    def step(done: int, total: int) -> None:
        bridge.hold_back(catalogue, claim.check)
        claim.progress(done, total, step=str(_("Looking for decisions that are unlikely")))

    found, decisions = bridge.doubted_decisions(catalogue, step)
    return {"decisions": decisions, "doubted": [asdict(row) for row in found]}
