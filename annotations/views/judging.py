"""What a run's candidate would change: the flips one by one, and two outputs side by side for people to judge."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotations.actions.errors import Refused
from annotations.actions.judging import Opinion, judge
from annotations.models import Product, Role, TrainingRun
from annotations.queries import judging as questions
from annotations.queries.flips import flip_page
from annotations.queries.training import run_numbered
from annotations.views.doors import MemberRequest, catalogue_page


@require_safe
@catalogue_page()
def flips(request: MemberRequest, number: int) -> HttpResponse:
    """``?facet=`` slug, ``?kind=`` better or worse, ``?page=``."""
    run = _run(request, number)
    asked = {name: request.GET.get(name, "")[:200] for name in ("facet", "kind", "page")}
    page = int(asked["page"]) if asked["page"].isdecimal() and len(asked["page"]) < 9 else 1
    kind = asked["kind"] if asked["kind"] in ("better", "worse") else ""
    found = flip_page(run, facet=asked["facet"], kind=kind, number=page)
    context = {"tab": "training", "run": run, "page": found, "facet": asked["facet"], "kind": kind}
    return render(request, "training/flips.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@catalogue_page(Role.REVIEWER)
def judging(request: MemberRequest, number: int) -> HttpResponse:
    """The next pair; a POST keeps what was said of one."""
    run = _run(request, number)
    if request.method == "POST":
        return _keep(request, run)
    context = {"tab": "training", "run": run, "pair": questions.next_pair(run, request.user), "tally": None}
    if context["pair"] is None:
        context["tally"] = questions.tally(run)
    return render(request, "training/judge.html", context)


def _keep(request: MemberRequest, run: TrainingRun) -> HttpResponse:
    given = request.POST
    pk = given.get("product", "")
    if not pk.isdecimal() or len(pk) > 18:
        raise Refused(_("Judge one of the products that the page shows."), "product")
    product = get_object_or_404(Product, catalogue=request.catalogue, pk=int(pk))
    if any(given.get(name) not in ("yes", "no") for name in FIELDS):
        raise Refused(_("Say of both outputs whether they are reasonable and complete."), "incomplete")
    first, second = (
        Opinion(given[f"{side}_reasonable"] == "yes", given[f"{side}_complete"] == "yes")
        for side in ("first", "second")
    )
    judge(run=run, product=product, user=request.user, first=first, second=second, better=given.get("better", ""))
    messages.success(request, _("Kept."))
    return redirect("training_judge", request.catalogue.slug, run.number)


FIELDS = tuple(f"{side}_{what}" for side in ("first", "second") for what in ("reasonable", "complete"))


def _run(request: MemberRequest, number: int) -> TrainingRun:
    run = run_numbered(request.catalogue, number)
    if run is None:
        raise Http404
    run.catalogue = request.catalogue
    return run
