"""Training: start a run, watch it, read its report, promote, roll back, discard."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import schedules
from annotations.actions import training as verbs
from annotations.actions.errors import Refused
from annotations.forms.plan import BASES, SPEEDS, PlanForm
from annotations.models import Catalogue, ModelVersion, Role, TrainingRun
from annotations.queries import training as questions
from annotations.queries.gate import Gate, objections_to
from annotations.queries.jobs import places, rescoring
from annotations.queries.judging import tally
from annotations.queries.retention import will_go
from annotations.queries.schedules import outlook, schedule_of
from annotations.queries.searches import presets_of
from annotations.queries.training_estimate import Estimate, estimate, waits_for
from annotations.queries.training_report import curve_points, drawing, report_of, what_there_is
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.review_forms import number as whole_number
from annotations.views.training_forms import GateForm, ScheduleForm


@require_safe
@never_cache
@catalogue_page()
def training(request: MemberRequest, number: int | None = None) -> HttpResponse:
    """All runs and models, and one run in full: the one asked for, else the newest."""
    return training_page(request, PlanForm(), number)


def training_page(
    request: MemberRequest, form: PlanForm, number: int | None = None, status: int = 200, **more: Any
) -> HttpResponse:
    """``more``: what came of a plan file (``views/plans.py``)."""
    rows = questions.run_rows(request.catalogue)
    row = next((r for r in rows if r.run.number == number), None) if number is not None else next(iter(rows), None)
    if number is not None and row is None:
        raise Http404
    if row is not None:
        row.run.catalogue = request.catalogue
    facts = what_there_is(request.catalogue)
    form.offer(questions.folders_here(request.catalogue))
    context = {
        "tab": "training",
        "rows": rows,
        "row": row,
        "form": form,
        "models": list(questions.models(request.catalogue)),
        "in_use": questions.in_use(request.catalogue),
        "facts": facts,
        "presets": list(presets_of(request.catalogue)),
        "estimates": estimates(request.catalogue, facts.products),
        "waiting": next((r.run for r in rows if r.job.state == "queued" and r.run.job.coalesce_key), None),
        "report": report_of(row.run) if row else None,
        "tally": tally(row.run) if row else None,
        "will_go": will_go(request.catalogue),
        "rescoring": rescoring(request.catalogue),
        "gate": Gate.of(request.catalogue),
        **_by_itself(request.catalogue),
        "objections": objections_to(row.model) if row and row.model else [],
        **_curve(row),
        **_where(row),
        **more,
    }
    return render(request, "training.html", context, status=status)


def estimates(catalogue: Catalogue, products: int) -> dict[str, list[tuple[str, Estimate]]]:
    """By preset: what it starts from, in words, and how long that would take, where a run like it has been timed."""
    found: dict[str, list[tuple[str, Estimate]]] = {preset.replace("-", "_"): [] for preset, _name in SPEEDS}
    if not any(run.device.get("stages") for run in questions.runs_of(catalogue)):
        return found
    for preset, _name in SPEEDS:
        for base, words in BASES[:2]:
            form = PlanForm({"base": base, "preset": preset})
            if form.is_valid():
                judged = estimate(catalogue, verbs.check_plan(form.plan()), products)
                found[preset.replace("-", "_")] += [(str(words), judged)] if judged else []
    return found


def _where(row: questions.RunRow | None) -> dict[str, Any]:
    there = places()
    return {"places": there, "waits_for": waits_for(row.run, there) if row else ""}


def _by_itself(catalogue: Catalogue) -> dict[str, Any]:
    schedule = schedule_of(catalogue)
    return {
        "schedule": schedule,
        "outlook": outlook(schedule) if schedule else None,
        "weekdays": list(WEEKDAYS.items()),
    }


def _curve(row: questions.RunRow | None) -> dict[str, Any]:
    points = curve_points(row.run.curve) if row else []
    return {"points": points, "drawing": drawing(points)}


@require_safe
@never_cache
@catalogue_page()
def live(request: MemberRequest, number: int) -> HttpResponse:
    """How the run stands, for the page that watches it. Once it has ended the page is loaded anew, with its report."""
    row = questions.run_row(_run(request, number))
    answer = render(request, "training/_run.html", {"row": row, **_curve(row), **_where(row)})
    if not row.job.live:
        answer["HX-Refresh"] = "true"
    return answer


@require_POST
@catalogue_page(Role.ADMIN)
def start(request: MemberRequest) -> HttpResponse:
    form = PlanForm(request.POST)
    kept = presets_of(request.catalogue).filter(pk=whole_number(request.POST.get("kept"), 0)).first()
    if kept is None and not form.is_valid():
        return training_page(request, form, status=422)
    try:
        plan = kept.plan if kept else form.plan()
        run = verbs.request_training(catalogue=request.catalogue, user=request.user, plan=plan)
    except Refused as refusal:
        form.refuse(refusal)
        return training_page(request, form, status=refusal.status)
    messages.success(request, _("Run %(n)d is on its way.") % {"n": run.number})
    return _to_run(request.catalogue, run.number)


@require_POST
@catalogue_page(Role.ADMIN)
def cancel(request: MemberRequest, number: int) -> HttpResponse:
    run = verbs.cancel_training(run=_run(request, number), user=request.user)
    return _to_run(request.catalogue, run.number)


@require_POST
@catalogue_page(Role.ADMIN)
def pause(request: MemberRequest, number: int) -> HttpResponse:
    run = verbs.pause_training(run=_run(request, number), user=request.user)
    return _to_run(request.catalogue, run.number)


@require_POST
@catalogue_page(Role.ADMIN)
def resume(request: MemberRequest, number: int) -> HttpResponse:
    run = verbs.resume_training(run=_run(request, number), user=request.user)
    return _to_run(request.catalogue, run.number)


@require_POST
@catalogue_page(Role.ADMIN)
def promote(request: MemberRequest, number: int) -> HttpResponse:
    model = verbs.promote(
        catalogue=request.catalogue, model=_model(request, number), user=request.user,
        override=request.POST.get("override", ""),
    )  # fmt: skip
    messages.success(
        request,
        _("%(model)s is in use from now on. Products are scored again in the background.") % {"model": model.name},
    )
    return _back(request)


@require_POST
@catalogue_page(Role.ADMIN)
def set_gate(request: MemberRequest) -> HttpResponse:
    form = GateForm(request.POST)
    if not form.is_valid():
        raise Refused(
            _("The gate takes points between 0 and 100, and a time and a number of families above 0."), "gate_settings"
        )
    verbs.set_gate(catalogue=request.catalogue, user=request.user, gate=form.gate())
    messages.success(request, _("The gate is set."))
    return _back(request)


@require_POST
@catalogue_page(Role.ADMIN)
def set_schedule(request: MemberRequest) -> HttpResponse:
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        raise Refused(_("Give a number of decisions, a weekday, or neither; the hour is 0 to 23."), "schedule")
    found = schedules.set_schedule(catalogue=request.catalogue, user=request.user, **form.when())
    messages.success(request, _("It trains by itself from now on.") if found else _("It trains only when asked."))
    return _back(request)


@require_POST
@catalogue_page(Role.ADMIN)
def discard(request: MemberRequest, number: int) -> HttpResponse:
    model = verbs.discard(catalogue=request.catalogue, model=_model(request, number), user=request.user)
    messages.success(request, _("%(model)s is discarded.") % {"model": model.name})
    return _back(request)


@require_POST
@catalogue_page(Role.ADMIN)
def rollback(request: MemberRequest) -> HttpResponse:
    former = verbs.rollback(catalogue=request.catalogue, user=request.user)
    name = former.name if former else _("the packaged encoders")
    messages.success(request, _("Back to %(model)s. Products are scored again in the background.") % {"model": name})
    return _back(request)


def _run(request: MemberRequest, number: int) -> TrainingRun:
    runs = TrainingRun.objects.select_related("job", "user", "model_version")
    run = runs.filter(catalogue=request.catalogue, number=number).first()
    if run is None:
        raise Http404
    run.catalogue = request.catalogue
    return run


def _model(request: MemberRequest, number: int) -> ModelVersion:
    model = ModelVersion.objects.filter(catalogue=request.catalogue, number=number).first()
    if model is None:
        raise Http404
    return model


def _back(request: MemberRequest) -> HttpResponseRedirect:
    number = request.POST.get("run", "")
    if number.isdecimal() and len(number) < 9:
        return _to_run(request.catalogue, int(number))
    return HttpResponseRedirect(reverse("training", args=[request.catalogue.slug]))


def _to_run(catalogue: Catalogue, number: int) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("training_run", args=[catalogue.slug, number]))
