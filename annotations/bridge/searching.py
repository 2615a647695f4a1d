"""Searches over plans, as ``ml.search`` understands them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.models import Job, SearchTrial
from ml.search import Search, SearchError, Trial, propose, worth_it
from ml.training.plan import PlanError


def checked_search(rules: Mapping[str, Any], plan: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """``(the whole plan to vary, how many trials there will be)``. Raises Refused naming what cannot be followed."""
    try:
        search = Search.from_json(rules, plan)
    except (SearchError, PlanError) as error:
        raise Refused(str(error), "search") from error
    return search.base, search.trials


def proposed(trial: SearchTrial) -> dict[str, Any]:
    """What this trial changes of the plan, given the others as they are now."""
    search = Search.from_json(trial.search.rules, trial.search.plan)
    others = trial.search.trials.exclude(pk=trial.pk).exclude(changes=None).select_related("job")  # type: ignore[attr-defined]
    try:
        return propose(search, trial.number, [_trial(other) for other in others])
    except SearchError as error:
        raise Refused(_("No plan could be proposed: %s") % error, "search") from error


def worth_going_on(trial: SearchTrial, reports: Sequence[Sequence[float]]) -> bool:
    """Whether the trial is not clearly below the others at the same place."""
    search = Search.from_json(trial.search.rules, trial.search.plan)
    others = trial.search.trials.exclude(pk=trial.pk).exclude(changes=None).select_related("job")  # type: ignore[attr-defined]
    mine = Trial(trial.number, trial.changes or {}, reports=_pairs(reports))
    return worth_it(search, mine, [_trial(other) for other in others])


def _trial(row: SearchTrial) -> Trial:
    state = "running" if row.job.live else "failed"
    if row.job.state == Job.State.DONE:
        state = "pruned" if row.pruned else "done"
    return Trial(row.number, row.changes or {}, state, row.score, _pairs(row.reports))


def _pairs(reports: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(at), float(score)) for at, score in reports)
