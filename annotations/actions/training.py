"""Full models: asked for, trained, adopted, promoted, rolled back, discarded. Each is a short act in the database."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs, learning
from annotations.actions import former as former_suggestions
from annotations.actions.claims import Claim
from annotations.actions.errors import Conflict, Refused
from annotations.actions.numbering import create_next
from annotations.models import Catalogue, Event, Job, ModelVersion, TrainingRun, User
from annotations.queries.gate import Gate, objections_to

KIND = "train"
REASON_LENGTH = 1000
TOLD = ("base", "seed", "data", "libraries", "licence", "validation")
NEEDS = "train"  # what each run needs of a worker: one of its TRAINING_SLOTS, for itself
State = ModelVersion.State


def request_training(
    *,
    catalogue: Catalogue,
    user: User | None,
    plan: dict[str, Any] | None = None,
    reason: str = TrainingRun.Reason.ASKED,
) -> TrainingRun:
    """A run that waits for a worker. One runs and one waits per catalogue: asking again changes the waiting one's plan.

    Raises Refused naming the field of a plan that cannot be followed.
    """
    plan = plan or {}
    check_plan(plan)
    with transaction.atomic():
        job = jobs.enqueue(
            kind=KIND, queue="ml", catalogue=catalogue, user=user, coalesce_key=f"{KIND}:{catalogue.pk}", needs=NEEDS
        )
        run = TrainingRun.objects.select_related("job").filter(job=job).first()
        if run is None:
            run = new_run(catalogue=catalogue, job=job, user=user, plan=plan, reason=reason)
        elif run.plan != plan:
            run.plan = plan
            run.save(update_fields=["plan"])
        else:
            return run
        audit.record(word=Event.TRAINING_STARTED, catalogue=catalogue, user=user, target=str(run), data={"plan": plan})
    return run


def check_plan(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan with every field. Raises Refused naming one that cannot be followed."""
    from annotations import bridge  # loads numpy and more: only when somebody wants to train

    return bridge.checked_plan(plan)


def new_run(
    *, catalogue: Catalogue, job: Job, user: User | None, plan: dict[str, Any], reason: str = TrainingRun.Reason.ASKED
) -> TrainingRun:
    """The catalogue's next run."""
    return create_next(TrainingRun, catalogue=catalogue, job=job, user=user, plan=plan, reason=reason)


def cancel_training(*, run: TrainingRun, user: User | None) -> TrainingRun:
    """Stop it, or do nothing when it has ended."""
    with transaction.atomic():
        was = run.job.cancel_requested_at
        job = jobs.cancel(job=run.job, user=user)
        if was is None and job.cancel_requested_at is not None:
            audit.record(word=Event.TRAINING_CANCELLED, catalogue=run.catalogue, user=user, target=str(run))
        if job.state == Job.State.CANCELLED:  # nobody works on it who could tidy up
            work = folder_of(run) / "work"
            transaction.on_commit(lambda: shutil.rmtree(work, ignore_errors=True), robust=True)
    return run


def pause_training(*, run: TrainingRun, user: User | None) -> TrainingRun:
    """Let it write a checkpoint, and free what it computes on; or do nothing when it has ended."""
    if run.job.kind != KIND:
        raise Refused(_("Only training can be paused; this is done in a moment."), "kind")
    return _audited(run, user, Event.TRAINING_PAUSED, jobs.pause)


def resume_training(*, run: TrainingRun, user: User | None) -> TrainingRun:
    """Queue a paused run again: it goes on from its checkpoint, to the numbers of an undisturbed run."""
    return _audited(run, user, Event.TRAINING_RESUMED, jobs.resume)


def _audited(run: TrainingRun, user: User | None, word: Event, verb: Callable[..., Job]) -> TrainingRun:
    """Do it, and tell of it where it changed anything."""
    with transaction.atomic():
        run.job.refresh_from_db()
        before = (run.job.state, run.job.pause_requested_at)
        job = verb(job=run.job, user=user)
        if (job.state, job.pause_requested_at) != before:
            audit.record(word=word, catalogue=run.catalogue, user=user, target=str(run))
    return run


def folder_of(run: TrainingRun) -> Path:
    """Where the run's child works, and leaves what it has found."""
    return Path(settings.JOBS_ROOT) / f"train-{run.job_id}"


def run_of(job: Job) -> TrainingRun | None:
    return TrainingRun.objects.select_related("job", "catalogue").filter(job=job).first()


def store_facts(*, claim: Claim, run: TrainingRun, facts: dict[str, Any]) -> None:
    """What the run learns from: ``data_hash``, ``decided_seq``, ``decision_count``, ``product_count``."""
    names = ("data_hash", "decided_seq", "decision_count", "product_count")
    with transaction.atomic():
        claim.fence()
        for name in names:
            setattr(run, name, facts.get(name, getattr(run, name)))
        run.save(update_fields=names)


