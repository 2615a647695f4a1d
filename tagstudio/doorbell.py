"""Ring a worker's doorbell without ever waiting for the broker.

A thread of its own does the sending: whoever saves is never slowed down or stopped by a broker that is slow, locked or
gone. A bell that is not rung costs seconds, nothing else, since workers also look for themselves.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
import time

log = logging.getLogger(__name__)

QUIET_SECONDS = 5.0  # after a failure nobody tries for so long
_bells: queue.Queue[tuple[str, str]] = queue.Queue(maxsize=1000)
_lock = threading.Lock()
_ringer: tuple[int, threading.Thread] | None = None  # and the process it lives in: threads do not survive a fork


def ring(job_id: str, queue_name: str) -> None:
    """Say that a job waits. Returns at once and never raises."""
    try:
        _bells.put_nowait((job_id, queue_name))
    except queue.Full:
        log.warning("doorbell: too many bells wait, job %s is left to be found", job_id)
        return
    _start()


def warm() -> None:
    """Load the broker's client now, in the ringer's thread, so that the first bell of a process is as quick as any."""
    ring("", "")


def reachable() -> bool:
    """Whether the broker answers, asked with its short time-out and without trying again."""
    from tagstudio.celery import app

    try:
        with app.connection_for_write(transport_options={**app.conf.broker_transport_options}) as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:
        log.warning("doorbell: the broker cannot be reached (%s)", error)
        return False
    return True


def prune() -> int:
    """Take delivered messages out of the embedded broker; 0 with any other."""
    from tagstudio import broker

    return broker.prune()


def flush(seconds: float = 1.0) -> None:
    """Wait until all bells have rung, or the time is over."""
    end = time.monotonic() + seconds
    while _bells.unfinished_tasks and time.monotonic() < end:
        time.sleep(0.005)


def _start() -> None:
    global _ringer, _bells, _lock  # noqa: PLW0603 one ringer per process is what this module is
    if _ringer is not None and _ringer[0] != os.getpid():
        # forked: the parent's thread is not here, and its locks may have been held at that moment
        bells: queue.Queue[tuple[str, str]] = queue.Queue(maxsize=1000)
        while not _bells.empty():
            bells.put_nowait(_bells.get_nowait())
        _bells, _lock, _ringer = bells, threading.Lock(), None
    with _lock:
        if _ringer is None or not _ringer[1].is_alive():
            thread = threading.Thread(target=_ring_all, name="doorbell", daemon=True)
            _ringer = (os.getpid(), thread)
            thread.start()


def _ring_all() -> None:
    quiet_until = 0.0
    while True:
        job_id, queue_name = _bells.get()
        try:
            if not job_id:
                import tagstudio.celery  # noqa: F401
            elif time.monotonic() >= quiet_until:
                _send(job_id, queue_name)
        except Exception as error:
            quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("doorbell: the broker cannot be reached (%s); workers will find job %s", error, job_id)
        finally:
            _bells.task_done()


def _send(job_id: str, queue_name: str) -> None:
    from tagstudio.celery import app

    app.send_task("annotations.run_job", args=[job_id], queue=queue_name, retry=False, expires=300)


atexit.register(flush)
