"""What every page door does before and after its verb: who is asking, what may they, and how is a refusal said."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import quote

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render, resolve_url
from django.utils.translation import gettext as _

from annotations.access import member_or_404
from annotations.actions.errors import Forbidden, Refused
from annotations.models import Catalogue, Role, User

View = Callable[..., HttpResponse]


class MemberRequest(HttpRequest):
    """A request that has come through ``catalogue_page``."""

    user: User
    catalogue: Catalogue
    role: Role


def wants_json(request: HttpRequest) -> bool:
    """Whether a script of ours asks (the send queue), rather than a form or htmx."""
    return request.headers.get("Accept", "").startswith("application/json")


def signed_in(view: View) -> View:
    """For pages outside any catalogue. Whoever is not signed in is sent to do so and comes back; scripts get 401."""

    @wraps(view)
    def door(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return _sign_in_first(request)
        return view(request, *args, **kwargs)

    return door


def catalogue_page(least: Role = Role.VIEWER) -> Callable[[View], View]:
    """For pages below ``c/<slug>/``: sets ``request.catalogue`` and ``request.role``, or answers 404 or 403.

    A ``Refused`` that the view lets through becomes an answer: JSON for our scripts, a page for everybody else. A view
    that has something better to show (its form again) catches it itself.
    """

    def around(view: View) -> View:
        @wraps(view)
        def door(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _sign_in_first(request)
            asked = cast(MemberRequest, request)
            try:
                membership = member_or_404(asked.user, slug)
                asked.catalogue, asked.role = membership.catalogue, Role(membership.role)
                if asked.role.rank < least.rank:
                    raise Forbidden(_("This page needs the role “%(role)s”.") % {"role": least.label}, "role")
                return view(asked, *args, **kwargs)
            except Refused as refusal:
                return refused(request, refusal)

        return door

    return around


def refused(request: HttpRequest, refusal: Refused) -> HttpResponse:
    if wants_json(request):
        body = {"code": refusal.code, "message": refusal.message, **refusal.details}
        return JsonResponse(body, status=refusal.status)
    if getattr(request, "htmx", False):
        messages.error(request, refusal.message)
        return render(request, "partials/messages.html", status=refusal.status)
    return render(request, "refused.html", {"refusal": refusal}, status=refusal.status)


def _sign_in_first(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"code": "signed_out", "message": _("You are signed out.")}, status=401)
    # back to the page one was on, not to the address of a form
    back = request.get_full_path() if request.method == "GET" else resolve_url("home")
    target = f"{resolve_url(settings.LOGIN_URL)}?next={quote(back)}"
    if getattr(request, "htmx", False):
        return HttpResponse(status=401, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)
