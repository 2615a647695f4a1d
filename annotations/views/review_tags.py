"""The tags that a reviewer can add, and asking for one that is not there."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpResponse, HttpResponseNotModified, JsonResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import tag_requests
from annotations.actions.errors import NotFound
from annotations.models import Facet, Role, Tag
from annotations.queries import mnemonics
from annotations.queries.offers import Offer, offers, with_more
from annotations.queries.taxonomy import search_tags
from annotations.views.doors import MemberRequest, catalogue_page, wants_json
from annotations.views.review import back_to_queue
from annotations.views.review_forms import item_of, number

WHOLE = 2000
"""Tags of a catalogue up to which a browser gets them all at once; beyond, one facet at a time and by what is typed."""
FOUND = 12


@require_safe
@catalogue_page(Role.REVIEWER)
def tags(request: MemberRequest) -> HttpResponse:
    """The tags that can be added, with all words that lead to them; kept by the browser until the taxonomy changes.

    ``?facet=`` asks for the first ones of one facet, ``&whole=1`` for as many of it as have a mnemonic, ``&q=`` for
    those that a typed text may mean.
    """
    if request.GET.get("q"):
        return _found(request)
    facet = request.GET.get("facet", "")
    whole = "whole" in request.GET
    etag = f'"{request.catalogue.pk}-{request.catalogue.taxonomy_revision}-{get_language()}-{facet[:20]}-{whole}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified()
    if facet:
        shown = [offer for offer in offers(request.catalogue) if offer.facet.pk == number(facet, 0)]
        if whole:
            shown = [with_more(offer, mnemonics.MOST) for offer in shown]
    else:
        live = Tag.objects.live().filter(facet__catalogue=request.catalogue, facet__retired_at=None)
        shown = offers(request.catalogue) if live.count() <= WHOLE else []
    answer = JsonResponse({o.facet.pk: _facet(request, o) for o in shown}, json_dumps_params={"ensure_ascii": False})
    answer["ETag"], answer["Cache-Control"] = etag, "private, max-age=0, must-revalidate"
    return answer


def _facet(request: MemberRequest, offer: Offer) -> dict[str, Any]:
    known = {tag.pk: tag for tag in offer.tags}
    # a facet of which only the first tags travel shows no letters yet: the whole of it comes before it is asked for
    whole = not offer.more or len(offer.tags) >= mnemonics.MOST
    every = None if offer.more else offer.tags
    letters = mnemonics.mnemonics(request.catalogue, offer.facet, every) if whole else {}
    return {
        "label": offer.facet.label,
        "single": offer.facet.one_value,
        "more": offer.more,
        "tags": [
            _tag_row(tag, _path(tag, known), offer.numbers.get(tag.pk), letters.get(tag.pk, "")) for tag in offer.tags
        ],
    }


def _found(request: MemberRequest) -> HttpResponse:
    facet = Facet.objects.live().filter(catalogue=request.catalogue, pk=number(request.GET.get("facet"), 0)).first()
    if facet is None:
        raise NotFound(_("This facet is no longer there."), "facet")
    hits = search_tags(request.catalogue, request.GET["q"][:200], facet=facet, limit=FOUND)
    rows = [_tag_row(tag, [tag.parent.label] if tag.parent else [], None) for tag in hits]
    return JsonResponse({"tags": rows}, json_dumps_params={"ensure_ascii": False})


def _path(tag: Tag, known: dict[int, Tag]) -> list[str]:
    path: list[str] = []
    above = tag.parent_id
    while above in known and len(path) < 9:
        path.append(known[above].label)
        above = known[above].parent_id
    return path[::-1]


def _tag_row(tag: Tag, path: list[str], key: int | None, letters: str = "") -> dict[str, Any]:
    row = {
        "id": tag.pk,
        "place": tag.position,
        "label": tag.label,
        "words": [w for w in (*tag.words, tag.slug) if w != tag.label],
    }
    more = {"number": key, "path": " › ".join(path), "letters": letters}
    return row | {name: value for name, value in more.items() if value}


@require_POST
@catalogue_page(Role.REVIEWER)
def request_tag(request: MemberRequest) -> HttpResponse:
    """A value that the taxonomy lacks becomes a request to its owner. In an open facet, or one of numbers, it is a tag
    at once, which the answer carries so that it can be put on the card."""
    facet = Facet.objects.live().filter(catalogue=request.catalogue, pk=number(request.POST.get("facet"), 0)).first()
    if facet is None:
        raise NotFound(_("This facet is no longer there."), "facet")
    product = item_of(request, request.POST.get("product", "")).product
    asked = tag_requests.request_tag(
        facet=cast(Facet, facet), text=request.POST.get("text", ""), user=request.user, product=product
    )
    if asked.tag:
        message = _("“%(tag)s” is a tag of %(facet)s.") % {"tag": asked.tag.label, "facet": asked.facet.label}
        answer = {"message": message, "tag": _tag_row(asked.tag, [], None)}
    else:
        message = _("Asked the taxonomy's owner for “%(text)s”.") % {"text": asked.text}
        answer = {"message": message}
    if wants_json(request):
        return JsonResponse(answer)
    messages.success(request, message)
    return back_to_queue(request, product=product.pk)
