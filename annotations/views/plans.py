"""A training plan as a file: what the form asks for, to copy or to take along, and the form filled in from one."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from annotations.actions.errors import Refused
from annotations.actions.training import check_plan
from annotations.forms.plan import PLAN_MOST, PlanForm, read_plan
from annotations.models import Role
from annotations.queries.searches import presets_of
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.review_forms import number as whole_number
from annotations.views.training import training_page


def checked(form: PlanForm) -> dict[str, Any] | None:
    """The form's plan where it can be followed; None, and why beside its fields, where it cannot."""
    if not form.is_valid():
        return None
    plan = form.plan()
    try:
        check_plan(plan)
    except Refused as refusal:
        form.refuse(refusal)
        return None
    return plan


@require_POST
@catalogue_page(Role.ADMIN)
def as_file(request: MemberRequest) -> HttpResponse:
    """Check what was chosen and show it as a plan file, or send it as one. Starts nothing."""
    kept = presets_of(request.catalogue).filter(pk=whole_number(request.POST.get("kept"), 0)).first()
    form = PlanForm.of(kept.plan) if kept else PlanForm(request.POST)
    plan = checked(form)
    if plan is None:
        return training_page(request, form, status=422)
    text = json.dumps(plan, indent=2, ensure_ascii=False) + "\n"
    if request.POST.get("how") == "download":
        answer = HttpResponse(text, content_type="application/json")
        answer["Content-Disposition"] = f'attachment; filename="plan-{request.catalogue.slug}.json"'
        return answer
    return training_page(request, form, plan_text=text)


@require_POST
@catalogue_page(Role.ADMIN)
def from_file(request: MemberRequest) -> HttpResponse:
    """The form filled in from a plan that was pasted or uploaded. Starts nothing."""
    text = request.POST.get("plan", "")
    try:
        form = PlanForm.of(read_plan(_sent(request) or text))
    except Refused as refusal:
        return training_page(request, PlanForm(), status=422, plan_sent=text, plan_refused=refusal.message)
    fine = checked(form) is not None
    return training_page(request, form, status=200 if fine else 422, plan_read=fine)


def _sent(request: MemberRequest) -> str:
    """The uploaded file's text; empty where there is none. Raises Refused for what is no text."""
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        return ""
    if (file.size or 0) > PLAN_MOST:
        raise Refused(_("This file is too large for a plan."), "plan_file")
    try:
        return file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(_("This is no text in UTF-8."), "plan_file") from None
