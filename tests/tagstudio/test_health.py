"""The health page tells what is missing, and tells strangers nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from annotations.actions import jobs
from annotations.models import Catalogue
from tagstudio import doorbell, health

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
    cache.clear()


def test_without_workers_it_is_unwell(client: Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 503
    body = answer.json()
    assert body["database"] == body["broker"] == "ok" and body["workers"] == {"io": 0, "ml": 0}


def test_with_workers_it_is_well_and_says_whether_a_model_suggests(client: Client) -> None:
    jobs.beat(name="a", queues=["io"])
    jobs.beat(name="b", queues=["ml"])
    answer = client.get("/healthz")
    assert answer.status_code == 200 and answer.json()["model"] == "none"
    Catalogue.objects.create(slug="c", name="C")
    assert client.get("/healthz").json()["model"] == "none"


def test_a_broker_that_is_gone(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.beat(name="a", queues=["io", "ml"])
    monkeypatch.setattr(doorbell, "reachable", lambda: False)
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["broker"] == "failed"


def test_a_database_without_tables(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_database", lambda: "failed")
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["workers"] == {"io": 0, "ml": 0}


def test_only_reading(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
    assert client.post("/metrics").status_code == 405


def test_metrics_for_this_machine_or_with_the_token(client: Client, settings: Any) -> None:
    jobs.enqueue(kind="x", queue="io")
    text = client.get("/metrics").content.decode()
    assert 'tagstudio_jobs{queue="io",state="queued"} 1.0' in text and 'tagstudio_workers{queue="ml"} 0.0' in text
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404
    settings.METRICS_TOKEN = "long-enough"
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer long-enough"}).status_code == 200


def test_the_house_says_little_to_the_database(client: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(7):
        client.get("/healthz")
    assert connection.connection is not None
