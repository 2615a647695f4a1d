"""The job that lays assignment rules over what waits."""

from __future__ import annotations

from typing import Any

from annotations.actions import assignment
from annotations.actions.claims import Claim
from annotations.models import Catalogue
from annotations.tasks.registry import handles


@handles("assign")
def assign(claim: Claim) -> dict[str, Any]:
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        claim.progress(done, done)

    return {"products": assignment.apply_rules(catalogue=catalogue, advance=advance)}
