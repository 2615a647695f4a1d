"""What the pages of the taxonomy share: finding a facet or tag of the catalogue, and reading their forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language_info
from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.models import Facet, Role, Tag
from annotations.views.doors import MemberRequest

STEPS = {"up": -1, "down": 1}


def common(request: MemberRequest, refusal: Refused | None) -> dict[str, Any]:
    return {
        "tab": "taxonomy",
        "refusal": refusal,
        "may_edit": request.role.rank >= Role.LEAD.rank,
        "languages": [(code, language_name(code)) for code in request.catalogue.languages],
    }


def language_name(code: str) -> str:
    try:
        return str(get_language_info(code)["name_local"])
    except KeyError:
        return code


def languages_of(request: MemberRequest, *texts: dict[str, Any]) -> list[tuple[str, str]]:
    """Those of the catalogue, and any others that the texts are in, so that saving loses none."""
    codes = dict.fromkeys((*request.catalogue.languages, *(code for known in texts for code in known)))
    return [(code, language_name(code)) for code in codes]


def then(
    request: MemberRequest, verb: Callable[[], object], again: Callable[[Refused], HttpResponse], page: str, pk: int
) -> HttpResponse:
    """Do it and go back to the page; refused, show the page again with the reason."""
    try:
        verb()
    except Refused as refusal:
        return again(refusal)
    messages.success(request, _("Saved."))
    return redirect(page, request.catalogue.slug, pk)


def facet_or_404(request: MemberRequest, pk: int) -> Facet:
    found = Facet.objects.select_related("catalogue").filter(catalogue=request.catalogue, pk=pk).first()
    if found is None:
        raise Http404
    return found


def tag_or_404(request: MemberRequest, pk: int) -> Tag:
    found = Tag.objects.select_related("facet__catalogue", "parent").filter(facet__catalogue=request.catalogue, pk=pk)
    if (tag := found.first()) is None:
        raise Http404
    return tag


def texts(request: MemberRequest, name: str) -> dict[str, str]:
    """``label:en``, ``label:zh-hans`` ... of the form by language."""
    start = f"{name}:"
    return {key.removeprefix(start): str(value).strip() for key, value in request.POST.items() if key.startswith(start)}


def words(request: MemberRequest) -> dict[str, list[str]]:
    return {language: lines(text) for language, text in texts(request, "synonyms").items()}


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
