"""Copying what was decided to the other variants: what would be reached, and doing it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from annotations.actions.errors import Conflict, Refused
from annotations.actions.family import copy_to_family
from annotations.models import Product, Role
from annotations.queries.family import MOST, copied_facets, variants_of
from annotations.views.doors import MemberRequest, catalogue_page, wants_json
from annotations.views.review import back_to_queue, both_sides
from annotations.views.review_forms import by_of, item_of, nonce_of, number, sent_card
from annotations.views.review_words import held_word


@require_POST
@catalogue_page(Role.REVIEWER)
def family(request: MemberRequest) -> HttpResponse:
    """The variants, to be ticked: a fragment for the script, a page of its own without one."""
    product = item_of(request, request.POST.get("product", "")).product
    card = sent_card(request, product, nonce_of(request))
    facets = copied_facets(card.complete)
    left_out = [facet for facet in card.complete if facet.variant_axis]
    variants = variants_of(product, facets, request.user)
    accepted = [c.tag for c in card.choices if c.verdict in ("accept", "add") and not c.tag.facet.variant_axis]
    context: dict[str, Any] = {
        "tab": "review", "product": product, "variants": variants, "facets": facets, "left_out": left_out,
        "accepted": accepted, "kept": _kept(request),
    }  # fmt: skip
    page = "review/_family.html" if request.headers.get("X-Fragment") else "family.html"
    return render(request, page, context)


@require_POST
@catalogue_page(Role.REVIEWER)
def family_save(request: MemberRequest) -> HttpResponse:
    """Save the card and copy it to the variants that were ticked; one undo takes all of it back."""
    nonce = nonce_of(request)
    item = item_of(request, request.POST.get("product", ""))
    card = sent_card(request, item.product, nonce)
    versions = dict(text.partition(":")[::2] for text in request.POST.getlist("variant"))
    wanted = [number(pk, 0) for pk in versions][:MOST]
    found = {p.pk: p for p in Product.objects.filter(catalogue=request.catalogue, pk__in=wanted)}
    variants = [(found[pk], number(versions[str(pk)], -1)) for pk in wanted if pk in found and pk != item.product_id]
    if len(variants) < len(versions):
        raise Refused(_("One of these variants is not in the catalogue."), "family")
    for variant, _version in variants:
        variant.catalogue = request.catalogue
    try:
        together = copy_to_family(
            card=card, version=number(request.POST.get("version"), -1), variants=variants, by=by_of(request),
            batch=uuid.uuid5(nonce, "batch"),
        )  # fmt: skip
    except Conflict as conflict:
        if wants_json(request):
            raise
        return both_sides(request, item, card, conflict)
    message = _summary(len(together.products) - 1)
    held = [
        {"product": h.product, "title": found[h.product].title or found[h.product].external_id, "why": held_word(h)}
        for h in together.held if h.product in found
    ]  # fmt: skip
    if wants_json(request):
        return JsonResponse({"message": message, "held": held, "products": sorted(together.products)})
    messages.success(request, message)
    for one in held:
        messages.warning(request, f"{one['title']}: {one['why']}")
    return back_to_queue(request)


def _summary(copied: int) -> str:
    return ngettext("Saved, and applied to %(n)d variant.", "Saved, and applied to %(n)d variants.", copied) % {
        "n": copied
    }


def _kept(request: MemberRequest) -> list[tuple[str, Any]]:
    return [(k, v) for k, values in request.POST.lists() for v in values if k != "csrfmiddlewaretoken"]
