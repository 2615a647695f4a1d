"""Searches over plans: start one, watch its trials, stop, pause and resume it, keep what it found as a preset."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import searches as verbs
from annotations.actions.errors import Refused
from annotations.forms.plan_words import FIELDS
from annotations.forms.search import SearchForm
from annotations.models import PlanSearch, Role
from annotations.queries import searches as questions
from annotations.queries.training_report import what_there_is
from annotations.views.doors import MemberRequest, catalogue_page


@require_safe
@never_cache
@catalogue_page()
def searches(request: MemberRequest) -> HttpResponse:
    return _page(request, SearchForm(presets=questions.presets_of(request.catalogue)))


def _page(request: MemberRequest, form: SearchForm, status: int = 200) -> HttpResponse:
    context = {
        "tab": "training",
        "rows": questions.search_rows(request.catalogue),
        "presets": list(questions.presets_of(request.catalogue)),
        "facts": what_there_is(request.catalogue),
        "form": form,
    }
    return render(request, "training/searches.html", context, status=status)


@require_POST
@catalogue_page(Role.ADMIN)
def start(request: MemberRequest) -> HttpResponse:
    form = SearchForm(request.POST, presets=questions.presets_of(request.catalogue))
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        plan, rules = form.asked()
        search = verbs.start_search(catalogue=request.catalogue, user=request.user, plan=plan, rules=rules)
    except Refused as refusal:
        form.refuse(refusal)
        return _page(request, form, status=refusal.status)
    messages.success(request, _("Search %(n)d is on its way.") % {"n": search.number})
    return _to(request, search.number)


@require_safe
@never_cache
@catalogue_page()
def search(request: MemberRequest, number: int) -> HttpResponse:
    row = questions.search_row(_search(request, number))
    template = "training/_search.html" if getattr(request, "htmx", False) else "training/search.html"
    labels = [FIELDS.get(name, (name,))[0] for name in row.names]
    context = {"tab": "training", "row": row, "plot": questions.plot(row), "labels": labels}
    return render(request, template, context)


@require_POST
@catalogue_page(Role.ADMIN)
def act(request: MemberRequest, number: int, what: str) -> HttpResponse:
    """Stop, pause or resume a search."""
    acts = {"cancel": verbs.cancel_search, "pause": verbs.pause_search, "resume": verbs.resume_search}
    if what not in acts:
        raise Http404
    acts[what](search=_search(request, number), user=request.user)
    return _to(request, number)


@require_POST
@catalogue_page(Role.ADMIN)
def keep(request: MemberRequest, number: int, trial: int) -> HttpResponse:
    found = _search(request, number).trials.filter(number=trial).first()  # type: ignore[attr-defined]
    if found is None:
        raise Http404
    found.search.catalogue = request.catalogue
    preset = verbs.keep_trial(trial=found, user=request.user, name=request.POST.get("name", ""))
    messages.success(
        request, _("“%(name)s” is a preset now, to be chosen where training is started.") % {"name": preset.name}
    )
    return _to(request, number)


def _search(request: MemberRequest, number: int) -> PlanSearch:
    found = questions.search_numbered(request.catalogue, number)
    if found is None:
        raise Http404
    found.catalogue = request.catalogue
    return found


def _to(request: MemberRequest, number: int) -> HttpResponseRedirect:
    return redirect("plan_search", request.catalogue.slug, number)  # type: ignore[return-value]
