"""Proposals for the taxonomy: a list with the evidence of each, decided on with one key."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import proposals as verbs
from annotations.actions.errors import Refused
from annotations.models import Facet, Role, Tag
from annotations.queries import proposals as questions
from annotations.queries.families import last_job
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown
from annotations.views.review import number

SHOWN = 40
"""Proposals of one page; the next come as these are decided."""


@never_cache
@require_safe
@catalogue_page(Role.LEAD)
def proposed(request: MemberRequest) -> HttpResponse:
    """What the last look found; ``at``: the place that has the focus."""
    found = questions.proposals(request.catalogue)
    listed = found[:SHOWN]
    job = last_job(request.catalogue, "proposals")
    context = {
        "tab": "taxonomy", "proposals": listed, "waiting": len(found), "more": len(found) - len(listed),
        "at": min(number(request.GET.get("at"), 0), max(0, len(listed) - 1)),
        "last": questions.last_look(request.catalogue),
        "declined": questions.declined_proposals(request.catalogue).count(),
        **(shown(job, request.user, request.role) if job and (job.live or job.state == "failed") else {}),
        "facets": Facet.objects.live().filter(catalogue=request.catalogue).exclude(kind=Facet.Kind.BOOLEAN),
    }  # fmt: skip
    return render(request, "taxonomy/proposals.html", context)


@require_POST
@catalogue_page(Role.LEAD)
def look(request: MemberRequest) -> HttpResponse:
    """A job looks through the catalogue; the page shows how far it is."""
    verbs.request_look(catalogue=request.catalogue, user=request.user)
    return redirect("taxonomy_proposals", request.catalogue.slug)


@never_cache
@require_safe
@catalogue_page(Role.LEAD)
def declined(request: MemberRequest) -> HttpResponse:
    """What was declined, the latest first, each to be taken back."""
    page = Paginator(questions.declined_proposals(request.catalogue), SHOWN).get_page(request.GET.get("page"))
    return render(request, "taxonomy/declined.html", {"tab": "taxonomy", "page": page})


@require_POST
@catalogue_page(Role.LEAD)
def take_back(request: MemberRequest, pk: int) -> HttpResponse:
    """A decline is taken back; one that somebody else took back is none."""
    one = questions.declined_proposals(request.catalogue).filter(pk=pk).first()
    if one is None:
        raise Http404
    verbs.take_back_decline(declined=one, user=request.user)
    messages.success(request, _("“%(word)s” may be proposed again.") % {"word": one.text})
    return redirect("taxonomy_declined", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def decide(request: MemberRequest) -> HttpResponse:
    """``verdict`` accept or decline of the proposal that ``kind``, ``text``, ``facet`` and ``tag`` name."""
    kind, text = request.POST.get("kind", ""), request.POST.get("text", "")
    verdict = request.POST.get("verdict", "")
    if kind not in (questions.VALUE, questions.SYNONYM, questions.WORDS) or verdict not in ("accept", "decline"):
        raise Refused(_("Accept it or decline it."), "verdict")
    tag = _tag(request) if kind == questions.SYNONYM else None
    facet = tag.facet if tag else _facet(request)
    if verdict == "decline":
        place = None if kind == questions.WORDS else facet  # words belong to no facet until somebody says so
        verbs.decline_proposal(
            catalogue=request.catalogue, kind=kind, text=text, facet=place, tag=tag, user=request.user
        )
    elif tag is not None:
        verbs.accept_as_synonym(tag=tag, text=text, user=request.user)
        messages.success(request, _("“%(word)s” is a synonym of “%(tag)s” now.") % {"word": text, "tag": tag.label})
    elif facet is None:
        raise Refused(_("Choose the facet that the new tag belongs to."), "facet")
    else:
        made = verbs.accept_as_tag(facet=facet, text=text, user=request.user)
        said = {"tag": made.label, "facet": facet.label}
        messages.success(request, _("“%(tag)s” is a tag of “%(facet)s” now.") % said)
    place_now = number(request.POST.get("at"), 0)
    return redirect(reverse("taxonomy_proposals", args=[request.catalogue.slug]) + f"?at={place_now}")


def _tag(request: MemberRequest) -> Tag:
    pk = number(request.POST.get("tag"), 0)
    tags = Tag.objects.live().filter(facet__catalogue=request.catalogue, facet__retired_at=None)
    found: Tag | None = tags.filter(pk=pk).select_related("facet__catalogue").first()
    if found is None:
        raise Http404
    return found


def _facet(request: MemberRequest) -> Facet | None:
    if not (pk := number(request.POST.get("facet"), 0)):
        return None
    found: Facet | None = (
        Facet.objects.live().filter(catalogue=request.catalogue, pk=pk).select_related("catalogue").first()
    )
    if found is None:
        raise Http404
    return found
