"""Looking for families, duplicates and shared texts, and taking accepted texts out: jobs of a few minutes."""

from __future__ import annotations

from typing import Any

from annotations.actions.claims import Claim
from annotations.actions.cleaning import clear_shared, find_shared
from annotations.actions.families import find_families
from annotations.models import Catalogue
from annotations.tasks.registry import handles


@handles("families")
def families(claim: Claim) -> dict[str, Any]:
    """Killed half-way it starts over: proposals are found again, and none is doubled."""
    found = find_families(catalogue=claim.catalogue, fence=claim.fence, progress=claim.progress)
    shared = find_shared(catalogue=claim.catalogue, fence=claim.fence, progress=claim.progress)
    return {**found, "shared_texts": shared}


@handles("shared_texts")
def shared_texts(claim: Claim) -> dict[str, Any]:
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    changed = clear_shared(catalogue=catalogue, user=claim.user, fence=claim.fence, progress=claim.progress)
    return {"changed": changed}
