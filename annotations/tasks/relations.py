"""The job that looks for relations between tags in the decisions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _

from annotations import bridge
from annotations.actions.claims import Claim
from annotations.models import Catalogue
from annotations.queries import relations as questions
from annotations.tasks.registry import handles

KEPT = 500


@handles(questions.KIND)
def relations(claim: Claim) -> dict[str, Any]:
    """``relations``: what was learned, each as ``bridge.Relation``."""
    claim.progress(step=str(_("Counting which tags stand together")))
    catalogue = Catalogue.objects.get(pk=claim.catalogue.pk)
    found = bridge.learned_relations(catalogue)
    return {"relations": [asdict(one) for one in found[:KEPT]], "found": len(found)}
