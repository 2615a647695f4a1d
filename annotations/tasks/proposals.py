"""Looking through a catalogue for what it proposes for its taxonomy."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from annotations.actions.claims import Claim
from annotations.actions.proposals import look
from annotations.tasks.registry import handles


@handles("proposals")
def proposals(claim: Claim) -> dict[str, Any]:
    """Killed half-way it starts over; what the last look found stays until this one has ended."""
    kept = look(
        catalogue=claim.catalogue, fence=claim.fence,
        tell=lambda n, of: claim.progress(n, of, _("Reading the products")),
    )  # fmt: skip
    return {"products": kept.products, "proposals": len(kept.found)}
