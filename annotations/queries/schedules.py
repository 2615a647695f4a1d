"""When a catalogue trains next by itself, and how much is missing until then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from annotations.models import Catalogue, TrainingRun, TrainingSchedule

DAYS = 7


@dataclass(frozen=True, slots=True)
class Outlook:
    """``new`` decisions since the newest run began; ``missing`` until their number starts one; ``at`` the next hour set."""

    schedule: TrainingSchedule
    new: int
    missing: int | None
    at: datetime | None

    @property
    def due(self) -> bool:
        """Nothing new, nothing to learn: no hour starts a run then."""
        hour_has_come = self.at is not None and self.at <= timezone.now()
        return self.new > 0 and (self.missing == 0 or hour_has_come)


def schedule_of(catalogue: Catalogue) -> TrainingSchedule | None:
    return TrainingSchedule.objects.filter(catalogue=catalogue).select_related("catalogue", "user").first()


def schedules() -> list[TrainingSchedule]:
    return list(TrainingSchedule.objects.select_related("catalogue", "user"))


def outlook(schedule: TrainingSchedule) -> Outlook:
    """Two queries."""
    run = TrainingRun.objects.filter(catalogue=schedule.catalogue_id).order_by("-number").first()
    decisions = schedule.catalogue.decisions.exclude(verdict="undo")
    if run is not None:
        # one that has not begun, or failed before it did, has read nothing yet: no reason to start another at once
        seen = Q(seq__gt=run.decided_seq) if run.decided_seq else Q(decided_at__gt=run.created_at)
        decisions = decisions.filter(seen)
    new = decisions.count()
    missing = None if schedule.after_decisions is None else max(0, schedule.after_decisions - new)
    at = None
    if schedule.weekday is not None:
        at = next_hour(schedule.started_at or schedule.set_at, schedule.weekday, schedule.hour)
    return Outlook(schedule, new, missing, at)


def next_hour(after: datetime, weekday: int, hour: int) -> datetime:
    """The first full ``hour`` of a ``weekday`` (0 is Monday) later than ``after``, in the installation's time."""
    local = timezone.localtime(after)
    day = (local + timedelta(days=(weekday - local.weekday()) % DAYS)).date()
    found = _at(day.year, day.month, day.day, hour)
    if found <= after:
        day += timedelta(days=DAYS)
        found = _at(day.year, day.month, day.day, hour)
    return found


def _at(year: int, month: int, day: int, hour: int) -> datetime:
    return timezone.make_aware(datetime(year, month, day, hour))  # noqa: DTZ001  # made aware here
