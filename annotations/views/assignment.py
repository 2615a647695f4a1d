"""Who reviews what: how many people per product, who is asked first, and products whose answer is known."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotations.actions import assignment as verbs
from annotations.actions import catalogues, panels
from annotations.actions.errors import Refused
from annotations.forms.team import QUEUES, NewRule, PanelSettings
from annotations.models import AssignmentRule, Catalogue, GoldItem, Product, Role
from annotations.queries import assignment as questions
from annotations.queries import conflicts
from annotations.views.doors import MemberRequest, catalogue_page

GOLD_LISTED = 50


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@catalogue_page(Role.LEAD)
def assignment(request: MemberRequest) -> HttpResponse:
    """The page; a POST sets how many people decide on a product and how often a known answer is asked for."""
    form = PanelSettings(request.POST or None, initial=_initial(request.catalogue))
    if request.method == "POST" and form.is_valid():
        catalogues.change_settings(catalogue=request.catalogue, user=request.user, **form.settings())
        messages.success(request, _("The settings are saved."))
        return redirect("assignment", request.catalogue.slug)
    return _page(request, form, status=422 if request.method == "POST" else 200)


@require_POST
@catalogue_page(Role.LEAD)
def add_rule(request: MemberRequest) -> HttpResponse:
    form = NewRule(request.POST)
    people = {user.pk: user for user in questions.candidates(request.catalogue)}
    if not form.is_valid() or form.cleaned_data["reviewer"] not in people:
        messages.error(request, _("Choose a reviewer, and a percentage from 1 to 100."))
        return _page(request, status=422)
    given = form.cleaned_data
    try:
        verbs.add_rule(
            catalogue=request.catalogue, reviewer=people[given["reviewer"]], category=given["category"],
            percent=given["percent"], user=request.user,
        )  # fmt: skip
    except Refused as refusal:
        messages.error(request, refusal.message)
        return _page(request, status=refusal.status)
    return redirect("assignment", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def remove_rule(request: MemberRequest, pk: int) -> HttpResponse:
    rule = AssignmentRule.objects.filter(catalogue=request.catalogue, pk=pk).select_related("reviewer").first()
    if rule is None:
        raise Http404
    rule.catalogue = request.catalogue
    verbs.remove_rule(rule=rule, user=request.user)
    return redirect("assignment", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def gold(request: MemberRequest, pk: int) -> HttpResponse:
    """Vouch for what stands of a product, or take that back (``off``)."""
    product = Product.objects.filter(catalogue=request.catalogue, pk=pk).first()
    if product is None:
        raise Http404
    product.catalogue = request.catalogue
    if request.POST.get("off"):
        panels.retire_gold(product=product, user=request.user)
        messages.success(request, _("Reviewers are no longer asked about this product."))
    else:
        panels.mark_gold(product=product, user=request.user)
        messages.success(request, _("Its answer counts as known now; it is mixed in among the others."))
    return redirect("product", request.catalogue.slug, pk)


def _initial(catalogue: Catalogue) -> dict[str, object]:
    return {
        "reviewers": catalogue.reviewers,
        **{name: catalogue.reviewers_by_queue.get(queue, 1) for queue, name in QUEUES.items()},
        "gold_percent": round(100 * catalogue.gold_share),
        "gold_threshold": round(100 * catalogue.gold_threshold),
        "absent_hours": catalogue.absent_hours,
    }


def _page(request: MemberRequest, form: PanelSettings | None = None, *, status: int = 200) -> HttpResponse:
    catalogue = request.catalogue
    known = GoldItem.objects.filter(catalogue=catalogue, retired_at=None).select_related("product", "made_by")
    context = {
        "tab": "team",
        "form": form or PanelSettings(initial=_initial(catalogue)),
        "shares": questions.shares(catalogue),
        "people": questions.candidates(catalogue),
        "categories": questions.categories(catalogue),
        "known": list(known.order_by("-pk")[:GOLD_LISTED]),
        "total": conflicts.how_many(catalogue),
    }
    return render(request, "team/assignment.html", context, status=status)
