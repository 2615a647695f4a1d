"""A trial of a search: ``python -m ml trial JOBDIR`` as a child, on the search's own snapshot of the decisions."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from annotations.actions import searches
from annotations.actions.claims import Claim
from annotations.models import Catalogue, SearchTrial
from annotations.tasks import training
from annotations.tasks.following import finite, follow, start_child
from annotations.tasks.registry import handles

SHARED = ("schema.json", "examples.jsonl", "unlabelled.jsonl")


class Pruned(Exception):
    """The others were clearly better at the same place."""


@handles(searches.KIND)
def trial(claim: Claim) -> dict[str, Any]:
    """Propose what to change, train it on every fold, keep its score. Killed, it goes on with the same plan."""
    row = SearchTrial.objects.select_related("search__catalogue", "job").get(job=claim.job)
    folder = searches.folder_of(row.search)
    _snapshot(claim, row, folder)
    if row.changes is None:
        claim.progress(step=_("Choosing what to try"))
        searches.store_changes(claim=claim, trial=row, changes=proposed(row))
    directory = folder / "trials" / f"{row.number:04}"
    _prepare(row, folder, directory)
    try:
        done = follow(claim, start_child(claim, "trial", directory), Reports(claim, row))
    except Pruned:
        searches.store_score(claim=claim, trial=row, score=None, pruned=True)
    else:
        searches.store_score(claim=claim, trial=row, score=float(done["score"]))
    shutil.rmtree(directory / "work", ignore_errors=True)  # checkpoints are large
    return {"search": row.search.number, "trial": row.number, "score": row.score, "pruned": row.pruned}


def proposed(row: SearchTrial) -> dict[str, Any]:
    from annotations import bridge  # loads numpy and more: only when there is something to propose

    return bridge.proposed(row)


def worth_going_on(row: SearchTrial, reports: list[list[float]]) -> bool:
    from annotations import bridge

    return bridge.worth_going_on(row, reports)


def _snapshot(claim: Claim, row: SearchTrial, folder: Path) -> None:
    """What all trials of the search read, written by the first of them on this machine."""
    if (folder / "config.json").is_file():
        return
    claim.progress(step=_("Collecting what was decided"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with searches.lock_of(folder).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "config.json").is_file():
            return
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            catalogue = Catalogue.objects.get(pk=row.search.catalogue_id)
            facts = training.write_directory(catalogue, temporary, row.search.plan)
            searches.store_snapshot(claim=claim, search=row.search, facts=facts)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.chmod(0o755)
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _prepare(row: SearchTrial, folder: Path, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in SHARED:
        if (folder / name).is_file() and not (directory / name).exists():
            (directory / name).symlink_to(os.path.relpath(folder / name, directory))
    shared = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = {
        "plan": {**row.search.plan, **(row.changes or {})}, "folds": row.search.rules.get("folds", 1),
        "pictures": shared.get("pictures", "pictures"),
    }  # fmt: skip
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")


class Reports:
    """A listener that keeps the trial's scores and ends it when it is not worth going on with."""

    def __init__(self, claim: Claim, row: SearchTrial) -> None:
        self.claim, self.row = claim, row
        self.reports: list[list[float]] = list(row.reports)

    def on(self, event: dict[str, Any]) -> None:
        pass

    def add(self, event: dict[str, Any]) -> None:
        if "score" not in event:
            return
        at, score = finite(event["at"]), finite(event["score"])
        # resumed from a checkpoint: what came after it is told again
        self.reports = [report for report in self.reports if report[0] < at] + [[at, score]]
        searches.store_reports(claim=self.claim, trial=self.row, reports=self.reports)
        if not worth_going_on(self.row, self.reports):
            raise Pruned

    def write(self, *, now: bool = False) -> None:
        pass
