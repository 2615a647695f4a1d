"""Relations between tags that the decisions speak for, beside the proposals for words."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import relations as verbs
from annotations.actions.errors import Refused
from annotations.models import Job, Role
from annotations.queries import relations as questions
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown


@never_cache
@require_safe
@catalogue_page(Role.LEAD)
def page(request: MemberRequest) -> HttpResponse:
    found = questions.relation_proposals(request.catalogue)
    look = questions.last_look(request.catalogue)
    context: dict[str, Any] = {
        "tab": "taxonomy", "look": look,
        "proposals": [p for p in found if p.kind != questions.TOGETHER],
        "together": [p for p in found if p.kind == questions.TOGETHER],
    }  # fmt: skip
    if look is not None and look.state != Job.State.DONE:
        context |= shown(look, request.user, request.role)
    return render(request, "taxonomy/relations.html", context)


@require_POST
@catalogue_page(Role.LEAD)
def look(request: MemberRequest) -> HttpResponse:
    verbs.request_look(catalogue=request.catalogue, user=request.user)
    return redirect("taxonomy_relations", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def decide(request: MemberRequest) -> HttpResponse:
    """``verdict`` accept or decline of the relation that ``key`` names."""
    verdict, key = request.POST.get("verdict", ""), request.POST.get("key", "")
    if verdict == "accept":
        verbs.accept_relation(catalogue=request.catalogue, key=key, user=request.user)
        messages.success(request, _("It is a rule of the taxonomy now."))
    elif verdict == "decline":
        verbs.decline_relation(catalogue=request.catalogue, key=key, user=request.user)
    else:
        raise Refused(_("Accept it or decline it."), "verdict")
    return redirect("taxonomy_relations", request.catalogue.slug)
