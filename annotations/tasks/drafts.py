"""The job that has drafts written: ``python -m ml generate`` as a child on a directory of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from annotations.actions.claims import Claim
from annotations.actions.drafts import store_drafts
from annotations.models import ModelVersion
from annotations.queries.drafts import KIND
from annotations.tasks.following import follow, start_child
from annotations.tasks.registry import handles


@handles(KIND)
def drafts(claim: Claim) -> dict[str, Any]:
    """Killed half-way it starts over; what was there stays until this one has ended."""
    model = ModelVersion.objects.get(pk=claim.job.params["model"], catalogue=claim.catalogue)
    directory = Path(settings.JOBS_ROOT) / f"drafts-{claim.job.pk}"
    claim.progress(step=_("Collecting what was decided"))
    prepare(claim, model, directory)
    follow(claim, start_child(claim, "generate", directory), Silent())
    with (directory / "drafts.jsonl").open(encoding="utf-8") as lines:
        written = [json.loads(line) for line in lines]
    count = store_drafts(catalogue=claim.catalogue, model=model, rows=written, fence=claim.fence)
    shutil.rmtree(directory, ignore_errors=True)
    return {"products": len(claim.job.params["products"]), "drafts": count}


def prepare(claim: Claim, model: ModelVersion, directory: Path) -> None:
    from annotations import bridge  # loads numpy and more: only when there is something to write

    bridge.write_draft_directory(
        claim.catalogue, directory, model, claim.job.params["products"], claim.job.params["kinds"]
    )


class Silent:
    """A listener that keeps nothing: writing has no curve."""

    def on(self, event: dict[str, Any]) -> None:
        pass

    def add(self, event: dict[str, Any]) -> None:
        pass

    def write(self, *, now: bool = False) -> None:
        pass
