"""What Prometheus asks about catalogues: a fixed number of queries, however many there are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Count, F, Min, Q
from django.utils import timezone

from annotations.models import Catalogue, Decision, DriftAlert, Job, QueueItem, Verdict, Voice

WINDOW = 5000  # sequence numbers looked back on for the share that is accepted
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class CatalogueMetrics:
    """``queue_age`` in seconds, 0 with nothing waiting; ``models``: (tier, name); ``training``: state to runs."""

    slug: str
    queue_age: float = 0.0
    decisions: int = 0
    acceptance: float | None = None
    alerts: int = 0
    models: list[tuple[str, str]] = field(default_factory=list)
    training: dict[str, int] = field(default_factory=lambda: {"queued": 0, "running": 0})


def catalogue_metrics() -> list[CatalogueMetrics]:
    now = timezone.now()
    found: dict[int, CatalogueMetrics] = {}
    for catalogue in Catalogue.objects.select_related("serving", "encoder"):
        models = [(m.tier, m.name) for m in (catalogue.serving, catalogue.encoder) if m is not None]
        found[catalogue.pk] = CatalogueMetrics(catalogue.slug, models=models)
    waiting = QueueItem.objects.filter(status__in=QueueItem.WAITING, product__archived_at=None).order_by()
    for pk, first in waiting.values_list("catalogue").annotate(first=Min("product__created_at")):
        found[pk].queue_age = (now - first).total_seconds()
    own = Q(voice__in=(Voice.ALONE, Voice.VOTE)) & ~Q(verdict=Verdict.UNDO)
    lately = Decision.objects.filter(own, decided_at__gte=now - HOUR).order_by()
    for pk, n in lately.values_list("catalogue").annotate(n=Count("pk")):
        found[pk].decisions = n
    shown = Decision.objects.filter(
        own, seq__gt=F("catalogue__seq") - WINDOW, score_shown__isnull=False, undone_by=None,
        verdict__in=(Verdict.ACCEPT, Verdict.REJECT),
    ).order_by()  # fmt: skip
    taken = shown.values_list("catalogue").annotate(n=Count("pk"), good=Count("pk", filter=Q(verdict=Verdict.ACCEPT)))
    for pk, n, good in taken:
        found[pk].acceptance = good / n
    for pk, n in DriftAlert.objects.filter(seen_at=None).order_by().values_list("catalogue").annotate(n=Count("pk")):
        found[pk].alerts = n
    states: dict[int, dict[str, int]] = defaultdict(dict)
    runs = Job.objects.live().filter(kind="train", catalogue__isnull=False).order_by()
    for pk, state, n in runs.values_list("catalogue", "state").annotate(n=Count("pk")):
        if pk is not None:
            states[pk][state] = n
    for pk, some in states.items():
        found[pk].training.update(some)
    return list(found.values())
