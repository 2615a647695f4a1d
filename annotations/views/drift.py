"""Alerts of drift: who is told of them, and closing one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotations.actions import drift
from annotations.actions.errors import Refused
from annotations.models import Role
from annotations.views.doors import MemberRequest, catalogue_page


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@catalogue_page(Role.ADMIN)
def alerts(request: MemberRequest) -> HttpResponse:
    """Who is told. The secret that signs the webhook's messages is shown to admins alone."""
    given = {
        "emails": "\n".join(request.catalogue.alerts.get("emails", [])),
        "webhook": request.catalogue.alerts.get("webhook", ""),
    }
    refusal = None
    if request.method == "POST":
        given = {name: request.POST.get(name, "")[:4000] for name in given}
        try:
            drift.set_alerts(
                catalogue=request.catalogue, user=request.user, emails=given["emails"].splitlines(),
                webhook=given["webhook"],
            )  # fmt: skip
        except Refused as error:
            refusal = error
        else:
            messages.success(request, _("Saved."))
            return redirect("alerts", request.catalogue.slug)
    context = {"tab": "team", "given": given, "refusal": refusal, "secret": request.catalogue.alerts.get("secret")}
    return render(request, "team/alerts.html", context, status=refusal.status if refusal else 200)


@require_POST
@catalogue_page(Role.LEAD)
def seen(request: MemberRequest, alert: int) -> HttpResponse:
    drift.seen(catalogue=request.catalogue, alert=alert, user=request.user)
    return redirect("team", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def look(request: MemberRequest) -> HttpResponse:
    drift.request_look(catalogue=request.catalogue, user=request.user)
    messages.success(request, _("What came in since the last look is compared with what was there."))
    return redirect("team", request.catalogue.slug)
