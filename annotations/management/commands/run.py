"""``manage.py run``: web, workers and scheduler under one supervisor. Ctrl-C stops all of them."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from tagstudio import services
from tagstudio.supervisor import Printer, Service, Supervisor

PARTS = ("web", "worker-io", "worker-ml", "beat")
SECONDS_TO_COME_UP = 60.0


class Command(BaseCommand):
    help = "Start web, workers and scheduler under one supervisor; Ctrl-C stops all. PORT chooses the port."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")

    def handle(self, *args: Any, **options: Any) -> None:
        parts = [part.strip() for part in options["only"].split(",") if part.strip()]
        if not parts or set(parts) - set(PARTS):
            self.stderr.write(f"--only {options['only']}: there are {', '.join(PARTS)}")
            sys.exit(2)
        prepare(self)
        sys.exit(supervise(parts, self.stderr.write))


def prepare(command: BaseCommand) -> None:
    """The database as this version wants it, and the files that pages need."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        command.stdout.write("preparing the database")
        call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    connection.close()


def supervise(parts: list[str], complain: Callable[[str], Any], welcome: str = "") -> int:
    """Run until told to stop. ``welcome`` is shown below the address once the pages answer."""
    chosen: list[Service] = []
    port = 0
    if "web" in parts:
        try:
            port = services.free_port()
        except services.PortTaken as taken:
            complain(str(taken))
            return 1
        chosen.append(services.web(port))
    chosen += [services.worker(part.removeprefix("worker-")) for part in parts if part.startswith("worker-")]
    chosen += [services.beat()] if "beat" in parts else []
    home = {"TAGSTUDIO_HOME": str(settings.TAGSTUDIO_HOME), "PORT": str(port)}
    for service in chosen:
        service.env = {**service.env, **home}
    printer = Printer(["system", *(service.name for service in chosen)])
    printer.line("system", f"starting {', '.join(service.name for service in chosen)}")
    supervisor = Supervisor(chosen, printer=printer, once_up=(lambda: greet(printer, port, welcome)) if port else None)
    return supervisor.run()


def greet(printer: Printer, port: int, welcome: str) -> None:
    """Say the address when somebody answers there, and not before."""
    address = f"http://{services.address()}:{port}/"
    end = time.monotonic() + SECONDS_TO_COME_UP
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}healthz", timeout=2) as answer:  # noqa: S310 our own address
                json.load(answer)
            break
        except urllib.error.HTTPError:
            break  # it answers: that a worker is not there yet is for the page to say
        except (OSError, ValueError):
            time.sleep(0.2)
    else:
        printer.line("system", f"nothing answers at {address} after {SECONDS_TO_COME_UP:.0f} s: see web's lines above")
        return
    printer.plain("")
    printer.plain(f"  TagStudio is at {address}")
    for line in welcome.splitlines():
        printer.plain(f"  {line}")
    printer.plain("  Ctrl-C stops it.")
    printer.plain("")