def store_curve(
    *, claim: Claim, run: TrainingRun, curve: list[dict[str, Any]], device: dict[str, Any] | None = None
) -> None:
    """How it goes: the curve so far and, where it is known by now, what it computes on and how fast."""
    with transaction.atomic():
        claim.fence()
        TrainingRun.objects.filter(pk=run.pk).update(curve=curve, **({"device": device} if device else {}))


def adopt(
    *,
    claim: Claim,
    run: TrainingRun,
    path: str,
    sha256: str,
    report: dict[str, Any],
    bundle_card: dict[str, Any] | None = None,
) -> ModelVersion:
    """Make a finished run's bundle a candidate: once per run, and never by a worker that lost the job.

    bundle_card: what the bundle says of itself; the part that tells where the model comes from goes on its card
    """
    told = {key: value for key, value in (bundle_card or {}).items() if key in TOLD}
    with transaction.atomic():
        claim.fence()
        run.refresh_from_db(fields=["model_version"])
        if run.model_version is not None:
            return run.model_version
        model = learning.new_version(
            catalogue=run.catalogue, tier=ModelVersion.Tier.FULL, state=State.CANDIDATE, path=path, sha256=sha256,
            metrics=report.get("metrics", {}), card={"run": run.number, "plan": run.plan, **told}, decided_seq=run.decided_seq,
        )  # fmt: skip
        TrainingRun.objects.filter(pk=run.pk).update(model_version=model, report=report)
        note_end(run=run, outcome="done", model=model.name)
    run.model_version, run.report = model, report
    return model


def note_end(*, run: TrainingRun, outcome: str, **more: Any) -> None:
    audit.record(
        word=Event.TRAINING_ENDED, catalogue=run.catalogue, user=run.user, target=str(run),
        data={"outcome": outcome, **more},
    )  # fmt: skip


def promote(*, catalogue: Catalogue, model: ModelVersion, user: User | None, override: str = "") -> ModelVersion:
    """Put a full model under the instant head. The head is refitted on it and everything is scored again by jobs.

    override: why it is promoted though the catalogue's gate objects; without it Refused says what the gate objects to
    """
    if model.catalogue_id != catalogue.pk:
        raise Refused(_("This model belongs to another catalogue."), "wrong_catalogue")
    if model.tier != ModelVersion.Tier.FULL:
        raise Refused(_("The instant model follows the decisions by itself; only a full model is promoted."), "tier")
    objections = objections_to(model)
    override = override.strip()[:REASON_LENGTH]
    if objections and not override:
        raise Refused(
            " ".join(o.message for o in objections) + " " + _("An admin may promote it all the same and say why."),
            "gate",
            objections=[o.code for o in objections],
        )
    held = {"override": override, "objections": [o.message for o in objections]} if objections else {}
    with transaction.atomic():
        fresh = _lock(catalogue)
        before, catalogue.serving = fresh.encoder, fresh.serving
        changed = ModelVersion.objects.filter(pk=model.pk, state__in=(State.CANDIDATE, State.RETIRED)).update(
            state=State.PROMOTED, promoted_at=timezone.now()
        )
        if not changed:
            model.refresh_from_db()
            raise Conflict(
                _("%(model)s is %(state)s.") % {"model": model.name, "state": model.get_state_display()},
                "model_state",
                state=model.state,
            )
        ModelVersion.objects.filter(pk=model.pk).update(replaced=catalogue.serving_id)
        _serve(catalogue, before, model)
        audit.record(
            word=Event.MODEL_PROMOTED, catalogue=catalogue, user=user, target=model.name,
            data={"before": before.name if before else None, **held},
        )  # fmt: skip
    model.refresh_from_db()
    return model


def set_gate(*, catalogue: Catalogue, user: User, gate: Gate) -> None:
    """What this catalogue asks of a candidate from now on. Raises Refused for numbers that make no gate."""
    if not (0 <= gate.margin <= 1 and 0 <= gate.facet_drop <= 1 and gate.latency_ms > 0 and gate.blind_families > 0):
        raise Refused(
            _("The gate takes shares between 0 and 1, and a time and a number of families above 0."), "gate_settings"
        )
    with transaction.atomic():
        fresh = _lock(catalogue)
        before, fresh.gate = Gate.of(fresh).to_json(), gate.to_json()
        if fresh.gate != before:
            fresh.save(update_fields=["gate"])
            audit.record(
                word=Event.CATALOGUE_CHANGED, catalogue=catalogue, user=user, target=catalogue.slug,
                data={"changed": {"gate": [before, fresh.gate]}},
            )  # fmt: skip
    catalogue.gate = fresh.gate


