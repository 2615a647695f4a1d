"""Whether somebody is at the pages right now: long jobs on the same machine then work in smaller bites.

One file says it, in the home that web processes and workers share; on several machines each knows of its own. Its time
is that of the latest request, and whoever is being served holds a shared lock on it, which ends with the process at the
latest.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HERE_SECONDS = 3.0
"""How long somebody counts as present after a request."""
LOOK_AGAIN_SECONDS = 0.002


class PresenceMiddleware:
    """Notes each request of a person. What htmx fetches again and again to show progress is none of those."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (request.method == "GET" and "HX-Request" in request.headers) or _asked_by_machines(request.path):
            return self.get_response(request)
        with serving():
            return self.get_response(request)


@contextlib.contextmanager
def serving() -> Iterator[None]:
    """Around a request. Never in the way of it: a home that cannot be written to is another page's business."""
    try:
        file = os.open(_file(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        with contextlib.suppress(OSError):
            os.utime(file)
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)


def somebody_is_here() -> bool:
    try:
        return time.time() - _file().stat().st_mtime < HERE_SECONDS
    except OSError:
        return False


def let_pass(at_most: float) -> None:
    """Wait until nobody is being served, ``at_most`` seconds: where many are, a job goes on between them."""
    until = time.monotonic() + at_most
    try:
        file = os.open(_file(), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(LOOK_AGAIN_SECONDS)
    finally:
        os.close(file)


def _file() -> Path:
    return Path(settings.TAGSTUDIO_HOME) / "present"


def _asked_by_machines(path: str) -> bool:
    return path.startswith(("/healthz", "/metrics", "/api/"))
