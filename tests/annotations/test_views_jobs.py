"""The fragment that pages poll: what it shows, to whom, and stopping."""

from __future__ import annotations

from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotations.actions import jobs, training
from annotations.models import AuditEvent, Event, Job, User

from .conftest import World

HTMX = {"HX-Request": "true"}


def as_(world: World, name: str) -> Client:
    client = Client()
    client.force_login(world.people[name])
    return client


def new(world: World, **more: object) -> Job:
    return jobs.enqueue(kind="score", queue="ml", catalogue=world.catalogue, user=world.people["reviewer"], **more)


def show(world: World, job: Job, name: str = "viewer") -> str:
    answer = as_(world, name).get(reverse("job", args=[job.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_waiting_running_and_done(world: World) -> None:
    job = new(world)
    html = show(world, job)
    assert "waiting for its turn" in html and "No worker is alive" in html and 'hx-trigger="every 1s"' in html
    jobs.beat(name="w", queues=["ml"])
    claim = jobs.claim(job_id=job.pk, owner="w")
    assert claim is not None
    claim.progress(250, 1000, "Ranking", rate=5.0)
    claim.log("<script>alert(1)</script>")
    jobs.give_back(claim=claim, seconds=60)
    html = show(world, job)
    assert 'value="25" max="100"' in html and "250 of 1000" in html and "about 2 minutes left" in html
    assert "Ranking" in html and "No worker" not in html
    assert "<script>" not in html and "&lt;script&gt;" in html
    jobs.finish(claim=claim)
    html = show(world, job)
    assert "done" in html and "hx-get" not in html and "Stop" not in html


def test_an_interrupted_one_and_a_failed_one(world: World) -> None:
    job = new(world)
    claim = jobs.claim(job_id=job.pk, owner="w")
    assert claim is not None
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert "another one goes on with it" in show(world, job)
    jobs.fail(claim=claim, error="The disk is full.")
    assert "The disk is full." in show(world, job)


def test_the_page_is_told_when_it_ended(world: World) -> None:
    job = new(world)
    url = reverse("job", args=[job.pk])
    client = as_(world, "viewer")
    assert "HX-Trigger" not in client.get(url, {"was_live": ""}).headers
    jobs.cancel(job=job, user=None)
    assert client.get(url, {"was_live": ""}).headers["HX-Trigger"] == "job-ended"
    assert "HX-Trigger" not in client.get(url).headers


def test_scripts_get_json(world: World) -> None:
    job = new(world)
    answer = as_(world, "viewer").get(reverse("job", args=[job.pk]), headers={"Accept": "application/json"})
    assert answer.json()["state"] == "queued" and answer.json()["label"]


def test_wrong_person(world: World) -> None:
    job = new(world)
    other = jobs.enqueue(kind="housekeeping", queue="io")
    stranger = User.objects.create_user(username="stranger", password="a long enough phrase")
    client = Client()
    assert client.get(reverse("job", args=[job.pk])).status_code == 302
    client.force_login(stranger)
    assert client.get(reverse("job", args=[job.pk])).status_code == 404
    assert client.post(reverse("job_cancel", args=[job.pk])).status_code == 404
    assert as_(world, "admin").get(reverse("job", args=[other.pk])).status_code == 404
    for name, status in (("viewer", 403), ("second", 403), ("reviewer", 200)):
        assert as_(world, name).post(reverse("job_cancel", args=[job.pk]), headers=HTMX).status_code == status
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
    assert "Stop" not in show(world, new(world), "second") and "Stop" in show(world, new(world), "lead")


def test_wrong_method(world: World) -> None:
    job = new(world)
    client = as_(world, "lead")
    assert client.post(reverse("job", args=[job.pk])).status_code == 405
    assert client.get(reverse("job_cancel", args=[job.pk])).status_code == 405


def test_stopping_a_training_run_is_written_down(world: World) -> None:
    run = training.request_training(catalogue=world.catalogue, user=world.people["admin"])
    answer = as_(world, "lead").post(reverse("job_cancel", args=[run.job_id]), headers=HTMX)
    assert "stopped" in answer.content.decode()
    assert AuditEvent.objects.filter(word=Event.TRAINING_CANCELLED, user=world.people["lead"]).count() == 1


def test_somebody_was_quicker(world: World) -> None:
    job = new(world)
    claim = jobs.claim(job_id=job.pk, owner="w")
    assert claim is not None
    jobs.finish(claim=claim)
    answer = as_(world, "lead").post(reverse("job_cancel", args=[job.pk]), headers=HTMX)
    assert answer.status_code == 200 and "done" in answer.content.decode()


def test_a_poll_is_cheap(world: World, django_assert_max_num_queries: object) -> None:
    job, client = new(world), as_(world, "viewer")
    with django_assert_max_num_queries(5):  # type: ignore[operator]  session, user, job, membership, workers
        client.get(reverse("job", args=[job.pk]))
