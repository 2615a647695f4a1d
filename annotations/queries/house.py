"""Questions about the house itself: is anybody at work?"""

from __future__ import annotations

from annotations.models import WorkerBeat
from annotations.queries.jobs import alive_since

QUEUES = ("io", "ml")


def queues_without_worker() -> list[str]:
    """The queues for which no worker has said lately that it lives. One query."""
    served: set[str] = set()
    for queues in WorkerBeat.objects.filter(beat_at__gte=alive_since()).values_list("queues", flat=True):
        served.update(queues.split(","))
    return [queue for queue in QUEUES if queue not in served]
