"""Changes of the taxonomy that decide on many products: the job behind a merge, a split, and undoing either."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from annotations.actions.claims import Claim
from annotations.actions.errors import NotFound
from annotations.actions.reshape_work import work_off
from annotations.models import TaxonomyRevision
from annotations.tasks.registry import handles


@handles("taxonomy")
def reshape(claim: Claim) -> dict[str, Any]:
    """Killed half-way it goes on with the products that are left. Cancelled, it can be started again from the page."""
    found = TaxonomyRevision.objects.select_related("catalogue", "user", "undoes")
    revision = found.filter(pk=claim.params["revision"], catalogue=claim.catalogue).first()
    if revision is None:
        raise NotFound(_("this change of the taxonomy is gone"), "no_revision")
    work_off(
        revision=revision, role=claim.params["role"], fence=claim.fence,
        progress=lambda done, total: claim.progress(done, total, _("Deciding on the products")),
    )  # fmt: skip
    return {"revision": revision.number, **revision.report}
