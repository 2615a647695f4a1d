"""Taking in a model from elsewhere: checked, compared, made a candidate."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from annotations.actions import registry, training
from annotations.actions.claims import Claim
from annotations.models import Catalogue, TrainingRun
from annotations.tasks.registry import handles
from annotations.tasks.training import bundle_name, compare, move, share, write_directory


@handles(registry.KIND)
def adopt(claim: Claim) -> dict[str, Any]:
    """Killed half-way it starts over; a model comes of an upload once."""
    run = TrainingRun.objects.select_related("catalogue", "user").get(job=claim.job)
    archive = registry.uploaded(claim.params)
    name = bundle_name(run)
    bundle = Path(settings.MODELS_ROOT) / name
    Path(settings.JOBS_ROOT).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adopt-", dir=settings.JOBS_ROOT) as folder:
        try:
            card = _unpacked(claim, archive, Path(folder) / "bundle")
        except Exception as error:
            training.note_end(run=run, outcome="failed", error=str(error)[:500])
            raise
        catalogue = Catalogue.objects.select_related("encoder").get(pk=run.catalogue_id)
        claim.progress(step=_("Comparing it with the model in use"))
        facts = write_directory(catalogue, Path(folder) / "data", {})
        training.store_facts(claim=claim, run=run, facts=facts)
        report = {"comparison": compare(catalogue, Path(folder) / "data", Path(folder) / "bundle")}
        overall = (report["comparison"] or {}).get("overall", {}).get("candidate", {})
        if overall:
            report["metrics"] = {"primary": overall["f1"]["value"], "micro_f1": overall["f1"]["value"]}
        move(Path(folder) / "bundle", bundle)
    share(name)
    model = training.adopt(
        claim=claim, run=run, path=name, sha256=str(card["hash"]), report=report, bundle_card=card
    )  # fmt: skip
    archive.unlink(missing_ok=True)
    return {"run": run.number, "model": model.name}


def _unpacked(claim: Claim, archive: Path, target: Path) -> dict[str, Any]:
    from annotations import bridge  # loads numpy and more: only when there is something to read

    claim.progress(step=_("Checking its files"))
    shutil.rmtree(target, ignore_errors=True)
    return bridge.take_apart(archive, target, max_bytes=settings.UPLOAD_MAX_BYTES)
