"""One's own keys: pressing something else, or none at all."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotations.actions.errors import Refused
from annotations.actions.shortcuts import choose_keys
from annotations.models import User
from annotations.shortcuts import HOUSE, key_for
from annotations.views.doors import signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def keys(request: HttpRequest) -> HttpResponse:
    """Every key of the review screen with what it does; each can be another one, and all can be switched off."""
    user = cast(User, request.user)
    problem, given = "", {house: key_for(user, house) for house in HOUSE}
    enabled = user.shortcuts_enabled
    if request.method == "POST":
        enabled = "enabled" in request.POST
        if "reset" in request.POST:
            given = dict.fromkeys(HOUSE, "")
        else:
            given = {house: request.POST.get(f"key-{n}", "").strip() for n, house in enumerate(HOUSE)}
        try:
            choose_keys(user=user, keys=given, enabled=enabled)
        except Refused as refusal:
            problem = refusal.message
        else:
            messages.success(request, _("Your keys are saved."))
            return redirect("keys")
    rows = [(n, house, label, given[house]) for n, (house, label) in enumerate(HOUSE.items())]
    context = {"rows": rows, "enabled": enabled, "problem": problem}
    return render(request, "accounts/keys.html", context, status=422 if problem else 200)
