"""Signing in and out, one's password, one's API tokens."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as begin_session
from django.contrib.auth import logout as end_session
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from annotations.actions import people
from annotations.actions.errors import Refused
from annotations.actions.sign_in import prove, sign_in
from annotations.forms.accounts import NewPassword, NewToken, SignIn
from annotations.models import User
from annotations.queries.people import tokens_of
from annotations.views.doors import signed_in

READ_OR_SEND = ["GET", "HEAD", "POST"]


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(READ_OR_SEND)
def login(request: HttpRequest) -> HttpResponse:
    target = _target(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(target)
    form = SignIn(request.POST or None)
    status, wait = 200, 0
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                user = sign_in(**form.cleaned_data, address=address_of(request))
            except Refused as refusal:
                form.add_error(None, refusal.message)
                status, wait = refusal.status, refusal.details.get("wait", 0)
            else:
                return _come_in(request, user, target)
    answer = render(request, "accounts/login.html", {"form": form, "next": target}, status=status)
    if wait:
        answer["Retry-After"] = str(wait)
    return answer


def _come_in(request: HttpRequest, user: User, target: str) -> HttpResponse:
    begin_session(request, user, backend="django.contrib.auth.backends.ModelBackend")
    answer = HttpResponseRedirect(target)
    if user.language in dict(settings.LANGUAGES):
        answer.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, user.language, max_age=365 * 24 * 3600,
            secure=settings.SESSION_COOKIE_SECURE, samesite="Lax",
        )  # fmt: skip
    return answer


def _target(request: HttpRequest) -> str:
    """Where one wanted to go, if that is here."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if wanted and url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
        return wanted
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def address_of(request: HttpRequest) -> str:
    """Who asks. X-Forwarded-For counts only behind a proxy of ours, and there only what it added itself: the last."""
    if settings.BEHIND_PROXY and (told := request.headers.get("X-Forwarded-For", "")):
        return told.rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    end_session(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@sensitive_post_parameters("old", "new", "again")
@never_cache
@require_http_methods(READ_OR_SEND)
@signed_in
def password(request: HttpRequest) -> HttpResponse:
    """Ends every other session and every token; this session goes on."""
    user = cast(User, request.user)
    form = NewPassword(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            # the same limit as at the door: a session left open is no way to guess a password
            prove(name=user.username, password=form.cleaned_data["old"], address=address_of(request))
        except Refused as refusal:
            form.add_error("old", refusal.message)
        else:
            try:
                people.set_password(user=user, password=form.cleaned_data["new"])
            except Refused as refusal:
                form.add_error("new", refusal.message)
            else:
                update_session_auth_hash(request, user)
                messages.success(request, _("Your password is changed. Every other session and token has ended."))
                return redirect("home")
    return render(request, "accounts/password.html", {"form": form}, status=422 if request.method == "POST" else 200)


@never_cache
@require_http_methods(READ_OR_SEND)
@signed_in
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens. A new one is shown in the answer to the form that asked for it, and never again."""
    user = cast(User, request.user)
    form = NewToken(request.POST or None)
    made, status = None, 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            made, status, form = people.create_token(user=user, by=user, **form.cleaned_data), 200, NewToken()
    context = {"form": form, "made": made, "tokens": tokens_of(user)}
    return render(request, "accounts/tokens.html", context, status=status)


@require_POST
@signed_in
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    user = cast(User, request.user)
    token = tokens_of(user).filter(pk=pk).first()
    if token is None:
        raise Http404
    people.revoke_token(token=token, by=user)
    messages.success(request, _("The token %(prefix)s… is revoked.") % {"prefix": token.prefix})
    return redirect("tokens")
