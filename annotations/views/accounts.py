"""Signing in and out, one's password, one's API tokens."""

from __future__ import annotations

import time
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as begin_session
from django.contrib.auth import logout as end_session
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from annotations.actions import links, people, second_step
from annotations.actions.errors import Refused
from annotations.actions.sign_in import note, prove
from annotations.forms.accounts import NewPassword, NewToken, SignIn, SignInCode
from annotations.models import User
from annotations.queries.people import tokens_of
from annotations.queries.second_step import is_on
from annotations.views.doors import signed_in
from annotations.views.gate import PROVEN
from tagstudio import oidc

READ_OR_SEND = ["GET", "HEAD", "POST"]
PENDING = "first_step"  # in the session of somebody whose code is still asked for
PENDING_SECONDS = 600


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(READ_OR_SEND)
def login(request: HttpRequest) -> HttpResponse:
    target = target_of(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(target)
    form = SignIn(request.POST or None)
    status, wait = 200, 0
    if request.method == "POST":
        status = 422
        if not settings.PASSWORD_SIGN_IN:
            return login_page(request, target, problem=_("Passwords do not sign in here."), status=403)
        if form.is_valid():
            try:
                user = prove(**form.cleaned_data, address=address_of(request))
            except Refused as refusal:
                form.add_error(None, refusal.message)
                status, wait = refusal.status, refusal.details.get("wait", 0)
            else:
                return proceed(request, user, target)
    return login_page(request, target, form=form, status=status, wait=wait)


def login_page(
    request: HttpRequest,
    target: str,
    *,
    form: SignIn | None = None,
    problem: str = "",
    status: int = 200,
    wait: int = 0,
) -> HttpResponse:
    """The ways in that this installation has, and what went wrong with the one that was tried."""
    context = {
        "form": (form or SignIn()) if settings.PASSWORD_SIGN_IN else None,
        "company": settings.OIDC_NAME if oidc.is_on() else "",
        "next": target, "problem": problem,
    }  # fmt: skip
    answer = render(request, "accounts/login.html", context, status=status)
    if wait:
        answer["Retry-After"] = str(wait)
    return answer


def proceed(
    request: HttpRequest, user: User, target: str, *, through: str = "password", enough: bool = False
) -> HttpResponse:
    """On from the first step: in, or to the second one. ``enough``: whoever let them in asked for one already."""
    if enough or not is_on(user):
        return come_in(request, user, target, through=through, proven=enough)
    request.session.flush()  # what the browser had of somebody else's is no part of this
    request.session[PENDING] = {
        "user": user.pk, "hash": user.get_session_auth_hash(), "until": time.time() + PENDING_SECONDS,
        "next": target, "through": through,
    }  # fmt: skip
    return redirect("login_code")


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(READ_OR_SEND)
def login_code(request: HttpRequest) -> HttpResponse:
    """The second step: a code of the app, or a recovery code. Nobody is signed in before it."""
    pending = request.session.get(PENDING)
    user = _pending_user(pending)
    if user is None or pending is None:
        return redirect("login")
    form = SignInCode(request.POST or None)
    status, wait = 200, 0
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                proven = second_step.prove_code(user=user, code=form.cleaned_data["code"], address=address_of(request))
            except Refused as refusal:
                form.add_error("code", refusal.message)
                status, wait = refusal.status, refusal.details.get("wait", 0)
            else:
                del request.session[PENDING]
                answer = come_in(request, user, pending["next"], through=pending["through"], proven=True)
                if proven.recovery_left is not None:
                    messages.warning(request, _left(proven.recovery_left))
                return answer
    answer = render(request, "accounts/code.html", {"form": form, "name": user.username}, status=status)
    if wait:
        answer["Retry-After"] = str(wait)
    return answer


def _pending_user(pending: dict[str, Any] | None) -> User | None:
    """Whose first step it was, unless that was too long ago or something ended their sessions since."""
    if not pending or pending["until"] < time.time():
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    same = user is not None and constant_time_compare(pending["hash"], user.get_session_auth_hash())
    return user if same else None


def _left(n: int) -> str:
    return ngettext(
        "You used a recovery code: %(n)s is left. Make new ones under “One-time codes”.",
        "You used a recovery code: %(n)s are left. Make new ones under “One-time codes” before they end.", n,
    ) % {"n": n}  # fmt: skip


def come_in(request: HttpRequest, user: User, target: str, *, through: str, proven: bool) -> HttpResponse:
    begin_session(request, user, backend="django.contrib.auth.backends.ModelBackend")
    if proven:
        request.session[PROVEN] = True
    note(user=user, address=address_of(request), through=through)
    answer = HttpResponseRedirect(target)
    if user.language in dict(settings.LANGUAGES):
        answer.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, user.language, max_age=365 * 24 * 3600,
            secure=settings.SESSION_COOKIE_SECURE, samesite="Lax",
        )  # fmt: skip
    return answer


@never_cache
@require_http_methods(READ_OR_SEND)
def once(request: HttpRequest, token: str) -> HttpResponse:
    """A link from ``manage.py sign_in_link``. Looking at it does nothing, so that no preview uses it up."""
    user = links.whose(token)
    if user is None:
        return login_page(
            request, resolve_url("home"), problem=_("This link was used already, or is too old."), status=410
        )
    if request.method == "POST":
        if not links.use(token):
            return login_page(
                request, resolve_url("home"), problem=_("This link was used already, or is too old."), status=410
            )
        return proceed(request, user, resolve_url("home"), through="link")
    return render(request, "accounts/once.html", {"name": user.username})


def target_of(request: HttpRequest) -> str:
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
    if not user.has_usable_password():  # who comes in through the provider alone has none to change
        return render(request, "accounts/password.html", {"form": None, "company": settings.OIDC_NAME})
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
