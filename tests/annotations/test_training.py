"""Training runs: the child is watched, its model comes once, and promoting and going back are short acts.

The child here is a script that speaks the protocol of ``python -m ml train``: what is tested is the watching.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from annotations.actions import jobs, training
from annotations.actions.errors import Conflict, Refused
from annotations.models import AuditEvent, Catalogue, Event, Job, ModelVersion, TrainingRun
from annotations.queries import training as questions
from annotations.queries.jobs import next_jobs
from annotations.tasks import run as tasks
from annotations.tasks import training as task
from annotations.tasks.watched import Watched

from .conftest import World, build_world

pytestmark = pytest.mark.django_db(transaction=True)

CHILD = """
import json, os, pathlib, signal, subprocess, sys, time
folder = pathlib.Path(sys.argv[1]); plan = json.loads((folder / "config.json").read_text())
say = lambda **event: print(json.dumps(event), flush=True)
first = not (folder / "checkpoint").exists()
start = 0 if first else int((folder / "checkpoint").read_text())
signal.signal(signal.SIGTERM, signal.SIG_IGN if plan.get("stubborn") else lambda *_: (say(event="stopped"), sys.exit(143)))
if plan.get("grandchild"):
    subprocess.Popen(["sleep", "300"])
say(event="log", text="resumed" if start else "begun"); print("not an event")
say(event="device", device="cpu", name="Abacus", memory=2**30, precision="fp32", threads=1, processes=1)
for step in range(start + 1, 11):
    say(event="progress", stage="tags", step=step, total=10, epoch=1, epochs=1, loss=1 / step, eta_s=(10 - step) * 0.1,
        rate=20.0, tokens_per_s=400.0, memory=step * 2**20)
    (folder / "half").write_text(str(step)); (folder / "half").replace(folder / "checkpoint")
    say(event="checkpoint", stage="tags", step=step)
    if step == 5 and first and plan.get("die"):
        os.kill(os.getpid(), 9)
    if step == 5 and plan.get("always_die") or plan.get("die_each_step"):
        os.kill(os.getpid(), 9)
    if step == 5 and plan.get("hang"):
        time.sleep(300)
    if step == 5 and plan.get("fail"):
        say(event="failed", reason="8 decided products are too few"); sys.exit(1)
    if step == 5 and plan.get("crash"):
        raise RuntimeError("shapes do not match")
    time.sleep(plan.get("pause", 0.01))
(folder / "bundle").mkdir(); (folder / "bundle" / "bundle.json").write_text("{}")
report = {"primary": "micro_f1", "metrics": {"micro_f1": 0.8, "micro_f1_interval": [0.7, 0.9], "products": 5},
          "current": {"metrics": {"micro_f1": 0.6}}, "measured_on": "held_out", "odd": float("nan")}
