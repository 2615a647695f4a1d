"""Where reviewers differ: a lead sees both sides and settles, or has it asked again."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import panels
from annotations.actions import queue as queue_verbs
from annotations.actions.decide import Circumstances
from annotations.actions.errors import Conflict, NotFound, Refused
from annotations.models import Facet, Input, QueueItem, Role, Tag
from annotations.queries import conflicts as questions
from annotations.views.doors import MemberRequest, catalogue_page

SMALLEST, BIGGEST = 0, 2**31 - 1


@require_safe
@never_cache
@catalogue_page(Role.LEAD)
def conflicts(request: MemberRequest) -> HttpResponse:
    """The product in ``?product=``, else the first that no other lead is looking at; beside it all that wait."""
    waiting = questions.waiting(request.catalogue)
    asked = _number(request.GET.get("product", ""))
    item = next((i for i in waiting if i.product_id == asked), None) if asked else None
    for one in [item] if item else waiting:
        one.catalogue = one.product.catalogue = request.catalogue
        try:
            item = queue_verbs.lease(item=one, user=request.user)
            break
        except Conflict as taken:
            item = None
            if asked:
                messages.info(request, taken.message)
    context = {
        "tab": "team",
        "waiting": waiting,
        "total": questions.how_many(request.catalogue),
        "dispute": questions.dispute(item) if item else None,
        "nonce": uuid.uuid4(),
    }
    return render(request, "team/conflicts.html", context)


@require_POST
@catalogue_page(Role.LEAD)
def settle(request: MemberRequest, pk: int) -> HttpResponse:
    """The last word on the facets of the form. Sent again it is not said again; 409 where somebody was quicker."""
    item = _item(request, pk)
    facets = Facet.objects.live().filter(catalogue=request.catalogue, pk__in=_numbers(request, "facet"))
    answers: dict[Facet, list[Tag]] = {}
    for facet in facets:
        chosen = [*_numbers(request, f"tag-{facet.pk}"), *_numbers(request, f"other-{facet.pk}")]
        if not chosen and "none" not in request.POST.getlist(f"tag-{facet.pk}") and facet.one_value:
            raise Refused(_("Choose a value of “%(facet)s”, or that none fits.") % {"facet": facet.label}, "no_choice")
        answers[facet] = list(Tag.objects.live().filter(facet=facet, pk__in=chosen).select_related("facet"))
    if not answers:
        raise Refused(_("This form is incomplete: load the page again."), "card")
    panels.settle(
        product=item.product, answers=answers, version=_version(request), by=_by(request), batch=_nonce(request)
    )
    title = item.product.title or item.product.external_id
    messages.success(request, _("Settled: %(title)s") % {"title": title})
    return redirect("conflicts", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def again(request: MemberRequest, pk: int) -> HttpResponseRedirect:
    """Both sides' answers are taken back, and reviewers are asked anew."""
    item = _item(request, pk)
    panels.ask_again(product=item.product, version=_version(request), by=_by(request))
    queue_verbs.release(user=request.user, product_ids=[item.product_id])
    messages.success(request, _("Reviewers are asked again: %(title)s") % {"title": item.product.title})
    return redirect("conflicts", request.catalogue.slug)


def _by(request: MemberRequest) -> Circumstances:
    return Circumstances(request.user, request.role.value, Input.CLICK)


def _item(request: MemberRequest, pk: int) -> QueueItem:
    item = QueueItem.objects.select_related("product").filter(catalogue=request.catalogue, product=pk).first()
    if item is None:
        raise NotFound(_("This product is not in the catalogue."), "product")
    item.product.catalogue = request.catalogue
    return item


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _numbers(request: HttpRequest, name: str) -> list[int]:
    return [n for text in request.POST.getlist(name) if (n := _number(text))]


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    if not (text.isascii() and text.isdecimal() and SMALLEST <= int(text[:10]) <= BIGGEST):
        raise Refused(_("This form is incomplete: load the page again."), "card")
    return int(text[:10])


def _nonce(request: HttpRequest) -> uuid.UUID:
    try:
        return uuid.UUID(request.POST.get("card", ""))
    except ValueError:
        raise Refused(_("This form is incomplete: load the page again."), "card") from None
