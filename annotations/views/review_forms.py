"""Reading what the review screen sends: the card, who decides and how, and which product it is about."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from annotations.actions.decide import Card, Choice, Circumstances
from annotations.actions.errors import NotFound, Refused
from annotations.models import Facet, Input, Product, QueueItem, Reason, Tag, Verdict
from annotations.views.doors import MemberRequest

SPANS = 20  # stretches of words that one tag may have as its evidence


def sent_card(request: MemberRequest, product: Product, nonce: uuid.UUID) -> Card:
    """What was checked is accepted (or added), what was shown and is not checked is rejected, with its reason where
    one was given (``why``: tag:reason) and the words that were selected for it (``words``: tag:field:start:end)."""
    shown, on, added = (ids(request, name) for name in ("shown", "on", "add"))
    known = {t.pk: t for t in Tag.objects.select_related("facet").filter(
        pk__in={*shown, *on, *added}, facet__catalogue=request.catalogue)}  # fmt: skip
    checked = {*on, *added}
    if missing := {*shown, *on, *added} - known.keys():
        raise Refused(_("A tag on this card is no longer there: load it again."), "unknown_tag", tags=sorted(missing))
    reasons, words = _reasons(request), _words(request, product)
    choices = []
    for pk in dict.fromkeys((*shown, *added, *on)):
        verdict = (Verdict.ACCEPT if pk in shown else Verdict.ADD) if pk in checked else Verdict.REJECT
        reason = reasons.get(pk, "") if verdict == Verdict.REJECT else ""
        spans = words.get(pk, ()) if verdict != Verdict.REJECT else ()
        choices.append(Choice(known[pk], verdict, uuid.uuid5(nonce, f"{pk}:{verdict.value}"), reason, spans))
    facets = Facet.objects.live().filter(catalogue=request.catalogue, pk__in=ids(request, "complete"))
    return Card(product, tuple(choices), tuple(facets))


def _reasons(request: HttpRequest) -> dict[int, str]:
    pairs = [(tag, why) for text in request.POST.getlist("why") for tag, _colon, why in [text.partition(":")]]
    if request.POST.get("why_tag"):  # the page without script asks once
        pairs.append((request.POST["why_tag"], request.POST.get("why_reason", "")))
    return {number(tag, 0): why for tag, why in pairs if why in Reason.values}


def _words(request: HttpRequest, product: Product) -> dict[int, tuple[dict[str, Any], ...]]:
    texts = {"title": product.title, "description": product.description}
    found: dict[int, list[dict[str, Any]]] = {}
    for text in request.POST.getlist("words"):
        tag, field, first, after = (*text.split(":"), "", "", "", "")[:4]
        start, end = number(first, -1), number(after, -1)
        if field not in texts or not 0 <= start < end <= len(texts[field]):
            raise Refused(_("The text changed since these words were selected: select them again."), "words")
        found.setdefault(number(tag, 0), []).append({"field": field, "start": start, "end": end})
    return {tag: tuple(spans[:SPANS]) for tag, spans in found.items()}


def by_of(request: MemberRequest, how: str = "") -> Circumstances:
    """Who decides, by key or by click (or ``how``), and since when the product was on screen."""
    how = how or request.POST.get("input", "")
    known = how if how in (Input.KEY, Input.CLICK, Input.GRID) else Input.CLICK
    shown_at = parse_datetime(request.POST.get("shown_at", "")[:40])
    if shown_at is not None and timezone.is_naive(shown_at):
        shown_at = None
    return Circumstances(request.user, request.role.value, known, _past(shown_at))


def _past(moment: datetime | None) -> datetime | None:
    """A moment that a browser told, if it can be: nothing is shown in the future."""
    return moment if moment and moment <= timezone.now() else None


def item_of(request: MemberRequest, product: str) -> QueueItem:
    """The queue item of a product of this catalogue. Raises NotFound."""
    items = QueueItem.objects.select_related("product")
    item = items.filter(catalogue=request.catalogue, product=number(product, 0)).first()
    if item is None:
        raise NotFound(_("This product is not in the catalogue."), "product")
    # one catalogue object for the request, so that what a verb reads of it is what the door checked
    item.catalogue = item.product.catalogue = request.catalogue
    return item


def ids(request: HttpRequest, name: str) -> list[int]:
    return [int(v) for v in request.POST.getlist(name) if v.isdecimal() and len(v) < 19]


def number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 19 else default


def nonce_of(request: HttpRequest) -> uuid.UUID:
    """What names this showing of a card. Raises Refused."""
    try:
        return uuid.UUID(request.POST.get("card", ""))
    except ValueError:
        raise Refused(_("This form is incomplete: load the page again."), "card") from None
