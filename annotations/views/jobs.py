"""A job as a page shows it: one fragment that asks for itself until the job has ended, and a way to stop it.

Pages include it at once (``{% include "partials/_job.html" with job=... %}``, from ``shown``) or load it
(``<div hx-get="{% url 'job' id %}" hx-trigger="load" hx-swap="outerHTML">``). When the job has ended while somebody
looked, the answer carries the htmx event ``job-ended``, so that the page may fetch what came of it.
"""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.access import member_or_404
from annotations.actions import jobs, training
from annotations.actions.errors import Forbidden, Refused
from annotations.models import Job, Role, User
from annotations.queries.jobs import JobStatus, job_status
from annotations.views.doors import refused, signed_in, wants_json


@never_cache
@require_safe
@signed_in
def job(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The fragment. 404 for whoever is no member of the job's catalogue."""
    found, role = _mine(request, pk)
    return _answer(request, found, role)


@require_POST
@signed_in
def cancel(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Stop a job that one asked for oneself, or any as a lead."""
    found, role = _mine(request, pk)
    user = cast(User, request.user)
    if not may_cancel(found, user, role):
        return refused(request, Forbidden(_("Only who started it, or a lead, can stop it."), "role"))
    try:
        run = training.run_of(found)
        if run is not None:
            training.cancel_training(run=run, user=user)
        else:
            jobs.cancel(job=found, user=user)
    except Refused as refusal:
        return refused(request, refusal)
    found.refresh_from_db()
    if getattr(request, "htmx", False) or wants_json(request):
        return _answer(request, found, role)
    return redirect("home")


def may_cancel(found: Job, user: User, role: Role) -> bool:
    return role.rank >= Role.LEAD.rank or (found.user_id is not None and found.user_id == user.pk)


def shown(found: Job, user: User, role: Role) -> dict[str, Any]:
    """What the fragment needs, under the names it uses."""
    status = job_status(found)
    return {"job": status, "time_left": time_left(status), "may_cancel": status.live and may_cancel(found, user, role)}


def time_left(status: JobStatus) -> str:
    """In words, and only when there is something to go by."""
    seconds = status.seconds_left
    if seconds is None or status.done == 0:
        return ""
    if seconds < 60:
        return _("less than a minute left")
    if seconds < 3600 * 1.5:
        minutes = round(seconds / 60)
        return ngettext("about %(n)d minute left", "about %(n)d minutes left", minutes) % {"n": minutes}
    hours = round(seconds / 3600)
    return ngettext("about %(n)d hour left", "about %(n)d hours left", hours) % {"n": hours}


def _mine(request: HttpRequest, pk: uuid.UUID) -> tuple[Job, Role]:
    found = Job.objects.select_related("catalogue").filter(pk=pk).first()
    if found is None or found.catalogue is None:
        raise Http404
    membership = member_or_404(cast(User, request.user), found.catalogue.slug)
    return found, Role(membership.role)


def _answer(request: HttpRequest, found: Job, role: Role) -> HttpResponse:
    context = shown(found, cast(User, request.user), role)
    if wants_json(request):
        return JsonResponse(context["job"].as_dict())
    ended_now = request.method == "GET" and not found.live and "was_live" in request.GET
    answer = render(request, "partials/_job.html", {**context, "ended_now": ended_now})
    if ended_now:
        answer["HX-Trigger"] = "job-ended"
    return answer
