"""Searches over plans: started, stopped, paused, gone on with; and plans that are kept under a name.

Each trial is a job, so that any worker with a free slot takes the next one; they come after everything else that waits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs, training
from annotations.actions.claims import Claim
from annotations.actions.errors import Conflict, Refused
from annotations.actions.numbering import create_next
from annotations.models import Catalogue, Event, Job, PlanPreset, PlanSearch, SearchTrial, User

KIND = "trial"
RANK = 1
NAME_LENGTH = 60


def start_search(*, catalogue: Catalogue, user: User | None, plan: dict[str, Any], rules: dict[str, Any]) -> PlanSearch:
    """rules: ``space``, ``method`` (grid, random, tpe), ``trials``, ``folds``, ``seed``, ``prune``. The space holds values,
    a range, or "usual" for each field that is varied; what is usual now is what the search keeps.

    Raises Refused naming what cannot be followed.
    """
    from annotations import bridge  # loads numpy and more: only when somebody wants to search

    whole, rules, count = bridge.checked_search(rules, plan)
    with transaction.atomic():
        search = create_next(PlanSearch, catalogue=catalogue, user=user, plan=whole, rules=rules)
        for number in range(1, count + 1):
            job = jobs.enqueue(
                kind=KIND, queue="ml", catalogue=catalogue, user=user, needs=training.NEEDS, rank=RANK,
                params={"search": search.number, "trial": number},
            )  # fmt: skip
            SearchTrial.objects.create(search=search, job=job, number=number)
        audit.record(
            word=Event.SEARCH_STARTED, catalogue=catalogue, user=user, target=str(search),
            data={"plan": plan, "rules": rules, "trials": count},
        )  # fmt: skip
    return search


def cancel_search(*, search: PlanSearch, user: User | None) -> PlanSearch:
    """Stop all of its trials that have not ended; what was found so far stays."""
    with transaction.atomic():
        if _each(search, jobs.cancel, user):
            audit.record(word=Event.SEARCH_STOPPED, catalogue=search.catalogue, user=user, target=str(search))
    return search


def pause_search(*, search: PlanSearch, user: User | None) -> PlanSearch:
    """No trial begins any more; those that run write a checkpoint and free what they compute on."""
    with transaction.atomic():
        _each(search, jobs.pause, user)
    return search


def resume_search(*, search: PlanSearch, user: User | None) -> PlanSearch:
    with transaction.atomic():
        _each(search, jobs.resume, user)
    return search


def _each(search: PlanSearch, verb: Callable[..., Job], user: User | None) -> int:
    waiting = list(Job.objects.live().filter(search_trial__search=search).order_by("-search_trial__number"))
    for job in waiting:
        verb(job=job, user=user)
    return len(waiting)


def folder_of(search: PlanSearch) -> Path:
    """The snapshot that all trials read, and a folder for each of them below."""
    return Path(settings.JOBS_ROOT) / f"search-{search.pk}"


def lock_of(folder: Path) -> Path:
    """What the first trial on a machine holds while it writes the snapshot."""
    return folder.parent / f".{folder.name}.lock"


def store_snapshot(*, claim: Claim, search: PlanSearch, facts: dict[str, Any]) -> None:
    """What the search learns from. Raises Refused when that is not what its first trial saw."""
    with transaction.atomic():
        claim.fence()
        search.refresh_from_db()
        if search.data_hash and search.data_hash != facts["data_hash"]:
            raise Refused(
                _(
                    "Other trials of this search saw other decisions. Workers on several machines must share the folder jobs."
                ),
                "snapshot",
            )
        for name in ("data_hash", "decision_count", "product_count"):
            setattr(search, name, facts[name])
        search.save(update_fields=["data_hash", "decision_count", "product_count"])


def store_changes(*, claim: Claim, trial: SearchTrial, changes: dict[str, Any]) -> None:
    _store(claim, trial, changes=changes)


def store_reports(*, claim: Claim, trial: SearchTrial, reports: list[list[float]]) -> None:
    _store(claim, trial, reports=reports)


def store_score(*, claim: Claim, trial: SearchTrial, score: float | None, pruned: bool = False) -> None:
    _store(claim, trial, score=score, pruned=pruned)


def _store(claim: Claim, trial: SearchTrial, **fields: Any) -> None:
    with transaction.atomic():
        claim.fence()
        SearchTrial.objects.filter(pk=trial.pk).update(**fields)
    for name, value in fields.items():
        setattr(trial, name, value)


def keep_plan(
    *, catalogue: Catalogue, user: User | None, name: str, plan: dict[str, Any], trial: SearchTrial | None = None
) -> PlanPreset:
    """A plan under a name. Raises Refused for one that cannot be followed or has no name, Conflict for a name in use."""
    name = name.strip()
    if not 0 < len(name) <= NAME_LENGTH:
        raise Refused(_("Give it a name of at most %(n)d characters.") % {"n": NAME_LENGTH}, "name")
    training.check_plan(plan)
    try:
        with transaction.atomic():
            preset = PlanPreset.objects.create(catalogue=catalogue, name=name, plan=plan, trial=trial, user=user)
            audit.record(
                word=Event.PRESET_KEPT, catalogue=catalogue, user=user, target=name, data={"plan": plan}
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict(_("There is a preset of this name already."), "name_taken") from error
    return preset


def keep_trial(*, trial: SearchTrial, user: User | None, name: str) -> PlanPreset:
    """The plan of a trial as a preset."""
    search = trial.search
    if trial.changes is None:
        raise Refused(_("This trial has no plan yet."), "no_plan")
    plan = {**search.plan, **trial.changes}
    return keep_plan(catalogue=search.catalogue, user=user, name=name, plan=plan, trial=trial)
