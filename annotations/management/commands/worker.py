"""``manage.py worker``: work on jobs."""

from __future__ import annotations

import sys
import warnings
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from tagstudio.child import step_back

QUEUES = ("io", "ml")


class Command(BaseCommand):
    help = "Work on jobs: imports and exports on the queue io, everything that learns on ml."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queues", default=",".join(QUEUES), help="io, ml, or io,ml (the default)")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = [queue.strip() for queue in options["queues"].split(",") if queue.strip()]
        if not queues or set(queues) - set(QUEUES):
            self.stderr.write(f"--queues {options['queues']}: there are {' and '.join(QUEUES)}")
            sys.exit(2)
        from celery.platforms import SecurityWarning

        from tagstudio.celery import app

        arguments = ["--quiet", "worker", "--queues", ",".join(queues), "--hostname", f"{'-'.join(queues)}@%h"]
        arguments += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        # meant for pickled messages, which we refuse; in a container there often is no other user
        warnings.filterwarnings("ignore", category=SecurityWarning)
        step_back(settings.WORKER_NICE)
        app.worker_main(arguments)
