"""Where the installation wants one-time codes of somebody, nothing opens before they are set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, resolve_url
from django.utils.translation import gettext as _

from annotations.models import User
from annotations.queries.second_step import is_required
from annotations.views.doors import wants_json

PROVEN = "second_step"  # in a session that began with a code, or with a provider that asks for one itself
FREE = {"login", "login_code", "login_once", "company_login", "company_back", "logout", "set_language", "second_step", "healthz", "metrics"}  # fmt: skip


class SecondStepMiddleware:
    """A middleware and no door, so that no page can forget it. The API has tokens, no sessions, and is left as it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        route = request.resolver_match
        if not settings.SECOND_STEP_REQUIRED or route is None or "api" in route.namespaces or route.url_name in FREE:
            return None
        if not request.user.is_authenticated or request.session.get(PROVEN):
            return None
        if not is_required(cast(User, request.user)):
            return None
        words = _("This installation wants one-time codes of you. Set them up to go on.")
        if wants_json(request):
            return JsonResponse({"code": "second_step", "message": words}, status=403)
        if getattr(request, "htmx", False):
            return HttpResponse(status=403, headers={"HX-Redirect": resolve_url("second_step")})
        messages.warning(request, words)
        return redirect("second_step")
