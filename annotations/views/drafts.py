"""Drafts of texts: which products get some, and a list where each is approved, edited or refused with one key."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import drafts as verbs
from annotations.actions.errors import Refused
from annotations.models import Draft, Role
from annotations.queries import drafts as questions
from annotations.queries.products import Filters, NoSuchName, categories, matching
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown
from annotations.views.review import number

SHOWN = 40


@never_cache
@require_safe
@catalogue_page(Role.REVIEWER)
def page(request: MemberRequest) -> HttpResponse:
    """What waits; ``at``: the place that has the focus. ``decided``: what was decided instead."""
    catalogue, past = request.catalogue, "decided" in request.GET
    rows = questions.decided(catalogue) if past else questions.waiting(catalogue)
    listed, writer, job = list(rows[:SHOWN]), questions.writer(catalogue), questions.last_writing(catalogue)
    context = {
        "tab": "products", "sub": "drafts", "drafts": listed, "past": past, "count": rows.count(), "writer": writer,
        "at": min(number(request.GET.get("at"), 0), max(0, len(listed) - 1)),
        "kinds": [(value, label) for value, label in Draft.Kind.choices if writer and value in writer.kinds],
        "categories": categories(catalogue) if writer else (), "most": verbs.MOST,
        **(shown(job, request.user, request.role) if job and (job.live or job.state == "failed") else {}),
    }  # fmt: skip
    return render(request, "products/drafts.html", context)


@require_POST
@catalogue_page(Role.LEAD)
def write(request: MemberRequest) -> HttpResponse:
    """Have ``kind`` (several) written for the products that the list's filters find, the first ``MOST`` of them, or for
    the ``product`` named."""
    named = number(request.POST.get("product"), 0)
    try:
        found = matching(request.catalogue, Filters.of(request.POST.dict())).order_by("pk")
        chosen = list((found.filter(pk=named) if named else found).values_list("pk", flat=True)[: verbs.MOST])
        kinds = request.POST.getlist("kind")
        verbs.request_drafts(catalogue=request.catalogue, user=request.user, products=chosen, kinds=kinds)
    except NoSuchName as error:
        messages.error(request, str(error))
    except Refused as refusal:
        messages.error(request, refusal.message)
    return redirect("drafts", request.catalogue.slug)


@require_POST
@catalogue_page(Role.REVIEWER)
def decide(request: MemberRequest, pk: int) -> HttpResponse:
    """``state`` approved or refused; ``text`` is what the person made of it."""
    draft = Draft.objects.filter(catalogue=request.catalogue, pk=pk).first()
    if draft is None:
        raise Http404
    try:
        verbs.decide_draft(
            draft=draft, state=request.POST.get("state", ""), text=request.POST.get("text", ""), user=request.user
        )
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        if draft.state == Draft.State.APPROVED:
            messages.success(request, _("It is no longer approved."))
    past = draft.state != Draft.State.PROPOSED
    query = "?decided=1" if past else f"?at={number(request.POST.get('at'), 0)}"
    return redirect(reverse("drafts", args=[request.catalogue.slug]) + query)
