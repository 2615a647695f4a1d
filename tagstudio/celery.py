"""Celery, as a doorbell: JSON only, no results, nothing acknowledged late, no message that matters.

The work itself is in rows (annotations/actions/jobs.py) and is done by the runner's threads
(annotations/tasks/runner.py). So the pool is ``solo``: a doorbell is answered in milliseconds, and no broker ever
waits for a long job.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"tagstudio.settings.{os.environ.get('TAGSTUDIO_ENV', 'dev')}")

import tagstudio.broker  # noqa: F401  makes the embedded broker's scheme known

app = Celery("tagstudio")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["annotations"], related_name="tasks.run")


@signals.setup_logging.connect
def _leave_logging_alone(**_kwargs: Any) -> None:
    """Django's LOGGING has been set up by then; Celery would set its own level over it."""
