"""One facet: its page with all its tags, changing it, placing it, retiring it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import taxonomy
from annotations.actions.errors import Refused
from annotations.models import Facet, Role
from annotations.queries.taxonomy import facet_page
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.review import number
from annotations.views.taxonomy import tree
from annotations.views.taxonomy_forms import STEPS, common, facet_or_404, languages_of, lines, texts, then


@require_safe
@catalogue_page()
def facet(request: MemberRequest, pk: int) -> HttpResponse:
    return facet_page_of(request, facet_or_404(request, pk))


def facet_page_of(request: MemberRequest, found: Facet, refusal: Refused | None = None) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:200]
    start = number(request.GET.get("start"), 0)
    page = facet_page(request.catalogue, found, text=text, start=start, retired="retired" in request.GET)
    context = {
        **common(request, refusal),
        "page": page,
        "facet": found,
        "kinds": Facet.Kind.choices,
        "texts": [(code, name, found.labels.get(code, "")) for code, name in languages_of(request, found.labels)],
    }
    return render(request, "taxonomy/facet.html", context, status=refusal.status if refusal else 200)


@require_POST
@catalogue_page(Role.LEAD)
def add_facet(request: MemberRequest) -> HttpResponse:
    try:
        made = taxonomy.add_facet(
            catalogue=request.catalogue,
            labels=texts(request, "label"),
            kind=_kind(request),
            user=request.user,
            **_facet_fields(request),
        )
    except Refused as refusal:
        return tree(request, refusal)
    messages.success(request, _("“%(facet)s” is a facet now. Give it its tags.") % {"facet": made.label})
    return redirect("facet", request.catalogue.slug, made.pk)


@require_POST
@catalogue_page(Role.LEAD)
def edit_facet(request: MemberRequest, pk: int) -> HttpResponse:
    found = facet_or_404(request, pk)
    return then(
        request,
        lambda: taxonomy.edit_facet(
            facet=found,
            user=request.user,
            labels=texts(request, "label"),
            kind=_kind(request),
            **_facet_fields(request),
        ),
        lambda refusal: facet_page_of(request, found, refusal),
        "facet",
        found.pk,
    )


@require_POST
@catalogue_page(Role.LEAD)
def move_facet(request: MemberRequest, pk: int) -> HttpResponse:
    """A place up or down among the facets."""
    step = STEPS.get(request.POST.get("do", ""), 1)
    taxonomy.move_facet(facet=facet_or_404(request, pk), user=request.user, step=step)
    return redirect("taxonomy", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def retire_facet(request: MemberRequest, pk: int) -> HttpResponse:
    """Retire a live facet, ask a retired one again."""
    found = facet_or_404(request, pk)
    if found.retired_at is None:
        taxonomy.retire_facet(facet=found, user=request.user)
        messages.success(request, _("“%(facet)s” is no longer asked for.") % {"facet": found.label})
    else:
        taxonomy.restore_facet(facet=found, user=request.user)
        messages.success(request, _("“%(facet)s” is asked for again.") % {"facet": found.label})
    return redirect("taxonomy", request.catalogue.slug)


def _kind(request: MemberRequest) -> str:
    kind = request.POST.get("kind", "")
    if kind not in Facet.Kind.values:
        raise Refused(_("a facet takes one value or several"), "kind")
    return kind


def _facet_fields(request: MemberRequest) -> dict[str, Any]:
    sent = request.POST
    return {
        "variant_axis": "variant_axis" in sent, "required": "required" in sent,
        "implied_parents": "implied_parents" in sent, "unit": sent.get("unit", "").strip()[:20],
        "categories": lines(sent.get("categories", "")),
    }  # fmt: skip
