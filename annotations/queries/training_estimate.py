"""How long a run would take, judged by those that have been timed here, and what a run that waits is waiting for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotations.models import Catalogue, Job, TrainingRun
from annotations.queries.jobs import Place, workers_alive

LIKE = ("base", "freeze", "tuning", "max_length")  # what makes two plans equally fast, the device apart
RUNS_LOOKED_AT = 30


@dataclass(frozen=True, slots=True)
class Estimate:
    """``seconds`` at most, since it may stop early; judged by run ``number``, which computed on ``device``."""

    seconds: float
    number: int
    device: str


def estimate(catalogue: Catalogue, plan: Mapping[str, Any], products: int) -> Estimate | None:
    """For ``products`` decided ones under a ``plan`` with every field. None while no run like it has been timed here."""
    runs = catalogue.training_runs.filter(job__state=Job.State.DONE, reason__in=_OWN).select_related("job")  # type: ignore[attr-defined]
    for run in runs.order_by("-number")[:RUNS_LOOKED_AT]:
        if (found := _judged_by(run, plan, products)) is not None:
            return found
    return None


_OWN = [reason for reason in TrainingRun.Reason.values if reason != TrainingRun.Reason.UPLOAD]


def _judged_by(run: TrainingRun, plan: Mapping[str, Any], products: int) -> Estimate | None:
    former, device = run.report.get("plan", {}), run.device
    stages = device.get("stages", {})
    rate = stages.get("tags", {}).get("rate", 0)
    if not rate or any(former.get(name) != plan.get(name) for name in LIKE):
        return None
    shares = (1 - plan["heldout_share"]) * (1 - plan["validation_share"])
    seconds = products * shares * plan["epochs"] / rate
    if plan["pretrain_steps"]:
        tokens = stages.get("pretrain", {}).get("tokens_per_s", 0)
        if not tokens:
            return None
        seconds += plan["pretrain_steps"] * plan["pretrain_batch_tokens"] / tokens
    name = str(device.get("name") or device.get("device") or "")
    return Estimate(seconds + _around(run, rate, former), run.number, name)


def _around(run: TrainingRun, rate: float, former: Mapping[str, Any]) -> float:
    """Seconds of a run that are not its steps: loading, the bundle, measuring, comparing."""
    if run.job.started_at is None or run.job.finished_at is None or run.job.attempts > 1:
        return 0.0
    trained = run.report.get("data", {}).get("train", 0)
    epochs = max((int(v.get("epoch", 0)) + 1 for v in run.report.get("validations", [])), default=0)
    pretrained = run.device.get("stages", {}).get("pretrain", {}).get("tokens_per_s", 0)
    steps = trained * epochs / rate
    if pretrained:
        steps += former.get("pretrain_steps", 0) * former.get("pretrain_batch_tokens", 0) / pretrained
    return max(0.0, float((run.job.finished_at - run.job.started_at).total_seconds() - steps))


def waits_for(run: TrainingRun, places: list[Place]) -> str:
    """Why a queued run has not begun, in words; empty for one that is not queued."""
    job = run.job
    if job.state != Job.State.QUEUED:
        return ""
    if not workers_alive(job.queue):
        return _("waiting: no worker for learning is alive")
    if job.needs and not places:
        return _("waiting: no worker that is alive trains (TRAINING_SLOTS)")
    other = TrainingRun.objects.filter(
        catalogue=run.catalogue_id, job__state=Job.State.RUNNING, job__coalesce_key=job.coalesce_key
    ).first()
    if other is not None and job.coalesce_key:
        return _("waiting until run %(n)d has ended") % {"n": other.number}
    if job.needs and all(place.job for place in places):
        return _("waiting: everything to train on is busy")
    return _("waiting for the worker")
