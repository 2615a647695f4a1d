"""Twenty training runs that are killed, stalled, cancelled and paused at random moments: each ends as it should.

Left out of the default lane (``-m slow``): some minutes. On the lane's database and broker, with real workers and the real
``python -m ml train`` on a tiny encoder. A moment is anywhere from the start of the training process to a few seconds after
its last step, when the bundle is written, compared and adopted. What is measured is printed, and written to RUNS_FIGURES
where that names a file; what went wrong is told together at the end.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.db import connection

from annotations.actions import training
from annotations.models import Job, ModelVersion, TrainingRun
from tests.annotations.conftest import World, build_world
from tests.ml import tiny

from . import conftest
from .conftest import Worker

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.slow, pytest.mark.worker, pytest.mark.torch, pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(0),
]  # fmt: skip
Start = Callable[..., Worker]

RUNS = int(os.environ.get("FAULT_RUNS", "20"))
FIRST = int(os.environ.get("FAULT_FIRST", "0"))  # twenty in parts: which faults a run meets depends on its number alone
SEED = int(os.environ.get("FAULT_SEED", "6"))
SILENCE_S = os.environ.get("FAULT_SILENCE", "60")  # more than torch takes to be read: on a busy machine that is minutes
PATIENCE_S = 180 + float(SILENCE_S)  # a halted child is let alone for as long as the silence lasts
EVERY_S = 0.5
EDGE, EDGE_S = 0.1, 3.0  # places below 0 and above 1: so long before the first step, or after the last
ENVIRONMENT = {
    "TRAINING_SLOTS": "cpu", "TRAINING_HOST": "box", "TRAINING_SILENCE_SECONDS": SILENCE_S, "OMP_NUM_THREADS": "1",
    "JOB_LEASE_SECONDS": "3", "TRAINING_NICE": "0", "FAULT_RETRY_SECONDS": "0.5",
}  # fmt: skip
until = partial(conftest.until, every=0.2)  # looking costs what is looked at its time
FAULTS = (
    "kill the child",
    "kill the worker",
    "stall the child",
    "stall the worker",
    "cancel",
    "pause",
    "kill while pausing",
)


def plan(base: Path) -> dict[str, Any]:
    return {
        "base": str(base), "epochs": 60, "batch_size": 8, "learning_rate": 1e-3, "head_learning_rate": 1e-2,
        "max_length": 32, "threads": 1, "device": "cpu", "patience": 0, "checkpoint_every_s": EVERY_S,
    }  # fmt: skip


@dataclass
class Shop:
    world: World
    base: Path
    start: Start
    workers: list[Worker] = field(default_factory=list)

    def hire(self) -> None:
        self.workers.append(self.start(**ENVIRONMENT))

    def run(self) -> TrainingRun:
        return training.request_training(catalogue=self.world.catalogue, user=None, plan=plan(self.base))


@pytest.fixture
def shop(transactional_db: Any, worker: Start, tmp_path: Path) -> Shop:
    world = build_world(products=48)
    rng = random.Random(1)
    for product in world.products:
        world.decide(
            product,
            complete="colour material",
            **{rng.choice(["black", "red", "white"]): "accept", rng.choice(["cotton", "wool"]): "accept"},
        )
    shop = Shop(world, tiny.checkpoint(tmp_path / "base"), worker)
    shop.hire()
    return shop


def job_of(run: TrainingRun) -> Job:
    return Job.objects.get(pk=run.job_id)


def ended(run: TrainingRun, seconds: float = PATIENCE_S) -> TrainingRun:
    until(lambda: not job_of(run).live, seconds)
    return TrainingRun.objects.select_related("job", "model_version").get(pk=run.pk)


def child_of(run: TrainingRun) -> psutil.Process | None:
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        found = psutil.Process(int((training.folder_of(run) / "child.pid").read_text()))
        if found.status() != psutil.STATUS_ZOMBIE and str(training.folder_of(run)) in found.cmdline():
            return found
    return None


def events(run: TrainingRun, since: float = 0.0) -> Iterator[dict[str, Any]]:
    """What its process has said, all attempts one after the other."""
    with suppress(OSError):
        for line in (training.folder_of(run) / "log.jsonl").read_text().splitlines():
            with suppress(ValueError):  # a line cut short by a kill
                event = json.loads(line)
                if event["time"] >= since:
                    yield event


def came_to(run: TrainingRun, steps: int) -> float:
    """How far this attempt is, 0 to 1; more once it writes its bundle; -1 while it has taken no step."""
    job = job_of(run)
    if job.state != Job.State.RUNNING or job.started_at is None:
        return -1.0
    place = -1.0
    for event in events(run, job.started_at.timestamp()):
        if event["event"] == "progress":
            place = event["step"] / steps
        elif event["event"] == "log" and event["text"] == "writing the bundle":
            place = 1.0 + EDGE
    return place


def reach(run: TrainingRun, place: float, steps: int) -> bool:
    """Whether it came so far while it could still be disturbed. ``place`` is from -EDGE to 1 + EDGE."""
    if place < 0:
        until(lambda: child_of(run) or not job_of(run).live, PATIENCE_S)
        time.sleep((EDGE + place) / EDGE * EDGE_S)
    else:
        until(lambda: came_to(run, steps) >= min(place, 1 + EDGE / 2) or not job_of(run).live, PATIENCE_S)
        time.sleep(max(0.0, place - 1) / EDGE * EDGE_S)
    return job_of(run).live


def disturb(shop: Shop, run: TrainingRun, fault: str, rng: random.Random) -> str:
    """Returns what was done: a process that has ended, or not begun, is not stalled or killed, but its worker is."""
    child = child_of(run)
    if fault.endswith("the child") and child is None:
        fault = "kill the worker"
    if fault == "kill the child" and child:
        child.kill()
    elif fault == "kill the worker":
        shop.workers.pop().kill()
        time.sleep(rng.uniform(0, 1))
        shop.hire()
    elif fault == "stall the child" and child:
        child.suspend()
    elif fault == "stall the worker":
        stalled = shop.workers.pop()
        halt(stalled)
        shop.hire()  # takes over when the lease is over, and ends what the other one started
        until(
            lambda: job_of(run).owner.split(":")[-2] == str(shop.workers[-1].process.pid) or not job_of(run).live,
            PATIENCE_S,
        )
        stalled.process.send_signal(signal.SIGCONT)
        time.sleep(2)
        stalled.stop()
    elif fault == "cancel":
        training.cancel_training(run=run, user=None)
    elif fault == "pause":
        training.pause_training(run=run, user=None)
        until(lambda: rests(run), PATIENCE_S)
        assert child_of(run) is None, "what it computed on is free"
        training.resume_training(run=run, user=None)
    elif fault == "kill while pausing":
        training.pause_training(run=run, user=None)
        time.sleep(rng.uniform(0, 0.3))
        shop.workers.pop().kill()
        shop.hire()
        until(lambda: rests(run), PATIENCE_S)
        training.resume_training(run=run, user=None)
    return fault


def halt(worker: Worker) -> None:
    """But not inside a write: on SQLite that halts all who write, until it goes on or is killed."""
    for _try in range(50):
        worker.process.send_signal(signal.SIGSTOP)
        if connection.vendor != "sqlite" or free_to_write():
            return
        worker.process.send_signal(signal.SIGCONT)
        time.sleep(0.05)


def free_to_write() -> bool:
    with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=2)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        database.rollback()
        return True


def rests(run: TrainingRun) -> bool:
    """Or has ended just before it would have."""
    job = job_of(run)
    return job.state == Job.State.PAUSED or not job.live


def weights(run: TrainingRun) -> str:
    assert run.model_version is not None
    bundle = Path(settings.MODELS_ROOT) / run.model_version.path
    return hashlib.sha256((bundle / "torch" / "model.safetensors").read_bytes()).hexdigest()


def redone(run: TrainingRun) -> list[tuple[int, float]]:
    """``(steps, seconds)`` of work that each new attempt did again, from the log that the run keeps.

    The loop looks at the clock before each step, so what an attempt has unsaved is at most a checkpoint's interval and
    the step that went beyond it, however slow the machine; that is what is asserted.
    """
    found, newest = [], 0
    left: tuple[int, float] | None = None  # the last step that was heard of, and seconds since what was safe then
    for said in attempts(run):
        texts = [event["text"] for event in said if event["event"] == "log"]
        resumed = next((int(t.split("after step ")[1].split(" ")[0]) for t in texts if "resumed after step" in t), None)
        steps = [(event["step"], event["time"]) for event in said if event["event"] == "progress"]
        if resumed is None and not steps:
            continue  # ended before it came so far
        assert (resumed or 0) >= newest, "the newest checkpoint is the one it goes on from"
        if left and left[0] > (resumed or 0):
            found.append((left[0] - (resumed or 0), left[1]))
        step, end = steps[-1] if steps else (resumed or 0, said[0]["time"])
        times = [event["time"] for event in said if event["time"] <= end]
        safe = [(event["step"], event["time"]) for event in said if event["event"] == "checkpoint"]
        newest = max([newest, *(step for step, _at in safe)])
        left = (step, end - max([said[0]["time"], *(at for _step, at in safe if at <= end)]))
        slowest = max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
        assert left[1] <= EVERY_S + 2 * slowest, (left, slowest)
    return found


def attempts(run: TrainingRun) -> list[list[dict[str, Any]]]:
    parts: list[list[dict[str, Any]]] = []
    for event in events(run):
        if event.get("text") == "tags: starting":
            parts.append([])
        if parts:
            parts[-1].append(event)
    return parts


def play(shop: Shop, number: int, steps: int) -> tuple[TrainingRun, list[str]]:
    """A run with one or two faults, which ones and when is a function of ``number``."""
    rng = random.Random(SEED * 1000 + number)
    faults = [FAULTS[number % len(FAULTS)]]
    if faults[0] != "cancel" and number >= len(FAULTS):
        faults.append(rng.choice(["kill the child", "kill the worker", "pause"]))
    # asked to stop while its model is adopted, a run may rightly end first: that is no fault to be told of
    asked = [(rng.uniform(-EDGE, 0.9 if "cancel" in f or "paus" in f else 1 + EDGE), f) for f in faults]
    run, done = shop.run(), []
    for place, fault in sorted(asked):
        if reach(run, place, steps):
            done.append(f"{disturb(shop, run, fault, rng)} at {100 * place:.0f} %")
    return ended(run), done


def wrong_with(run: TrainingRun, faults: list[str], curve: Any, sha: str) -> str:
    """Empty where it ended as it should."""
    if child_of(run) is not None:
        return "somebody goes on training"
    if any(fault.startswith("cancel") for fault in faults):
        ok = run.job.state == Job.State.CANCELLED and run.model_version is None
        return "" if ok else "was not cancelled"
    if run.job.state != Job.State.DONE:
        return f"{run.job.state}: {run.job.error}"
    if run.report["curve"] != curve:
        return "another loss curve than the undisturbed run's"
    return "" if weights(run) == sha else "other weights than the undisturbed run's"


def test_twenty_runs(shop: Shop) -> None:
    began = time.monotonic()
    whole = ended(shop.run())
    assert whole.job.state == Job.State.DONE, (whole.job.error, shop.workers[-1].said[-2000:])
    curve, sha = whole.report["curve"], weights(whole)
    steps = int(curve[-1]["step"])
    rows: list[dict[str, Any]] = []
    for number in range(FIRST, FIRST + RUNS):
        run, faults = play(shop, number, steps)
        rows.append(
            {
                "run": number, "faults": faults, "state": run.job.state, "attempts": run.job.attempts,
                "redone": redone(run), "wrong": wrong_with(run, faults, curve, sha),
                "after_s": round(time.monotonic() - began),
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
        tell(rows, steps)
    assert [row for row in rows if row["wrong"]] == []
    models = ModelVersion.objects.filter(tier="full")
    finished = TrainingRun.objects.filter(job__state=Job.State.DONE)
    assert models.count() == finished.count() == finished.exclude(model_version=None).count(), "one model each"


def tell(rows: list[dict[str, Any]], steps: int) -> None:
    again = [one for row in rows for one in row["redone"]]
    figures = {
        "database": connection.vendor, "broker": settings.CELERY_BROKER_URL.split(":")[0], "runs": len(rows),
        "steps": steps, "checkpoint_every_s": EVERY_S, "faults": sum(len(row["faults"]) for row in rows),
        "done": sum(row["state"] == "done" for row in rows), "cancelled": sum(row["state"] == "cancelled" for row in rows),
        "wrong": sum(bool(row["wrong"]) for row in rows), "resumed": len(again),
        "most_seconds_redone": round(max((s for _n, s in again), default=0.0), 2),
        "most_steps_redone": max((n for n, _s in again), default=0),
    }  # fmt: skip
    print(json.dumps(figures), flush=True)
    if file := os.environ.get("RUNS_FIGURES"):
        Path(file).write_text(json.dumps({**figures, "rows": rows}, indent=1))
