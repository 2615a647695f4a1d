"""The language model's page: where it is asked, what it is asked, what that cost, and how often people agree."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import language_model as verbs
from annotations.actions.errors import Refused
from annotations.forms.language_model import LanguageModelForm
from annotations.models import Role
from annotations.queries import language_model as questions
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown
from annotations.views.review import number
from tagstudio.fetch import allowed_hosts

PRODUCTS = 100  # what a run is proposed to ask about


@never_cache
@require_safe
@catalogue_page(Role.LEAD)
def page(request: MemberRequest) -> HttpResponse:
    return _page(request)


@require_POST
@catalogue_page(Role.ADMIN)
def set_model(request: MemberRequest) -> HttpResponse:
    form = LanguageModelForm(request.POST)
    if form.is_valid():
        try:
            verbs.set_language_model(catalogue=request.catalogue, user=request.user, **form.given())
        except Refused as refusal:
            form.add_error("endpoint" if refusal.code == "endpoint" else None, refusal.message)
        else:
            messages.success(request, _("The language model is set."))
            return redirect("language_model", request.catalogue.slug)
    form.say_key(questions.language_model_of(request.catalogue))
    return _page(request, form=form)


@require_POST
@catalogue_page(Role.ADMIN)
def forget(request: MemberRequest) -> HttpResponse:
    verbs.forget_language_model(catalogue=request.catalogue, user=request.user)
    messages.success(request, _("The language model and its key are forgotten."))
    return redirect("language_model", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def ask(request: MemberRequest) -> HttpResponse:
    verbs.request_asking(
        catalogue=request.catalogue, user=request.user, products=number(request.POST.get("products"), 0)
    )
    return redirect("language_model", request.catalogue.slug)


def _page(request: MemberRequest, form: LanguageModelForm | None = None) -> HttpResponse:
    catalogue = request.catalogue
    model = questions.language_model_of(catalogue)
    runs = questions.runs(catalogue)
    left = questions.unasked(catalogue, model).count() if model else 0
    context = {
        "tab": "training", "model": model, "form": form or LanguageModelForm.showing(model), "runs": runs,
        "hosts": allowed_hosts(), "left": left, "left_words": _left_words(left), "propose": min(PRODUCTS, left),
        "spent": questions.spent(catalogue), "in_all": questions.in_all(catalogue),
        "agreement": [a for a in questions.agreement(catalogue).values() if a.judged],
    }  # fmt: skip
    if runs and runs[0].job.live:
        context |= shown(runs[0].job, request.user, request.role)
    return render(request, "language_model.html", context, status=422 if form is not None else 200)


def _left_words(left: int) -> str:
    return ngettext(
        "%(n)d product waits that it was not asked about.", "%(n)d products wait that it was not asked about.", left
    ) % {"n": left}
