"""Signing in through the company's identity provider: there, and back again."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotations.actions.company import recognise
from annotations.actions.errors import Refused
from annotations.actions.sign_in import count, forgive
from annotations.views.accounts import address_of, login_page, proceed, target_of
from tagstudio import oidc

SALT = "annotations.company"
SECONDS = 600  # that somebody may take at the provider
TABS = 5
STATUS = {"unreachable": 502, "answer": 502, "refused": 403}


@never_cache
@require_GET
def begin(request: HttpRequest) -> HttpResponse:
    """To the provider. A link and no form: browsers that obey form-action follow no form to another site."""
    _on()
    target = target_of(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(target)
    try:
        begun = oidc.begin(_back(request))
    except oidc.SignInFailed as failure:
        return login_page(request, target, problem=str(failure), status=STATUS[failure.kind])
    answer = HttpResponseRedirect(begun.url)
    for old in [name for name in request.COOKIES if name.startswith("company_")][TABS - 1 :]:
        answer.delete_cookie(old, path=reverse("company_login"), samesite="Lax")  # a header has its limits
    # kept by the browser, signed, and not in a session: who only looks leaves no row. One for each tab.
    kept = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "next": target}
    answer.set_cookie(
        _cookie(begun.state), signing.dumps(kept, salt=SALT), max_age=SECONDS, path=reverse("company_login"),
        httponly=True, secure=settings.SESSION_COOKIE_SECURE, samesite="Lax",
    )  # fmt: skip
    return answer


@never_cache
@require_GET
def back(request: HttpRequest) -> HttpResponse:
    """From the provider, with its answer in the query."""
    _on()
    name = _cookie(request.GET.get("state", ""))
    try:
        kept = signing.loads(request.COOKIES.get(name, ""), salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        words = _("This sign-in was not begun here, or it took too long. Begin again.")
        return login_page(request, resolve_url("home"), problem=words, status=403)
    answer = _finish(request, kept)
    answer.delete_cookie(name, path=reverse("company_login"), samesite="Lax")
    return answer


def _finish(request: HttpRequest, kept: dict[str, str]) -> HttpResponse:
    address, target = address_of(request), kept["next"]
    begun = oidc.Begun("", kept["state"], kept["nonce"], kept["verifier"])
    try:
        counted = count(address=address)  # each try asks the provider something: nobody may make us ask for ever
        claims = oidc.finish(answer=request.GET.dict(), begun=begun, redirect_uri=_back(request))
        user = recognise(claims=claims, address=address)
    except oidc.SignInFailed as failure:
        return login_page(request, target, problem=str(failure), status=STATUS[failure.kind])
    except Refused as refusal:
        wait = refusal.details.get("wait", 0)
        return login_page(request, target, problem=refusal.message, status=refusal.status, wait=wait)
    forgive(counted)
    return proceed(request, user, target, through=settings.OIDC_ISSUER, enough=not settings.OIDC_SECOND_STEP)


def _on() -> None:
    if not oidc.is_on():
        raise Http404


def _back(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("company_back"))


def _cookie(state: str) -> str:
    return f"company_{''.join(c for c in state[:16] if c.isascii() and (c.isalnum() or c in '-_'))}"
