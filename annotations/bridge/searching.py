"""Searches over plans, as ``ml.search`` understands them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.bridge.plans import plan_fields
from annotations.models import Job, SearchTrial
from ml.search import Search, SearchError, Trial, propose, settled, worth_it
from ml.search_space import NEVER, SAID_ALONE, USUAL, Space, read, written
from ml.training.plan import PlanError


@dataclass(frozen=True, slots=True)
class SearchField:
    """A field of a plan as searches see it. ``usual``: what is tried where nobody says values, as the rules of a search
    write it; None where values have to be said, or where none may be (``never``, and ``why`` says why)."""

    name: str
    section: str
    usual: Space | None
    written: str
    never: bool
    why: str


def search_fields() -> list[SearchField]:
    """All of a plan's, in its order."""
    return [
        SearchField(
            spec.name, spec.section, USUAL.get(spec.name), written(USUAL[spec.name]) if spec.name in USUAL else "",
            spec.name in NEVER, NEVER.get(spec.name, SAID_ALONE.get(spec.name, "")),
        )
        for spec in plan_fields()
    ]  # fmt: skip


def read_space(name: str, text: str) -> Space:
    """Values as people write them; ValueError for a range whose ends are no numbers."""
    return read(name, text)


def checked_search(rules: Mapping[str, Any], plan: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], int]:
    """``(the whole plan to vary, the rules with what is usual filled in, how many trials there will be)``.

    Raises Refused naming what cannot be followed, ``field`` the field whose values it is about.
    """
    try:
        whole = {**rules, "space": settled(rules.get("space"))}
        search = Search.from_json(whole, plan)
    except (SearchError, PlanError) as error:
        raise Refused(str(error), "search", field=getattr(error, "field", "")) from error
    return search.base, whole, search.trials


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