(folder / "report.json").write_text(json.dumps(report))
say(event="done", bundle="bundle", hash="abc", report="report.json", metrics={"micro_f1": 0.8})
"""


@pytest.fixture
def world(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    settings.JOBS_ROOT, settings.MODELS_ROOT = tmp_path / "jobs", tmp_path / "models"
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    monkeypatch.setattr(task, "start_child", child_of_script(script))
    monkeypatch.setattr(task, "write_directory", write_directory)
    monkeypatch.setattr(task, "compare", lambda catalogue, directory, bundle: {"products": 5})
    monkeypatch.setattr(training, "check_plan", dict)  # the script's plans have fields of their own
    monkeypatch.setattr(tasks, "RETRY_SECONDS", -1.0)
    return build_world()


def child_of_script(script: Path) -> Callable[..., Watched]:
    return lambda claim, command, folder: Watched([sys.executable, str(script), str(folder)], folder=folder)


def write_directory(catalogue: Catalogue, directory: Path, plan: dict[str, Any]) -> dict[str, Any]:
    (directory / "config.json").write_text(json.dumps(plan))
    return {"data_hash": "d" * 64, "decided_seq": 7, "decision_count": 3, "product_count": 4}


def ask(world: World, **plan: Any) -> TrainingRun:
    return training.request_training(catalogue=world.catalogue, user=world.people["admin"], plan=plan)


def ended(run: TrainingRun) -> TrainingRun:
    tasks.run_now(run.job)
    run.refresh_from_db()
    run.job.refresh_from_db()
    return run


@pytest.fixture
def beside() -> Iterator[Callable[[TrainingRun], threading.Thread]]:
    """Run a job in a thread of its own."""
    threads: list[threading.Thread] = []

    def start(run: TrainingRun) -> threading.Thread:
        def body() -> None:
            tasks.work(str(run.job_id))
            connection.close()

        threads.append(threading.Thread(target=body))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_from_request_to_candidate(world: World) -> None:
    run = ended(ask(world, epochs=1))
    assert run.job.state == Job.State.DONE, run.job.error
    model = run.model_version
    assert model is not None and (model.state, model.metrics["micro_f1"], model.decided_seq) == ("candidate", 0.8, 7)
    assert (Path(task.settings.MODELS_ROOT) / model.path / "bundle.json").is_file()
    assert [point["step"] for point in run.curve] == list(range(1, 11)) and run.curve[0]["loss"] == 1.0
    assert run.report["odd"] is None and (run.data_hash, run.decision_count) == ("d" * 64, 3)
    assert run.device["name"] == "Abacus" and run.device["peak"] == 10 * 2**20 and run.reason == "asked"
    assert run.device["stages"] == {"tags": {"rate": 20.0, "tokens_per_s": 400.0}} and run.device["slot"]
    assert "not an event" in run.job.log and (run.job.done_count, run.job.total_count) == (10, 10)
    words = list(AuditEvent.objects.order_by("id").values_list("word", flat=True))
    assert words == [Event.TRAINING_STARTED, Event.TRAINING_ENDED]


def test_one_runs_one_waits_and_asking_again_changes_the_waiting_plan(world: World) -> None:
    first = ask(world, epochs=1)
    assert ask(world, epochs=2).pk == first.pk
    first.refresh_from_db()
    assert first.plan == {"epochs": 2} and first.job.coalesce_key
    claim = jobs.claim(job_id=first.job_id, owner="a", slots=["box/gpu0"])
    second = ask(world, epochs=3)
    assert (second.number, claim is not None) == (2, True)
    assert jobs.claim(job_id=second.job_id, owner="b", slots=["box/gpu1"]) is None, "one runs per catalogue"
    other = Catalogue.objects.create(slug="other", name="Other")
    third = training.request_training(catalogue=other, user=None, plan={})
    assert jobs.claim(job_id=third.job_id, owner="b") is None, "nothing to train on"
    assert jobs.claim(job_id=third.job_id, owner="b", slots=["box/gpu0"]) is None, "one accelerator, one training"
    assert next_jobs(["ml"], slots=["box/gpu0"]) == []
    elsewhere = jobs.claim(job_id=third.job_id, owner="b", slots=["box/gpu0", "box/gpu1"])
    assert elsewhere is not None and elsewhere.job.slot == "box/gpu1"


def test_a_killed_child_is_resumed_and_the_curve_is_as_without(world: World) -> None:
    run = ended(ask(world, die=True))
    assert run.job.state == Job.State.RUNNING, "given back"
    run = ended(run)
    assert run.job.state == Job.State.DONE and run.job.attempts == 2 and "resumed" in run.job.log
    assert [point["step"] for point in run.curve] == list(range(1, 11))
    assert ModelVersion.objects.count() == 1


def test_one_that_is_always_killed_fails_in_words(world: World) -> None:
    run = ask(world, always_die=True)
    for _ in range(4):  # the first got somewhere, three got no further
        shutil.rmtree(training.folder_of(run), ignore_errors=True)
        ended(run)
    assert run.job.state == Job.State.FAILED and "memory" in run.job.error and not ModelVersion.objects.exists()


@pytest.mark.long
def test_one_that_gets_further_each_time_is_not_given_up(world: World) -> None:
    run = ask(world, die_each_step=True)
    for _ in range(10):
        run = ended(run)
        assert run.job.live or run.job.state == Job.State.DONE, run.job.error
    run = ended(run)
    assert (run.job.state, run.job.attempts, run.job.fruitless) == (Job.State.DONE, 11, 1)
    assert [point["step"] for point in run.curve] == list(range(1, 11))


def paused(run: TrainingRun) -> bool:
    run.job.refresh_from_db()
    return bool(run.job.state == Job.State.PAUSED)


@pytest.mark.long
def test_paused_it_frees_its_slot_and_goes_on_to_the_same_curve(world: World, beside: Any) -> None:
    admin = world.people["admin"]
    run = ask(world, pause=0.2)
    beside(run)
    until(lambda: Job.objects.get(pk=run.job_id).done_count >= 3)
    group = children_of(run)
    training.pause_training(run=run, user=admin)
    training.pause_training(run=run, user=admin)
    until(lambda: paused(run))
    assert not [p for p in group if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert (run.job.attempts, run.job.fruitless, run.job.lease_until) == (0, 0, None)
    assert not tasks.work(str(run.job_id)), "nobody takes it while it rests"
    other = ended(ask(world))
    assert other.job.state == Job.State.DONE and other.pk != run.pk, "what it computed on is free meanwhile"
    training.resume_training(run=run, user=admin)
    run = ended(run)
    assert run.job.state == Job.State.DONE and "resumed" in run.job.log
    assert [point["step"] for point in run.curve] == list(range(1, 11))
    words = list(
        AuditEvent.objects.filter(word__in=(Event.TRAINING_PAUSED, Event.TRAINING_RESUMED)).values_list("word")
    )
    assert len(words) == 2, "each once, however often it is asked"


def test_killed_while_it_is_pausing_it_is_paused_all_the_same(world: World) -> None:
    run = ask(world)
    claim = jobs.claim(job_id=run.job_id, owner="dies", slots=["box/cpu"])
    assert claim is not None
    training.pause_training(run=run, user=None)
    Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert jobs.claim(job_id=run.job_id, owner="next", slots=["box/cpu"]) is None, "somebody wants it to rest"
    jobs.settle()
    assert paused(run)
    training.resume_training(run=run, user=None)
    assert ended(run).job.state == Job.State.DONE


def test_resumed_before_it_rested_it_goes_on(world: World) -> None:
    run = ask(world)
    claim = jobs.claim(job_id=run.job_id, owner="a", slots=["box/cpu"])
    assert claim is not None
    training.pause_training(run=run, user=None)
    with pytest.raises(jobs.JobPaused):
        claim.look()
    training.resume_training(run=run, user=None)
    jobs.end_paused(claim=claim)
    assert ended(run).job.state == Job.State.DONE


def test_a_waiting_run_is_paused_at_once_and_a_paused_one_cancelled_at_once(world: World) -> None:
    run = ask(world)
    training.pause_training(run=run, user=None)
    assert paused(run) and run.job.live
    assert ask(world).pk != run.pk, "asking again is another run, not this one's plan"
    (training.folder_of(run) / "work").mkdir(parents=True)
    training.cancel_training(run=run, user=None)
    run.job.refresh_from_db()
    assert run.job.state == Job.State.CANCELLED and not (training.folder_of(run) / "work").exists()
    training.resume_training(run=run, user=None)
    run.job.refresh_from_db()
    assert run.job.state == Job.State.CANCELLED


@pytest.mark.parametrize(("plan", "words"), [("fail", "too few"), ("crash", "shapes do not match")])
def test_a_child_that_fails_says_why(world: World, plan: str, words: str) -> None:
    run = ended(ask(world, **{plan: True}))
    assert run.job.state == Job.State.FAILED and words in run.job.error
    event = AuditEvent.objects.filter(word=Event.TRAINING_ENDED).get()
    assert event.data["outcome"] == "failed" and words in event.data["error"]


def test_a_silent_child_is_taken_for_hung(world: World, settings: Any) -> None:
    settings.TRAINING_SILENCE_SECONDS = 1
    run = ended(ask(world, hang=True))
    assert run.job.state == Job.State.RUNNING and run.job.attempts == 1
    assert not children_of(run)


@pytest.mark.long
@pytest.mark.parametrize("stubborn", [False, True])
def test_cancel_reaches_the_child_within_ten_seconds(
    world: World, beside: Any, settings: Any, stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ask(world, pause=0.3 if not stubborn else 30, stubborn=stubborn, grandchild=True)
    thread = beside(run)
    until(lambda: children_of(run) and Job.objects.get(pk=run.job_id).done_count)
    group = children_of(run)
    asked = time.monotonic()
    training.cancel_training(run=run, user=world.people["admin"])
    thread.join(timeout=20)
    seconds = time.monotonic() - asked
    print(f"cancelled after {seconds:.1f} s (stubborn: {stubborn})")
    run.job.refresh_from_db()
    assert run.job.state == Job.State.CANCELLED
    assert not [p for p in group if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert AuditEvent.objects.filter(word=Event.TRAINING_CANCELLED).count() == 1


def children_of(run: TrainingRun) -> list[psutil.Process]:
    """The child of the run and all that it started."""
    folder, found = str(training.folder_of(run)), []
    for process in psutil.Process().children():
        try:
            if folder in process.cmdline():
                found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found


def test_a_stale_worker_adopts_nothing(world: World) -> None:
    run = ask(world)
    stale = jobs.claim(job_id=run.job_id, owner="a", slots=["box/cpu"])
    assert stale is not None
    Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    run = ended(run)
    with pytest.raises(jobs.LeaseLost):
        training.adopt(claim=stale, run=run, path="x", sha256="", report={})
    assert ModelVersion.objects.count() == 1


def test_killed_between_moving_the_bundle_and_storing_the_model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    run = ask(world)
    real = training.adopt

    def kill(**_: Any) -> None:
        raise Killed

    monkeypatch.setattr(training, "adopt", kill)
    with pytest.raises(Killed):
        tasks.run_now(run.job)
    monkeypatch.setattr(training, "adopt", real)
    Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(task, "start_child", None)  # there is nothing left to train
    run = ended(run)
    assert run.job.state == Job.State.DONE, run.job.error
    assert run.model_version is not None


@pytest.mark.long
def test_a_child_left_by_a_worker_that_was_given_up_is_ended_first(world: World, beside: Any) -> None:
    run = ask(world, pause=0.5)
    thread = beside(run)
    until(lambda: children_of(run))
    child = children_of(run)[0]

    def take_over() -> bool:
        # the first worker is alive and may renew its lease in between
        Job.objects.filter(pk=run.job_id).update(lease_until=timezone.now() - timedelta(seconds=1))
        return tasks.work(str(run.job_id))

    until(take_over)
    thread.join(timeout=20)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    run.job.refresh_from_db()
    assert run.job.state == Job.State.DONE and ModelVersion.objects.count() == 1


def full(world: World, number: int) -> ModelVersion:
    return ModelVersion.objects.create(
        catalogue=world.catalogue, number=number, tier=ModelVersion.Tier.FULL, path=f"full/{number}"
    )


def test_promote_and_back_and_back_again(world: World) -> None:
    catalogue, admin = world.catalogue, world.people["admin"]
    first, second = full(world, 1), full(world, 2)
    training.promote(catalogue=catalogue, model=first, user=admin)
    training.promote(catalogue=catalogue, model=second, user=admin)
    assert states() == {1: "retired", 2: "promoted"} and questions.in_use(catalogue)["encoder"] == second
    assert set(Job.objects.values_list("kind", flat=True)) == {"refit", "score"}
    assert training.rollback(catalogue=catalogue, user=admin) == first
    assert states() == {1: "promoted", 2: "retired"} and questions.in_use(catalogue)["encoder"] == first
    assert training.rollback(catalogue=catalogue, user=admin) is None
    assert questions.in_use(catalogue)["encoder"] is None and states() == {1: "retired", 2: "retired"}
    with pytest.raises(Refused, match="nothing to go back"):
        training.rollback(catalogue=catalogue, user=admin)
    assert AuditEvent.objects.filter(word=Event.MODEL_PROMOTED).count() == 2
    assert AuditEvent.objects.filter(word=Event.MODEL_ROLLED_BACK).count() == 2


def states() -> dict[int, str]:
    return dict(ModelVersion.objects.values_list("number", "state"))


def test_what_cannot_be_promoted(world: World) -> None:
    catalogue, admin = world.catalogue, world.people["admin"]
    model = full(world, 1)
    training.promote(catalogue=catalogue, model=model, user=admin)
    with pytest.raises(Conflict):
        training.promote(catalogue=catalogue, model=model, user=admin)
    with pytest.raises(Refused, match="another catalogue"):
        training.promote(catalogue=Catalogue.objects.create(slug="o", name="O"), model=model, user=admin)
    instant = ModelVersion.objects.create(catalogue=catalogue, number=9, tier=ModelVersion.Tier.INSTANT, path="i")
    with pytest.raises(Refused, match="only a full model"):
        training.promote(catalogue=catalogue, model=instant, user=admin)


def test_discarding_takes_the_files_and_spares_what_serves(world: World) -> None:
    catalogue, admin = world.catalogue, world.people["admin"]
    model, serving = full(world, 1), full(world, 2)
    folder = Path(task.settings.MODELS_ROOT) / model.path
    folder.mkdir(parents=True)
    training.promote(catalogue=catalogue, model=serving, user=admin)
    with pytest.raises(Conflict):
        training.discard(catalogue=catalogue, model=serving, user=admin)
    training.discard(catalogue=catalogue, model=model, user=admin)
    assert not folder.exists() and list(questions.models(catalogue)) == [serving]
    with pytest.raises(Conflict):
        training.promote(catalogue=catalogue, model=model, user=admin)


def test_the_report_is_kept_with_its_comparison(world: World) -> None:
    run = ended(ask(world))
    assert run.report["comparison"] == {"products": 5} and run.report["metrics"]["micro_f1"] == 0.8
    row = questions.run_rows(world.catalogue)[0]
    assert row.model == run.model_version and row.job.state == "done"


def test_a_comparison_that_fails_costs_the_comparison_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert task.compare(world.catalogue, Path("/nowhere"), Path("/nowhere")) is None


def ask_plainly(world: World) -> TrainingRun:
    return training.request_training(catalogue=world.catalogue, user=None, plan={"preset": "quick"})


def test_a_plan_that_cannot_be_followed_is_refused_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(Refused, match="did you mean 'epochs'"):
        training.request_training(catalogue=world.catalogue, user=None, plan={"epoch": 3})
    assert not Job.objects.exists()
    assert ask_plainly(world).plan == {"preset": "quick"}


def test_long_curves_are_thinned_but_keep_validations(world: World) -> None:
    run = ask(world)
    claim = jobs.claim(job_id=run.job_id, owner="a", slots=["box/cpu"])
    assert claim is not None
    curve = task.Curve(claim, run)
    for step in range(1, 3001):
        curve.add(
            {"stage": "tags", "step": step, "loss": 1.0, **({"val": {"primary": 0.5}} if step % 500 == 0 else {})}
        )
    assert len(curve.points) <= task.POINTS_KEPT and sum("val" in p for p in curve.points) == 6


def test_the_child_dies_with_its_worker(world: World, tmp_path: Path) -> None:
    """The launcher asks the kernel; no code of ours runs when a worker is killed."""
    import subprocess

    script = tmp_path / "worker.py"
    script.write_text(
        "import sys, time, pathlib\n"
        "from annotations.tasks.watched import Watched\n"
        "w = Watched([sys.executable, '-c', 'import time; time.sleep(300)'], folder=pathlib.Path(sys.argv[1]))\n"
        "print(w.process.pid, flush=True); time.sleep(300)\n"
    )
    root = Path(__file__).resolve().parents[2]
    worker = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(root)}, cwd=root,
    )  # fmt: skip
    assert worker.stdout is not None
    child = psutil.Process(int(worker.stdout.readline()))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 5)
