"""Cleaning and families: what is done to rows, what was set aside, what is proposed."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotations.actions import cleaning as verbs
from annotations.actions import families as family_verbs
from annotations.actions.errors import Forbidden, Refused
from annotations.formats.cleaning import NAMES
from annotations.models import Boilerplate, Job, Role, SetAside
from annotations.queries import cleaning as questions
from annotations.queries import families as proposals
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown

LOOKING = ("families", "shared_texts")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@catalogue_page()
def cleaning(request: MemberRequest) -> HttpResponse:
    """The steps, which an admin switches; rows set aside; texts that many products share."""
    catalogue = request.catalogue
    if request.method == "POST":
        if request.role.rank < Role.ADMIN.rank:
            raise Forbidden(_("Only an admin switches cleaning steps."), "role")
        on = set(request.POST.getlist("on"))
        verbs.switch_steps(catalogue=catalogue, user=request.user, off=[name for name in NAMES if name not in on])
        return redirect("cleaning", catalogue.slug)
    labels = dict(SetAside.choices)
    context = {
        "tab": "products", "sub": "cleaning", "steps": questions.steps_of(catalogue),
        "aside": [(reason, labels[reason], n) for reason, n in questions.aside_counts(catalogue).items()],
        "proposed": proposals.shared_texts(catalogue, Boilerplate.State.PROPOSED),
        "accepted": proposals.shared_texts(catalogue, Boilerplate.State.ACCEPTED),
        **_job(request, proposals.last_job(catalogue, *LOOKING)),
    }  # fmt: skip
    return render(request, "cleaning/steps.html", context)


@require_POST
@catalogue_page(Role.LEAD)
def shared(request: MemberRequest, pk: int) -> HttpResponse:
    """Accept or decline a shared text."""
    found = proposals.shared_of(request.catalogue, pk)
    if found is None:
        raise Http404
    verbs.decide_shared(shared=found, user=request.user, accept=bool(request.POST.get("accept")))
    return redirect(reverse("cleaning", args=[request.catalogue.slug]) + "#shared")


@never_cache
@require_safe
@catalogue_page()
def families(request: MemberRequest) -> HttpResponse:
    """One proposal at a time, and what was decided lately."""
    skipped = [int(pk) for pk in request.GET.getlist("skip") if pk.isascii() and pk.isdecimal() and len(pk) < 19][-50:]
    found = proposals.next_proposals(request.catalogue, skip=skipped)
    context = {
        "tab": "products", "sub": "families", "one": found[0] if found else None, "skipped": skipped,
        "waiting": proposals.open_count(request.catalogue), "decided": proposals.decided(request.catalogue),
        **_job(request, proposals.last_job(request.catalogue, "families")),
    }  # fmt: skip
    return render(request, "cleaning/families.html", context)


@require_POST
@catalogue_page(Role.LEAD)
def decide_family(request: MemberRequest, pk: int) -> HttpResponse:
    """``verdict``: accept, decline, or back (what was decided is taken back)."""
    proposal = proposals.proposal_of(request.catalogue, pk)
    if proposal is None:
        raise Http404
    verb = {
        "accept": family_verbs.accept_proposal, "decline": family_verbs.decline_proposal,
        "back": family_verbs.reopen_proposal,
    }.get(request.POST.get("verdict", ""))  # fmt: skip
    if verb is None:
        raise Refused(_("Accept it, decline it, or take it back."), "verdict")
    verb(proposal=proposal, user=request.user)
    return redirect("families", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def look(request: MemberRequest) -> HttpResponse:
    """Look for families and shared texts now."""
    family_verbs.request_families(catalogue=request.catalogue, user=request.user)
    return redirect("families", request.catalogue.slug)


def _job(request: MemberRequest, job: Job | None) -> dict[str, object]:
    return {} if job is None else shown(job, request.user, request.role)
