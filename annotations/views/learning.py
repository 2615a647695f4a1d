"""What learning has saved so far, and decisions that are worth a second look."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import learning as verbs
from annotations.actions import queue
from annotations.models import Job, QueueItem, Role
from annotations.queries import learning as questions
from annotations.queries.asking import decided_counts
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown


@require_safe
@never_cache
@catalogue_page()
def learning(request: MemberRequest) -> HttpResponse:
    """The curve so far beside random order's, what it saved, what remains, and the list of unlikely decisions."""
    catalogue, may_lead = request.catalogue, request.role.rank >= Role.LEAD.rank
    seen, blind = decided_counts(catalogue)
    running = Job.objects.live().filter(catalogue=catalogue, kind__in=("proof", "second_look")).first()
    context = {
        "tab": "training",
        "found": questions.learning(catalogue),
        "too_few": questions.too_few(catalogue),
        "seen": seen,
        "blind": blind,
        "least": verbs.PROOF_LEAST,
        "doubts": questions.second_look(catalogue) if may_lead else None,
        "may_lead": may_lead,
        **(shown(running, request.user, request.role) if running else {}),
    }
    return render(request, "learning.html", context)


@require_POST
@catalogue_page(Role.LEAD)
def measure(request: MemberRequest) -> HttpResponse:
    verbs.request_proof(catalogue=request.catalogue, user=request.user)
    return _back(request)


@require_POST
@catalogue_page(Role.LEAD)
def find_doubts(request: MemberRequest) -> HttpResponse:
    verbs.request_second_look(catalogue=request.catalogue, user=request.user)
    return _back(request)


@require_POST
@catalogue_page(Role.LEAD)
def look_again(request: MemberRequest, product: int) -> HttpResponse:
    """Send a product with an unlikely decision to the flagged queue, with the reason."""
    item = get_object_or_404(
        QueueItem.objects.select_related("product", "catalogue"), catalogue=request.catalogue, product=product
    )
    said = request.POST.get("tag", "").strip()[:100]
    reason = _("The model finds “%(tag)s” unlikely: please look again.") % {"tag": said}
    queue.flag(item=item, user=request.user, reason=reason)
    messages.success(request, _("%(product)s waits among the flagged products.") % {"product": item.product})
    return _back(request, "#second-look")


def _back(request: MemberRequest, anchor: str = "") -> HttpResponse:
    return HttpResponseRedirect(reverse("learning", args=[request.catalogue.slug]) + anchor)
