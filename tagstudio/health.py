"""Is the house in order? ``/healthz`` for probes and people, ``/metrics`` for Prometheus."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tagstudio import doorbell

log = logging.getLogger(__name__)

QUEUES = ("io", "ml")
BROKER_SECONDS = 5.0  # how long an answer about the broker is good for


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when database and broker answer and each queue has a worker, else 503. No names, no addresses."""
    begun = time.monotonic()
    database = _database()
    answer: dict[str, Any] = {"database": database, "broker": _broker()}
    answer["workers"] = _workers() if database == "ok" else dict.fromkeys(QUEUES, 0)
    answer["model"] = _models() if database == "ok" else "unknown"
    well = database == answer["broker"] == "ok" and all(answer["workers"].values())
    answer["status"] = "ok" if well else "unwell"
    answer["seconds"] = round(time.monotonic() - begun, 4)
    return JsonResponse(answer, status=200 if well else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM annotations_job LIMIT 1")
            cursor.fetchone()
    except DatabaseError as error:
        log.warning("healthz: database: %s", error)
        return "failed"
    return "ok"


def _broker() -> str:
    """Asked at most every few seconds, and never waited for longer than the broker's own time-out."""
    known: str | None = cache.get("healthz-broker")
    if known is None:
        known = "ok" if doorbell.reachable() else "failed"
        cache.set("healthz-broker", known, BROKER_SECONDS)
    return known


def _workers() -> dict[str, int]:
    from annotations.queries.jobs import workers_alive

    return {queue: workers_alive(queue) for queue in QUEUES}


def _models() -> str:
    """Whether each catalogue has a model that suggests: ok, some, none."""
    from annotations.models import Catalogue

    total, without = Catalogue.objects.count(), Catalogue.objects.filter(serving=None).count()
    return "none" if without == total else "some" if without else "ok"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Counts of jobs, workers, decisions and queue items, and this process's own, as Prometheus reads them.

    Given to whoever asks from this machine, else only with the METRICS_TOKEN.
    """
    if not _may_read_metrics(request):
        return HttpResponse(status=404)
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

    from tagstudio.timing import all_processes

    said = generate_latest(REGISTRY) + generate_latest(_house()) + generate_latest(all_processes())
    return HttpResponse(said, content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    from django.utils.crypto import constant_time_compare

    token = settings.METRICS_TOKEN
    if token:
        return constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {token}")
    # behind a proxy everybody seems to come from this machine
    direct = "HTTP_X_FORWARDED_FOR" not in request.META
    return direct and request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1")


def _house() -> Any:
    """What the database says, counted now: every web process answers alike."""
    from django.db.models import Count, Min
    from prometheus_client import CollectorRegistry, Gauge

    from annotations.models import Catalogue, Job, QueueItem

    registry = CollectorRegistry()
    jobs = Gauge("tagstudio_jobs", "Jobs by queue and state", ["queue", "state"], registry=registry)
    for row in Job.objects.values("queue", "state").annotate(n=Count("pk")).order_by():
        jobs.labels(row["queue"], row["state"]).set(row["n"])
    oldest = Gauge("tagstudio_oldest_queued_job_seconds", "Age of the oldest job that waits", registry=registry)
    first = Job.objects.filter(state=Job.State.QUEUED).aggregate(first=Min("created_at"))["first"]
    oldest.set((timezone.now() - first).total_seconds() if first else 0)
    workers = Gauge("tagstudio_workers", "Workers alive, by queue", ["queue"], registry=registry)
    for queue, alive in _workers().items():
        workers.labels(queue).set(alive)
    items = Gauge("tagstudio_queue_items", "Products by status", ["catalogue", "status"], registry=registry)
    counted = QueueItem.objects.values("catalogue__slug", "status").annotate(n=Count("pk")).order_by()
    for slug, status, count in counted.values_list("catalogue__slug", "status", "n"):
        items.labels(slug, status).set(count)
    seq = Gauge("tagstudio_last_seq", "Last sequence number given to a decision", ["catalogue"], registry=registry)
    for slug, last in Catalogue.objects.values_list("slug", "seq"):
        seq.labels(slug).set(last)
    _learning(registry)
    return registry


def _learning(registry: Any) -> None:
    """Of each catalogue: how long products wait, decisions an hour, what suggests, training, what is taken, alerts."""
    from prometheus_client import Gauge

    from annotations.queries.metrics import catalogue_metrics

    def gauge(name: str, help_text: str, *labels: str) -> Any:
        return Gauge(f"tagstudio_{name}", help_text, ["catalogue", *labels], registry=registry)

    age = gauge("queue_age_seconds", "How long the product that waits longest has waited")
    hourly = gauge("decisions_last_hour", "Decisions of the last hour")
    active = gauge("active_model", "1 for the model that suggests and for the full model under it", "tier", "model")
    training = gauge("training_runs", "Training runs that wait or run, by state", "state")
    rate = gauge("acceptance_ratio", "Share of shown suggestions that were accepted, of the last decisions")
    alerts = gauge("drift_alerts_open", "Drift alerts that nobody has closed")
    for one in catalogue_metrics():
        age.labels(one.slug).set(one.queue_age)
        hourly.labels(one.slug).set(one.decisions)
        for tier, name in one.models:
            active.labels(one.slug, tier, name).set(1)
        for state, count in one.training.items():
            training.labels(one.slug, state).set(count)
        if one.acceptance is not None:
            rate.labels(one.slug).set(one.acceptance)
        alerts.labels(one.slug).set(one.alerts)
