"""Training: start a run, watch it, read its report, promote, roll back, discard."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import schedules
from annotations.actions import training as verbs
from annotations.actions.errors import Refused
from annotations.models import Catalogue, ModelVersion, Role, TrainingRun
from annotations.queries import training as questions
from annotations.queries.gate import Gate, objections_to
from annotations.queries.schedules import outlook, schedule_of
from annotations.queries.training_report import curve_points, drawing, report_of, what_there_is
from annotations.views.doors import MemberRequest, catalogue_page

BASES = (("packaged-minilm", gettext_lazy("Packaged MiniLM")), ("catalogue", gettext_lazy("Pre-trained on this catalogue")), ("path", gettext_lazy("A checkpoint on the server")))  # fmt: skip
SPEEDS = (("quick", gettext_lazy("Quick")), ("thorough", gettext_lazy("Thorough")))
PRETRAIN_STEPS = {"quick": 600, "thorough": 2000}


class PlanForm(forms.Form):
    """What to train. Fields left empty take what the preset says; the limits are checked again by the trainer."""

    base = forms.ChoiceField(choices=BASES, initial="packaged-minilm", widget=forms.RadioSelect)
    path = forms.CharField(required=False, max_length=500)
    preset = forms.ChoiceField(choices=SPEEDS, initial="quick", widget=forms.RadioSelect)
    epochs = forms.IntegerField(required=False, min_value=1, max_value=10_000)
    batch_size = forms.IntegerField(required=False, min_value=1, max_value=4096)
    learning_rate = forms.FloatField(required=False, min_value=1e-7, max_value=1.0)
    max_length = forms.IntegerField(required=False, min_value=8, max_value=8192)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("base") == "path" and not given.get("path", "").strip():
            self.add_error("path", _("Say where the checkpoint lies on the server."))
        return given

    def plan(self) -> dict[str, Any]:
        """The plan as the trainer reads it: a preset with changes."""
        given = self.cleaned_data
        plan: dict[str, Any] = {"preset": given["preset"], "base": given["base"]}
        if given["base"] == "path":
            plan["base"] = given["path"].strip()
        elif given["base"] == "catalogue":
            plan["pretrain_steps"] = PRETRAIN_STEPS[given["preset"]]
            plan["freeze"] = "none"  # what was just made from nothing has to go on learning
        for name in ("epochs", "batch_size", "learning_rate", "max_length"):
            if given.get(name) is not None:
                plan[name] = given[name]
        return plan


@require_safe
@never_cache
@catalogue_page()
def training(request: MemberRequest, number: int | None = None) -> HttpResponse:
    """All runs and models, and one run in full: the one asked for, else the newest."""
    return _page(request, PlanForm(), number)


def _page(request: MemberRequest, form: PlanForm, number: int | None = None, status: int = 200) -> HttpResponse:
    rows = questions.run_rows(request.catalogue)
    row = next((r for r in rows if r.run.number == number), None) if number is not None else next(iter(rows), None)
    if number is not None and row is None:
        raise Http404
    if row is not None:
        row.run.catalogue = request.catalogue
    context = {
        "tab": "training",
        "rows": rows,
        "row": row,
        "form": form,
        "models": list(questions.models(request.catalogue)),
        "in_use": questions.in_use(request.catalogue),
        "facts": what_there_is(request.catalogue),
        "report": report_of(row.run) if row else None,
        "gate": Gate.of(request.catalogue),
        **_by_itself(request.catalogue),
        "objections": objections_to(row.model) if row and row.model else [],
        **_curve(row),
    }
    return render(request, "training.html", context, status=status)


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
    answer = render(request, "training/_run.html", {"row": row, **_curve(row)})
    if not row.job.live:
        answer["HX-Refresh"] = "true"
    return answer


@require_POST
@catalogue_page(Role.ADMIN)
def start(request: MemberRequest) -> HttpResponse:
    form = PlanForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        run = verbs.request_training(catalogue=request.catalogue, user=request.user, plan=form.plan())
    except Refused as refusal:
        form.add_error(None, refusal.message)
        return _page(request, form, status=refusal.status)
    messages.success(request, _("Run %(n)d is on its way.") % {"n": run.number})
    return _to_run(request.catalogue, run.number)


@require_POST
@catalogue_page(Role.ADMIN)
def cancel(request: MemberRequest, number: int) -> HttpResponse:
    run = verbs.cancel_training(run=_run(request, number), user=request.user)
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


class GateForm(forms.Form):
    """The gate, in the units people use: points of 100 and milliseconds."""

    on = forms.BooleanField(required=False)
    margin = forms.FloatField(min_value=0, max_value=100)
    facet_drop = forms.FloatField(min_value=0, max_value=100)
    latency_ms = forms.FloatField(min_value=1, max_value=60_000)

    def gate(self) -> Gate:
        given = self.cleaned_data
        return Gate(given["on"], given["margin"] / 100, given["facet_drop"] / 100, given["latency_ms"])


@require_POST
@catalogue_page(Role.ADMIN)
def set_gate(request: MemberRequest) -> HttpResponse:
    form = GateForm(request.POST)
    if not form.is_valid():
        raise Refused(_("The gate takes points between 0 and 100 and a time above 0."), "gate_settings")
    verbs.set_gate(catalogue=request.catalogue, user=request.user, gate=form.gate())
    messages.success(request, _("The gate is set."))
    return _back(request)


class ScheduleForm(forms.Form):
    """When to train by itself; both empty is never."""

    preset = forms.ChoiceField(choices=SPEEDS)
    base = forms.ChoiceField(choices=BASES[:2])
    after_decisions = forms.IntegerField(required=False, min_value=1, max_value=10_000_000)
    weekday = forms.TypedChoiceField(
        required=False, choices=[("", ""), *((str(n), n) for n in range(7))], coerce=int, empty_value=None
    )
    hour = forms.IntegerField(min_value=0, max_value=23)

    def when(self) -> dict[str, Any]:
        given = self.cleaned_data
        plan = PlanForm({"base": given["base"], "preset": given["preset"]})
        plan.is_valid()
        return {"plan": plan.plan(), **{name: given[name] for name in ("after_decisions", "weekday", "hour")}}


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
