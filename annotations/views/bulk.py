"""Many products at once: what to do, what it would do, and the run with its undo."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import bulk_actions as bulk
from annotations.actions.bulk_plans import BANDS, BOOSTS
from annotations.actions.errors import Refused
from annotations.models import Band, BulkRun, Role
from annotations.queries.bulk import run_of, runs_of
from annotations.queries.products import Filters, categories
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown

PARAMS = ("band", "facet", "complete", "only", "tag", "category_to", "family_to", "priority", "reason")
PLACES = {"first": gettext_lazy("first"), "normal": gettext_lazy("as the model says"), "last": gettext_lazy("last")}


@never_cache
@require_POST
@catalogue_page(Role.LEAD)
def ask(request: MemberRequest) -> HttpResponse:
    """One page in three steps: what to do, what it would do, done. Nothing is written before the third."""
    given = request.POST
    filters = Filters.of(given.dict())
    selection = [] if given.get("every") else [int(pk) for pk in given.getlist("pk") if pk.isascii() and pk.isdecimal()]
    kind = given.get("kind", "")
    back = f"../?{urlencode(filters.as_dict())}"
    if kind not in BulkRun.Kind.values or not (selection or given.get("every")):
        words = _("Choose what to do.") if selection or given.get("every") else _("Choose some products first.")
        messages.error(request, words)
        return redirect(f"{request.path.removesuffix('bulk/')}?{urlencode(filters.as_dict())}")
    params = {name.removesuffix("_to"): given.get(name, "") for name in PARAMS}
    foreseen, refusal = None, None
    if given.get("step") in ("preview", "go"):
        try:
            if given["step"] == "go":
                run = bulk.request_bulk(
                    catalogue=request.catalogue, user=request.user, kind=kind, params=params, filters=filters,
                    selection=selection, confirmed=_number(given.get("number", "")),
                )  # fmt: skip
                return redirect("bulk_run", request.catalogue.slug, run.pk)
        except Refused as error:
            refusal = error
        try:
            foreseen = bulk.foresee(
                catalogue=request.catalogue, kind=kind, params=params, filters=filters, selection=selection
            )  # fmt: skip
        except Refused as error:
            refusal = error
    context = {
        "tab": "products", "sub": "bulk", "kind": kind, "kind_label": BulkRun.Kind(kind).label, "params": params,
        "filters": filters, "selection": selection, "foreseen": foreseen, "refusal": refusal, "back": back,
        "facets": request.catalogue.facets.live(),  # type: ignore[attr-defined]
        "bands": [(band, Band(band).label) for band in BANDS], "categories": categories(request.catalogue),
        "places": [(name, PLACES[name]) for name in BOOSTS],
    }  # fmt: skip
    return render(request, "bulk/ask.html", context, status=refusal.status if refusal else 200)


def _number(text: str) -> int | None:
    plain = "".join(c for c in text if c not in " .,'\u00a0\u202f")
    return int(plain) if plain.isascii() and plain.isdecimal() and len(plain) < 12 else None


@never_cache
@require_safe
@catalogue_page(Role.LEAD)
def runs(request: MemberRequest) -> HttpResponse:
    return render(request, "bulk/list.html", {"tab": "products", "sub": "bulk", "runs": runs_of(request.catalogue)})


@never_cache
@require_safe
@catalogue_page(Role.LEAD)
def one(request: MemberRequest, pk: int) -> HttpResponse:
    run = _run(request, pk)
    job = bulk.job_of(run)
    context = {
        "tab": "products", "sub": "bulk", "run": run, "filters": Filters.of(run.filters).as_dict(),
        "undone": run.undo_job is not None, "running": bool(job and job.live),
        "stopped": bool(run.job and run.job.state == "cancelled"),
        **(shown(job, request.user, request.role) if job else {}),
    }  # fmt: skip
    return render(request, "bulk/one.html", context)


@require_POST
@catalogue_page(Role.LEAD)
def undo(request: MemberRequest, pk: int) -> HttpResponse:
    run = _run(request, pk)
    bulk.request_undo(run=run, user=request.user)
    return redirect("bulk_run", request.catalogue.slug, run.pk)


def _run(request: MemberRequest, pk: int) -> BulkRun:
    run = run_of(request.catalogue, pk)
    if run is None:
        raise Http404
    return run
