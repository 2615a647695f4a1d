"""The health page tells what is missing, and tells strangers nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from annotations.actions import jobs
from annotations.models import Catalogue, DriftAlert, ModelVersion, Suggestion
from tagstudio import doorbell, health, timing
from tests.annotations.conftest import build_world

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


def test_metrics_of_a_catalogue(client: Client) -> None:
    world = build_world(products=3)
    products = world.products
    Suggestion.objects.create(product=products[0], tag=world.tags["black"], score=0.9, band="strong")
    Suggestion.objects.create(product=products[1], tag=world.tags["black"], score=0.9, band="strong")
    world.decide(products[0], black="accept")
    world.decide(products[1], black="reject")
    model = ModelVersion.objects.create(catalogue=world.catalogue, number=7, tier="instant", path="x")
    Catalogue.objects.filter(pk=world.catalogue.pk).update(serving=model)
    jobs.enqueue(kind="train", queue="ml", catalogue=world.catalogue)
    DriftAlert.objects.create(catalogue=world.catalogue, kind="words", now=0.5, p=0.001, families=20)
    timing._suggest.cache_clear()  # what other tests of this process were answered
    timing.suggested("shop", 0.025)
    text = client.get("/metrics").content.decode()
    for line in (
        'tagstudio_decisions_last_hour{catalogue="shop"} 2.0',
        'tagstudio_acceptance_ratio{catalogue="shop"} 0.5',
        'tagstudio_active_model{catalogue="shop",model="instant-7",tier="instant"} 1.0',
        'tagstudio_training_runs{catalogue="shop",state="queued"} 1.0',
        'tagstudio_training_runs{catalogue="shop",state="running"} 0.0',
        'tagstudio_drift_alerts_open{catalogue="shop"} 1.0',
        'tagstudio_suggest_seconds_bucket{catalogue="shop",le="0.03"} 1.0',
    ):
        assert line in text, line
    age = re.search(r'tagstudio_queue_age_seconds{catalogue="shop"} (\S+)', text)
    assert age is not None and 0 < float(age[1]) < 600


def test_all_web_processes_count_together(tmp_path: Path) -> None:
    """Two processes count, a third tells of both."""
    code = "from tagstudio import timing; import sys; timing.suggested('shop', 0.001)"
    tell = "from tagstudio import timing; from prometheus_client import generate_latest as g; print(g(timing.all_processes()).decode())"
    told = ""
    for words in (code, code, tell):
        done = subprocess.run(
            [sys.executable, "-c", words], env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        told = done.stdout
    assert 'tagstudio_suggest_seconds_count{catalogue="shop"} 2.0' in told


def test_the_house_says_little_to_the_database(client: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(7):
        client.get("/healthz")
    assert connection.connection is not None
