"""Training by itself: started once when it is due, never without anything new, and what is missing is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotations.actions import schedules, training
from annotations.actions.errors import Refused
from annotations.models import Job, TrainingRun, TrainingSchedule
from annotations.queries.schedules import next_hour, outlook

from .conftest import World, build_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(schedules, "LEAST_DECISIONS", 2)
    return build_world()


def by_itself(world: World, **when: Any) -> TrainingSchedule:
    wanted = {"plan": {"preset": "quick"}, "after_decisions": None, "weekday": None, **when}
    found = schedules.set_schedule(catalogue=world.catalogue, user=world.people["admin"], **wanted)
    assert found is not None
    return found


def ended(run: TrainingRun, seq: int) -> None:
    Job.objects.filter(pk=run.job_id).update(state=Job.State.DONE, coalesce_key=None)
    TrainingRun.objects.filter(pk=run.pk).update(decided_seq=seq)


def test_after_so_many_decisions_and_then_after_so_many_more(world: World) -> None:
    schedule = by_itself(world, after_decisions=3)
    world.decide(world.products[0], black="accept", red="reject")
    assert (outlook(schedule).missing, schedules.start_due()) == (1, [])
    saved = world.decide(world.products[1], black="accept")
    (run,) = schedules.start_due()
    assert run.reason == TrainingRun.Reason.DECISIONS
    assert (run.plan, run.user) == ({"preset": "quick"}, world.people["admin"])
    world.decide(world.products[2], black="accept", red="reject")
    assert schedules.start_due() == [], "one waits already"
    ended(run, saved.seq)
    assert outlook(schedule).missing == 1
    world.decide(world.products[3], black="accept")
    assert len(schedules.start_due()) == 1 and TrainingRun.objects.count() == 2


def test_a_run_that_failed_before_it_read_anything_is_not_started_again_at_once(world: World) -> None:
    by_itself(world, after_decisions=2)
    world.decide(world.products[0], black="accept", red="reject")
    (run,) = schedules.start_due()
    Job.objects.filter(pk=run.job_id).update(state=Job.State.FAILED, coalesce_key=None)
    assert schedules.start_due() == []


def test_at_an_hour_of_a_weekday_when_there_is_something_new(world: World) -> None:
    schedule = by_itself(world, weekday=6, hour=3)
    assert schedules.start_due() == []
    TrainingSchedule.objects.update(set_at=timezone.now() - timedelta(days=8))
    assert schedules.start_due() == [], "nothing new"
    world.decide(world.products[0], black="accept")
    (run,) = schedules.start_due()
    ended(run, 0)
    schedule.refresh_from_db()
    at = outlook(schedule).at
    assert at is not None and at > timezone.now() and (at.weekday(), at.hour) == (6, 3)
    world.decide(world.products[1], black="accept")
    assert schedules.start_due() == [], "once a week"


def test_two_who_start_at_once_start_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    by_itself(world, after_decisions=2)
    world.decide(world.products[0], black="accept", red="reject")
    seen = schedules.questions.schedules()
    monkeypatch.setattr(schedules.questions, "schedules", lambda: seen)
    monkeypatch.setattr(training, "request_training", lambda **asked: asked)
    assert [len(schedules.start_due()), len(schedules.start_due())] == [1, 0]


@pytest.mark.parametrize(
    ("after", "expected"),
    [("2026-11-21 10:00", "2026-11-22 03:00"), ("2026-11-22 02:59", "2026-11-22 03:00"), ("2026-11-22 03:00", "2026-11-29 03:00")],
)  # fmt: skip
def test_the_next_hour(after: str, expected: str) -> None:
    moment, wanted = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (after, expected))
    assert next_hour(moment, 6, 3) == wanted


def test_the_page_sets_it_shows_it_and_takes_it_back(world: World) -> None:
    admin = Client()
    admin.force_login(world.people["admin"])
    address, page = reverse("training_schedule", args=["shop"]), reverse("training", args=["shop"])
    given = {"after_decisions": "500", "weekday": "0", "hour": "4", "preset": "thorough", "base": "catalogue"}
    assert admin.post(address, given).status_code == 302
    found = TrainingSchedule.objects.get()
    assert (found.after_decisions, found.weekday, found.hour, found.plan["base"]) == (500, 0, 4, "catalogue")
    assert "500 more decisions" in admin.get(page).content.decode()
    assert admin.post(address, {**given, "after_decisions": "1"}).status_code == 422
    admin.post(address, {"hour": "4", "preset": "quick", "base": "catalogue"})
    assert not TrainingSchedule.objects.exists()
    with pytest.raises(Refused):
        by_itself(world, after_decisions=5, plan={"nonsense": 1})
