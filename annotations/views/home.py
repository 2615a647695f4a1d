"""The first page: my catalogues, and the language I read."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST, require_safe

from annotations.models import User
from annotations.queries.comments import mentions_for
from annotations.queries.jobs import workers_alive
from annotations.queries.overview import overviews
from annotations.queries.people import may_create_catalogues
from annotations.views.doors import signed_in


@require_safe
@signed_in
def home(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    context = {
        "overviews": overviews(user),
        "mentions": mentions_for(user),
        "workers_alive": workers_alive(),
        "may_create": may_create_catalogues(user),
    }
    return render(request, "home.html", context)


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Remembered in a cookie, and with the user when somebody is signed in. Goes back to where one was."""
    code = request.POST.get("language", "")
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        target = resolve_url("home")
    answer = HttpResponseRedirect(target)
    if code in dict(settings.LANGUAGES) and check_for_language(code):
        answer.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            max_age=365 * 24 * 3600,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
        if request.user.is_authenticated:
            User.objects.filter(pk=request.user.pk).update(language=code)
    return answer
