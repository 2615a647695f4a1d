"""Bulk actions and their undo: the jobs behind the pages."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from annotations.actions.bulk_actions import carry_back, carry_out
from annotations.actions.claims import Claim
from annotations.actions.errors import NotFound
from annotations.models import BulkRun
from annotations.queries.bulk import run_of
from annotations.tasks.registry import handles


@handles("bulk")
def bulk(claim: Claim) -> dict[str, Any]:
    """Killed half-way it goes on after the last transaction; stopped, what is done stays done and can be undone."""
    run = _run(claim)
    carry_out(run=run, fence=claim.fence, progress=lambda done, total: claim.progress(done, total, _("Working through the products")))  # fmt: skip
    return {"run": run.pk, "products": run.seen, "changed": run.changed, "held": run.held_count}


@handles("bulk_undo")
def bulk_undo(claim: Claim) -> dict[str, Any]:
    run = _run(claim)
    user = claim.user or run.user
    carry_back(run=run, user=user, fence=claim.fence, progress=lambda done, total: claim.progress(done, total, _("Taking it back")))  # fmt: skip
    return {"run": run.pk, "undone": run.undone, "kept": run.kept}


def _run(claim: Claim) -> BulkRun:
    run = run_of(claim.catalogue, int(claim.params["run"]))
    if run is None:
        raise NotFound(_("the bulk action is gone"), "no_run")
    return run
