"""Which processes make a TagStudio, as commands for the supervisor."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from pathlib import Path

from tagstudio.settings import env
from tagstudio.supervisor import Service

ROOT = Path(__file__).resolve().parent.parent
PORTS_TRIED = 20


class PortTaken(Exception):
    """Somebody else listens there. The message says what to do."""


def address() -> str:
    return env.text("BIND_ADDRESS", "127.0.0.1")


def free_port() -> int:
    """PORT, when it is said (PortTaken when it is not free); else the first free one from 8000 on."""
    asked = env.integer("PORT", 0, 0, 65535)
    if asked:
        if not _free(asked):
            raise PortTaken(f"port {asked} is taken: stop what listens there, or choose another with PORT=")
        return asked
    for port in range(8000, 8000 + PORTS_TRIED):
        if _free(port):
            return port
    raise PortTaken(f"ports 8000 to {8000 + PORTS_TRIED - 1} are all taken: choose one with PORT=")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address(), port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def web(port: int) -> Service:
    workers, threads = env.integer("WEB_WORKERS", 2, 1, 256), env.integer("WEB_THREADS", 4, 1, 256)
    words = ["-m", "gunicorn", "tagstudio.wsgi", "--bind", f"{address()}:{port}", "--worker-class", "gthread"]
    words += ["--workers", str(workers), "--threads", str(threads), "--graceful-timeout", "10", "--timeout", "60"]
    words += ["--log-level", "warning", "--no-control-socket"]
    if os.access("/dev/shm", os.W_OK):  # noqa: S108 gunicorn's heartbeat file should not wait for a disk
        words += ["--worker-tmp-dir", "/dev/shm"]  # noqa: S108
    return Service("web", [sys.executable, *words], env={"PROMETHEUS_MULTIPROC_DIR": str(counters())})


def counters() -> Path:
    """Where the web processes count for /metrics: one folder for all of them, empty at each start."""
    folder = env.home(ROOT / "var") / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def worker(queue: str) -> Service:
    return Service(f"worker-{queue}", [sys.executable, str(ROOT / "manage.py"), "worker", "--queues", queue])


def beat() -> Service:
    words = ["-m", "celery", "--quiet", "--app", "tagstudio", "beat", "--pidfile", ""]
    return Service("beat", [sys.executable, *words])
