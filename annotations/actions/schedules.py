"""Training by itself: set when, and start what is due. A run so started is like any other; a person promotes it."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, training
from annotations.actions.errors import Refused
from annotations.models import Catalogue, Event, TrainingRun, TrainingSchedule, User
from annotations.queries import schedules as questions

log = logging.getLogger(__name__)

LEAST_DECISIONS = 10


def set_schedule(
    *,
    catalogue: Catalogue,
    user: User,
    plan: dict[str, Any],
    after_decisions: int | None,
    weekday: int | None,
    hour: int = 2,
) -> TrainingSchedule | None:
    """Train by itself from now on; with neither a number nor a weekday: no more. Returns what stands.

    Raises Refused for a plan that can't be followed and for numbers that make no sense.
    """
    if after_decisions is not None and after_decisions < LEAST_DECISIONS:
        raise Refused(_("At least %(n)d decisions between two runs.") % {"n": LEAST_DECISIONS}, "schedule")
    if (weekday is not None and weekday not in range(questions.DAYS)) or hour not in range(24):
        raise Refused(_("A weekday is 0 (Monday) to 6, an hour 0 to 23."), "schedule")
    training.check_plan(plan)
    wanted = {"plan": plan, "after_decisions": after_decisions, "weekday": weekday, "hour": hour}
    with transaction.atomic():
        if after_decisions is None and weekday is None:
            gone, _rows = TrainingSchedule.objects.filter(catalogue=catalogue).delete()
            found = None
            if gone:
                _note(catalogue, user, None)
        else:
            now = timezone.now()
            found, _made = TrainingSchedule.objects.update_or_create(
                catalogue=catalogue, defaults={**wanted, "user": user, "set_at": now, "started_at": None}
            )
            _note(catalogue, user, wanted)
    return found


def start_due() -> list[TrainingRun]:
    """Start what is due, each once however many ask. One that can't be started is tried again at its next time."""
    started = []
    for schedule in questions.schedules():
        outlook = questions.outlook(schedule)
        if not outlook.due:
            continue
        reason = TrainingRun.Reason.DECISIONS if outlook.missing == 0 else TrainingRun.Reason.WEEK
        with transaction.atomic():
            mine = TrainingSchedule.objects.filter(pk=schedule.pk, started_at=schedule.started_at)
            if not mine.update(started_at=timezone.now()):
                continue  # somebody else starts it at this moment
            try:
                with transaction.atomic():
                    run = training.request_training(
                        catalogue=schedule.catalogue, user=schedule.user, plan=schedule.plan, reason=reason
                    )
            except Refused as refusal:
                log.warning("the scheduled training of %s was refused: %s", schedule.catalogue.slug, refusal.message)
            else:
                started.append(run)
    return started


def _note(catalogue: Catalogue, user: User, schedule: dict[str, Any] | None) -> None:
    audit.record(
        word=Event.CATALOGUE_CHANGED, catalogue=catalogue, user=user, target=catalogue.slug,
        data={"changed": {"training_schedule": schedule}},
    )  # fmt: skip
