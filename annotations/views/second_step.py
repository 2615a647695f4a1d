"""One's own one-time codes: set up, renew the recovery codes, switch off; and an admin's reset of somebody else's."""

from __future__ import annotations

import base64
from typing import Any, cast

import qrcode
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from annotations.actions import second_step as verbs
from annotations.actions.errors import Refused
from annotations.actions.sign_in import prove
from annotations.forms.accounts import Again, SignInCode
from annotations.models import SecondStep, User
from annotations.queries.second_step import begun_by, is_required, recovery_codes_left
from annotations.views.accounts import READ_OR_SEND, address_of
from annotations.views.doors import signed_in
from annotations.views.gate import PROVEN
from tagstudio import totp

QUIET = 4  # modules of white around a QR code, which readers need (ISO/IEC 18004)


@sensitive_post_parameters("code", "again")
@never_cache
@require_http_methods(READ_OR_SEND)
@signed_in
def page(request: HttpRequest) -> HttpResponse:
    """``do`` of the form: begin, confirm, renew or off. Recovery codes are in the answer to confirm and renew alone."""
    user = cast(User, request.user)
    do = request.POST.get("do", "") if request.method == "POST" else ""
    form = SignInCode(request.POST if do == "confirm" else None)
    again = Again(request.POST if do in ("renew", "off") else None, has_password=user.has_usable_password())
    codes: list[str] = []
    status = 422 if request.method == "POST" else 200
    try:
        if do == "begin":
            verbs.begin(user=user)
            return redirect("second_step")
        if do == "confirm" and form.is_valid():
            codes = verbs.confirm(user=user, code=form.cleaned_data["code"])
            update_session_auth_hash(request, user)
            request.session[PROVEN] = True
        elif do in ("renew", "off") and again.is_valid():
            _prove_again(request, user, again)
            if do == "off":
                verbs.turn_off(user=user)
                update_session_auth_hash(request, user)
                request.session.pop(PROVEN, None)
                messages.success(request, _("One-time codes are off: your password alone signs you in."))
                return redirect("second_step")
            codes = verbs.renew_codes(user=user)
    except Refused as refusal:
        status = refusal.status
        if do == "confirm" and refusal.code == "code":
            form.add_error("code", refusal.message)
        elif do in ("renew", "off"):
            again.add_error(None, refusal.message)
        else:
            messages.error(request, refusal.message)
    if codes:
        return render(request, "accounts/recovery_codes.html", {"codes": codes, "file": _file(codes, user)})
    return render(request, "accounts/second_step.html", _context(request, user, form, again), status=status)


def _prove_again(request: HttpRequest, user: User, again: Again) -> None:
    """A session left open is no way to weaken the sign-in: the password once more, or a code where there is none."""
    given, address = again.cleaned_data["again"], address_of(request)
    if user.has_usable_password():
        prove(name=user.username, password=given, address=address)
    else:
        verbs.prove_code(user=user, code=given, address=address)


def _context(request: HttpRequest, user: User, form: SignInCode, again: Again) -> dict[str, Any]:
    step = begun_by(user)
    context: dict[str, Any] = {
        "on": step is not None and step.confirmed_at is not None, "step": step, "form": form, "again": again,
        "required": is_required(user), "has_password": user.has_usable_password(),
    }  # fmt: skip
    if context["on"]:
        context["left"], context["most"] = recovery_codes_left(user), verbs.CODES
    elif step is not None:
        context.update(_picture(request, user, step))
    return context


def _picture(request: HttpRequest, user: User, step: SecondStep) -> dict[str, Any]:
    """The secret for the app: as a QR code of ``size`` modules, whose black ones are ``path``, in text, as a link."""
    try:
        secret = verbs.secret_of(step)
    except Refused:
        return {"step": None}  # sealed with another key: begin again
    host = request.get_host()
    address = totp.address(secret, account=user.username, issuer=f"TagStudio {host}")
    code = qrcode.QRCode(border=QUIET, error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(address)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, black in enumerate(row) if black)
    shown = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return {"size": len(rows), "path": path, "secret": shown, "address": address}


def _file(codes: list[str], user: User) -> str:
    """The codes as a text file in an address of the page itself: nothing is fetched for it, and nothing kept."""
    head = _("Recovery codes of %(name)s for TagStudio. Each signs in once.") % {"name": user.username}
    text = "\r\n".join([head, "", *codes, ""])
    return f"data:text/plain;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"