def rollback(*, catalogue: Catalogue, user: User | None, model: ModelVersion | None = None) -> ModelVersion | None:
    """Back to the full model that was promoted before the present one; to the packaged encoders (None) from the first.

    The instant head that suggested before suggests again at once, and a job brings back its stored suggestions as they
    were. Where that head is gone, one is fitted and everything scored anew.
    With ``model`` only if that is the present one, so that going back twice by mistake is a Conflict.
    """
    present = catalogue_as_it_is(catalogue).encoder
    head = present.replaced if present else None
    kept = head.pk if head is not None and has_files(head) else None  # asks a storage: not inside the transaction
    with transaction.atomic():
        fresh = _lock(catalogue)
        now, catalogue.serving = fresh.encoder, fresh.serving
        if model is not None and now != model:
            raise Conflict(_("%(model)s is not the one at work.") % {"model": model.name}, "not_in_use")
        if now is None:
            raise Refused(_("No full model is promoted, so there is nothing to go back from."), "nothing_promoted")
        former = (
            ModelVersion.objects.filter(
                catalogue=catalogue, tier=ModelVersion.Tier.FULL, state=State.RETIRED, promoted_at__lt=now.promoted_at
            )
            .order_by("-promoted_at")
            .first()
        )
        if former is not None:
            # promoted_at stays, so that the next step back goes further back
            ModelVersion.objects.filter(pk=former.pk).update(state=State.PROMOTED)
            former.state = State.PROMOTED
        if now.replaced is not None and now.replaced.pk == kept:
            _bring_back(catalogue, now, former, now.replaced, user)
        else:
            _serve(catalogue, now, former)
        audit.record(
            word=Event.MODEL_ROLLED_BACK, catalogue=catalogue, user=user, target=now.name,
            data={"to": former.name if former else None},
        )  # fmt: skip
    return former


def discard(*, catalogue: Catalogue, model: ModelVersion, user: User | None) -> ModelVersion:
    """Throw a candidate or retired model away, files and all; its row and its report stay."""
    with transaction.atomic():
        changed = ModelVersion.objects.filter(
            pk=model.pk, catalogue=catalogue, tier=ModelVersion.Tier.FULL, state__in=(State.CANDIDATE, State.RETIRED)
        ).update(state=State.DISCARDED)
        if not changed:
            raise Conflict(_("Only a candidate or a retired full model can be discarded."), "model_state")
        audit.record(word=Event.MODEL_DISCARDED, catalogue=catalogue, user=user, target=model.name)
        model.former_suggestions.all().delete()  # type: ignore[attr-defined]
        path = model.path
        transaction.on_commit(lambda: _take_off(path), robust=True)
    model.refresh_from_db()
    return model


def _lock(catalogue: Catalogue) -> Catalogue:
    """The catalogue as it is now, held until the transaction ends; by a write, since SQLite has no row locks."""
    Catalogue.objects.filter(pk=catalogue.pk).update(seq=F("seq"))
    return catalogue_as_it_is(catalogue)


def catalogue_as_it_is(catalogue: Catalogue) -> Catalogue:
    return Catalogue.objects.select_related("encoder__replaced", "serving").get(pk=catalogue.pk)


def _take_off(path: str) -> None:
    from annotations import bridge

    bridge.take_off(path)


def _serve(catalogue: Catalogue, before: ModelVersion | None, after: ModelVersion | None) -> None:
    if before is not None and before != after:
        ModelVersion.objects.filter(pk=before.pk, state=State.PROMOTED).update(state=State.RETIRED)
    Catalogue.objects.filter(pk=catalogue.pk).update(encoder=after)
    catalogue.encoder = after
    # the refit scores what waits; what is done is scored again as well, since all of it was read by another encoder
    learning.request_refit(catalogue=catalogue)
    learning.request_score(catalogue=catalogue, everything=True)


def _bring_back(
    catalogue: Catalogue, now: ModelVersion, before: ModelVersion | None, head: ModelVersion, user: User | None
) -> None:
    """The full model before and the head that sat on it. Nothing is fitted: the next decision asks for that."""
    ModelVersion.objects.filter(pk=now.pk, state=State.PROMOTED).update(state=State.RETIRED)
    ModelVersion.objects.filter(pk=catalogue.serving_id or 0, state=State.PROMOTED).update(state=State.RETIRED)
    ModelVersion.objects.filter(pk=head.pk).update(state=State.PROMOTED)
    Catalogue.objects.filter(pk=catalogue.pk).update(encoder=before, serving=head)
    catalogue.encoder, catalogue.serving = before, head
    for job in Job.objects.live().filter(catalogue=catalogue, kind__in=("refit", "calibrate", "score", "read")):
        jobs.cancel(job=job, user=user)  # they would score with the model that goes, or over what is brought back
    former_suggestions.request_restore(catalogue=catalogue, successor=now, user=user)


def has_files(model: ModelVersion) -> bool:
    """On this machine or on the shared storage."""
    from annotations import bridge  # loads numpy and more: only when somebody goes back

    return bridge.is_there(model.path)
