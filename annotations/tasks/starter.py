"""Looking at a taxonomy that was sent, trying it, and loading it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from annotations.actions import starter_uploads as verbs
from annotations.actions.claims import Claim
from annotations.actions.errors import NotFound
from annotations.actions.uploads import forget_files
from annotations.models import ImportBatch
from annotations.tasks.registry import handles


@handles("starter")
def starter(claim: Claim) -> dict[str, Any]:
    """Killed half-way a load goes on with the same change; a look or a trial starts over."""
    found = ImportBatch.objects.select_related("catalogue", "user")
    batch = found.filter(pk=claim.params["batch"], catalogue=claim.catalogue, kind="starter").first()
    if batch is None:
        raise NotFound(_("the file is gone"), "no_import")
    do = claim.params["do"]
    if do == verbs.LOOK:
        claim.progress(step=_("Reading the file"))
        outline = verbs.look_at_starter(batch=batch)
        return {"batch": batch.pk, "facets": outline.facets, "values": outline.values}
    if do == verbs.TRY:
        claim.progress(step=_("Counting what would be added"))
        return {"batch": batch.pk, **verbs.try_starter(batch=batch)}
    claim.progress(step=_("Reading the file"))
    if batch.dry_run or batch.finished_at is None:
        verbs.load_starter_upload(
            batch=batch, fence=claim.fence,
            progress=lambda done, total: claim.progress(done, total, _("Adding facets and tags")),
        )  # fmt: skip
    forget_files(batch=batch)
    return {"batch": batch.pk, **batch.report}
