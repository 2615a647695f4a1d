"""Writing an export: the job behind the page and the API."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from annotations.actions.claims import Claim
from annotations.actions.errors import NotFound
from annotations.actions.exports import write_export
from annotations.queries.exports import export_of
from annotations.tasks.registry import handles


@handles("export")
def export(claim: Claim) -> dict[str, Any]:
    """Killed half-way it starts over: the file takes its place only when it is whole."""
    batch = export_of(claim.catalogue, claim.params["export"])
    if batch is None:
        raise NotFound(_("the export is gone"), "no_export")
    write_export(batch=batch, progress=lambda done, total: claim.progress(done, total, _("Writing the rows")))
    return {"rows": batch.rows, "as_of": batch.as_of, "sha256": batch.sha256, "bytes": batch.bytes}
