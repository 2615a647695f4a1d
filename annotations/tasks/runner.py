"""The runner: a worker's threads, which take jobs from the table whenever one of them is free.

A doorbell wakes it at once; without any it looks every few seconds by itself, so that a broker which is down or loses
messages costs seconds. Threads, since a long training run is only watched from here (the work is in a child process)
while refits go on beside it, and since they share the models in memory.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from typing import Any

from celery import signals
from django.conf import settings
from django.db import DatabaseError, connection

from annotations.actions import jobs
from annotations.queries.jobs import next_jobs
from annotations.tasks.registry import load

log = logging.getLogger(__name__)

SECONDS_TO_STOP = 15.0
RUNNERS: list[Runner] = []


class Runner:
    """``threads`` threads for the jobs of some queues. ``start`` and ``stop`` once each."""

    def __init__(self, *, queues: Sequence[str], threads: int, name: str = "") -> None:
        self.queues = tuple(queues)
        self.name = name or f"{'+'.join(queues)}@{socket.gethostname()}:{os.getpid()}"
        self.slots = [slot.name for slot in settings.TRAINING_SLOTS] if "ml" in queues else []
        self.stopping = threading.Event()
        self._bell = threading.Condition()
        self._rung = 0
        self._rung_for: list[str] = []
        self._threads = [
            threading.Thread(target=self._work, args=(n,), name=f"{self.name}:{n}", daemon=True) for n in range(threads)
        ]
        self._pulse = threading.Thread(target=self._beat, name=f"{self.name}:pulse", daemon=True)

    def start(self) -> None:
        for thread in (self._pulse, *self._threads):
            thread.start()

    def ring(self, job_id: str) -> None:
        with self._bell:
            self._rung_for.append(job_id)
            self._bell.notify()

    def stop(self, seconds: float = SECONDS_TO_STOP) -> bool:
        """Ask the handlers to stop (their jobs go back), wait for them, say goodbye. False when one did not."""
        self.stopping.set()
        with self._bell:
            self._bell.notify_all()
        for thread in (*self._threads, self._pulse):
            thread.join(timeout=seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, number: int) -> None:
        from annotations.tasks.run import work

        owner = f"{self.name}:{number}"
        while not self.stopping.is_set():
            try:
                for job_id in self._next():
                    if self.stopping.is_set() or work(job_id, owner=owner, stopping=self.stopping):
                        break
                else:
                    self._wait()
            except DatabaseError as error:
                log.warning("%s: the database cannot be reached (%s)", owner, error)
                self.stopping.wait(settings.JOB_SWEEP_SECONDS)
            except Exception:
                log.exception("%s: unforeseen", owner)
                self.stopping.wait(settings.JOB_SWEEP_SECONDS)
            finally:
                connection.close_if_unusable_or_obsolete()
        connection.close()

    def _next(self) -> list[str]:
        """Whom the bell rang for, then what waits in the table, oldest first."""
        with self._bell:
            rung, self._rung_for = self._rung_for, []
        return rung + [job for job in next_jobs(self.queues, slots=self.slots) if job not in rung]

    def _wait(self) -> None:
        with self._bell:
            if not self._rung_for and not self.stopping.is_set():
                self._bell.wait(timeout=settings.JOB_SWEEP_SECONDS)

    def _beat(self) -> None:
        while True:
            try:
                jobs.beat(name=self.name, queues=self.queues, slots=self.slots)
                jobs.settle()
            except DatabaseError as error:
                log.warning("%s: heartbeat not written (%s)", self.name, error)
                connection.close()
            if self.stopping.wait(settings.JOB_SWEEP_SECONDS):
                break
        try:
            jobs.forget_worker(name=self.name)
        except DatabaseError as error:
            log.warning("%s: goodbye not written (%s)", self.name, error)
        connection.close()


@signals.worker_ready.connect
def _start(sender: Any, **_kwargs: Any) -> None:
    queues = sorted(sender.task_consumer.queues and [queue.name for queue in sender.task_consumer.queues])
    threads = max(settings.WORKER_THREADS.get(queue, 1) for queue in queues)
    if "ml" in queues:
        threads += len(settings.TRAINING_SLOTS)  # each watches a run; refits and scoring never wait for one
    runner = Runner(queues=queues, threads=threads)
    RUNNERS.append(runner)
    runner.start()
    if "ml" in queues:  # so that the first decision is learnt from as quickly as the next ones
        threading.Thread(target=lambda: list(load()), name="loading", daemon=True).start()
    log.info("worker %s is ready: queues %s, %d threads", runner.name, ", ".join(queues), threads)


@signals.worker_shutting_down.connect
def _ask_to_stop(**_kwargs: Any) -> None:
    for runner in RUNNERS:
        runner.stopping.set()


@signals.worker_shutdown.connect
def _stop(**_kwargs: Any) -> None:
    for runner in RUNNERS:
        if not runner.stop():
            log.warning("%s: a job did not stop in time; another worker takes it when its lease is over", runner.name)
    RUNNERS.clear()
