"""How long answers take, counted over all web processes, for ``/metrics``.

Each process counts in files of its own below ``PROMETHEUS_MULTIPROC_DIR`` (the supervisor names and empties it), and
whichever process is asked adds them up. Without that variable each process tells of itself alone.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)


@lru_cache(maxsize=1)
def _suggest() -> tuple[Any, Any]:
    from prometheus_client import CollectorRegistry, Histogram

    registry = CollectorRegistry()
    histogram = Histogram(
        "tagstudio_suggest_seconds", "Time to answer a request for suggestions", ["catalogue"], buckets=BUCKETS,
        registry=registry,
    )  # fmt: skip
    return histogram, registry


def suggested(catalogue: str, seconds: float) -> None:
    """A request for suggestions was answered."""
    _suggest()[0].labels(catalogue).observe(seconds)


def all_processes() -> Any:
    """A registry with what every web process has counted."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return _suggest()[1]
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)
    return registry
