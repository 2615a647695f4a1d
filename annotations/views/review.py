"""The review screen: one product after the other, saved in the background, as plain forms where there is no script."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import queue as queue_verbs
from annotations.actions import undo as undo_verbs
from annotations.actions.decide import Card, save_card
from annotations.actions.errors import Conflict, Refused
from annotations.models import Product, QueueItem, Reason, Role, Tag
from annotations.queries import progress
from annotations.queries.cards import Card as ShownCard
from annotations.queries.cards import cards
from annotations.queries.people import filters_of, names_of_members
from annotations.views.doors import MemberRequest, catalogue_page, wants_json
from annotations.views.review_forms import by_of, ids, item_of, nonce_of, number, sent_card
from annotations.views.review_words import words

AHEAD = 5  # products fetched ahead, and the most that one request may ask for
RENEWED = 200  # leases that one request may keep: a grid, and the one after it
FILTERS = ("queue", "facet", "category", "search", "split")
QUEUE_WORDS = {
    "uncertain": lambda: _("Uncertain first"),
    "conflicts": lambda: _("Conflicts"),
    "second-opinion": lambda: _("Second opinion"),
    "flagged": lambda: _("Flagged"),
    "blind": lambda: _("Blind audit"),
    "text-picture": lambda: _("Text and picture disagree"),
    "mine": lambda: _("My last 50"),
}


# -- looking -----------------------------------------------------------------------------------------------------


@require_safe
@never_cache
@catalogue_page(Role.REVIEWER)
def review(request: MemberRequest) -> HttpResponse:
    """A product to decide on: the one in ``?product=`` if it can be had, else the next of the queue in the address."""
    if not request.GET and (kept := filters_of(request.catalogue, request.user)):
        return HttpResponseRedirect(f"{request.path}?{urlencode(kept)}")
    filters = _filters(request)
    if filters.get("queue") == "conflicts" and request.role.rank >= Role.LEAD.rank:
        return HttpResponseRedirect(reverse("conflicts", args=[request.catalogue.slug]))
    asked = request.GET.get("product", "")
    if any(name in request.GET for name in FILTERS):
        queue_verbs.remember(catalogue=request.catalogue, user=request.user, filters=filters)
    item, notice = _asked_for(request, asked) if asked.isdecimal() else (None, "")
    if item is None:
        found = _lease_next(request, filters, 1)
        item = found[0] if found else None
    return _page(request, filters, item, notice=notice)


def _asked_for(request: MemberRequest, product: str) -> tuple[QueueItem | None, str]:
    item = QueueItem.objects.select_related("product", "catalogue", "lease_owner")
    row = item.filter(catalogue=request.catalogue, product=int(product)).first()
    if row is None:
        return None, ""
    try:
        return queue_verbs.lease(item=row, user=request.user), ""
    except Conflict as taken:
        return None, taken.message


def _lease_next(
    request: MemberRequest, filters: dict[str, str], count: int, exclude: Iterable[int] = ()
) -> list[QueueItem]:
    return queue_verbs.lease_next(
        catalogue=request.catalogue, user=request.user, count=count, exclude=list(exclude),
        queue=filters.get("queue", "uncertain"), facet=filters.get("facet", ""), category=filters.get("category", ""),
        search=filters.get("search", ""), split=number(filters.get("split"), 0),
    )  # fmt: skip


def _page(
    request: MemberRequest, filters: dict[str, str], item: QueueItem | None, *, notice: str = "", status: int = 200,
    conflict: dict[str, Any] | None = None,
) -> HttpResponse:  # fmt: skip
    card = cards([item], request.catalogue, request.user)[0] if item else None
    left = progress.left(request.catalogue)
    today = progress.done_today(request.catalogue, request.user)
    context = {
        **_card_context(card, plain=True),
        "tab": "review",
        "notice": notice,
        "conflict": conflict,
        "filters": filters,
        "filter_query": urlencode(filters),
        "queues": [(name, label()) for name, label in QUEUE_WORDS.items()],
        "queue_word": QUEUE_WORDS[filters.get("queue", "uncertain")](),
        "facets": list(request.catalogue.facets.live()),  # type: ignore[attr-defined]
        "left": left,
        "today": today,
        "started": _started(request) if card is None else None,
        "config": config_of(request, filters),
    }
    return render(request, "review.html", context, status=status)


def _started(request: MemberRequest) -> dict[str, bool]:
    """What a catalogue with nothing to review is still missing."""
    catalogue = request.catalogue
    return {
        "products": Product.objects.filter(catalogue=catalogue, archived_at=None).exists(),
        "tags": Tag.objects.live().filter(facet__catalogue=catalogue, facet__retired_at=None).exists(),
        "filtered": bool(_filters(request)),
    }


def _card_context(card: ShownCard | None, *, plain: bool = False) -> dict[str, Any]:
    """``plain``: with the pickers that only a page without script needs. ``nonce`` names this showing of the card:
    the ids of its decisions are made from it, so that sending it twice is deciding once."""
    return {
        "card": card,
        "nonce": uuid.uuid4(),
        "shown_at": timezone.now().isoformat(),
        "plain": plain,
        "reasons": Reason.choices,
    }


def config_of(request: MemberRequest, filters: dict[str, str]) -> dict[str, Any]:
    """What the scripts of the review screen and of the grid need to know."""

    def url(name: str) -> str:
        return reverse(name, args=[request.catalogue.slug])

    return {
        "catalogue": request.catalogue.slug,
        "user": request.user.pk,
        "name": request.user.get_username(),
        "people": names_of_members(request.catalogue),
        "shortcuts": request.user.shortcuts_enabled,
        "ahead": AHEAD,
        "filters": filters,
        "leaseSeconds": request.catalogue.lease_minutes * 60,
        "urls": {
            "page": url("review"),
            "next": url("review_next"),
            "card": url("review_card"),
            "save": url("review_save"),
            "skip": url("review_skip"),
            "flag": url("review_flag"),
            "undo": url("review_undo"),
            "redo": url("review_redo"),
            "renew": url("review_renew"),
            "request": url("review_request"),
            "comment": url("review_comment"),
            "family": url("review_family"),
            "saveFamily": url("review_family_save"),
            "unflag": url("review_unflag"),
            "grid": url("grid"),
            "tags": f"{url('review_tags')}?v={request.catalogue.taxonomy_revision}-{get_language()}",
        },
        "words": words(),
    }


@require_safe
@never_cache
@catalogue_page(Role.REVIEWER)
def next_cards(request: MemberRequest) -> HttpResponse:
    """The next products as fragments, leased to the asker, best first; nothing when the queue is empty."""
    count = min(AHEAD, max(1, number(request.GET.get("count"), 1)))
    exclude = [int(n) for n in request.GET.get("exclude", "").split(",") if n.isdecimal()][:500]
    items = _lease_next(request, _filters(request), count, exclude)
    return _fragments(request, cards(items, request.catalogue, request.user) if items else [])


@require_safe
@never_cache
@catalogue_page(Role.REVIEWER)
def one_card(request: MemberRequest) -> HttpResponse:
    """One product as a fragment, leased when nobody else holds it; 409 when somebody does."""
    item = item_of(request, request.GET.get("product", ""))
    queue_verbs.lease(item=item, user=request.user)
    return _fragments(request, cards([item], request.catalogue, request.user))


def _fragments(request: MemberRequest, shown: Iterable[ShownCard]) -> HttpResponse:
    return HttpResponse("".join(_fragment(request, card) for card in shown))


def _fragment(request: HttpRequest, card: ShownCard) -> str:
    return render_to_string("review/_card.html", _card_context(card), request)


# -- deciding ----------------------------------------------------------------------------------------------------


@require_POST
@catalogue_page(Role.REVIEWER)
def save(request: MemberRequest) -> HttpResponse:
    """What was seen is what is saved: checked tags accepted, shown and unchecked ones rejected, their facets complete.

    Sent again it answers as it did the first time. 409 with the other's decisions when somebody was quicker.
    """
    item = item_of(request, request.POST.get("product", ""))
    nonce = nonce_of(request)
    card = sent_card(request, item.product, nonce)
    try:
        saved = save_card(
            card=card, version=number(request.POST.get("version"), -1), by=by_of(request),
            batch=uuid.uuid5(nonce, "batch"),
        )  # fmt: skip
    except Conflict as conflict:
        if wants_json(request):
            raise
        return both_sides(request, item, card, conflict)
    if wants_json(request):
        return JsonResponse({"seq": saved.seq, "version": saved.version, "replayed": saved.replayed})
    return back_to_queue(request)


def both_sides(request: MemberRequest, item: QueueItem, card: Card, conflict: Conflict) -> HttpResponse:
    """The page that a reviewer without script gets: theirs, mine, and a button for each."""
    mine = [{"label": c.tag.label, "verdict": c.verdict} for c in card.choices]
    kept = [
        (k, v)
        for k, values in request.POST.lists()
        for v in values
        if k not in ("csrfmiddlewaretoken", "version", "card")
    ]
    details = {
        "product": item.product,
        "message": conflict.message,
        "theirs": conflict.details["decisions"],
        "mine": mine,
        "kept": [*kept, ("version", conflict.details["version"]), ("card", uuid.uuid4())],
    }
    return _page(request, _filters(request), None, conflict=details, status=409)


@require_POST
@catalogue_page(Role.REVIEWER)
def undo(request: MemberRequest) -> HttpResponse:
    """Take back what I saved last, and bring the product back on screen."""
    undone = undo_verbs.undo(catalogue=request.catalogue, by=by_of(request))
    return _reversed(request, undone, _("There is nothing to undo."), _("Undone: %(title)s"))


@require_POST
@catalogue_page(Role.REVIEWER)
def redo(request: MemberRequest) -> HttpResponse:
    undone = undo_verbs.redo(catalogue=request.catalogue, by=by_of(request))
    return _reversed(request, undone, _("There is nothing to redo."), _("Saved again: %(title)s"))


def _reversed(request: MemberRequest, undone: undo_verbs.Undone | None, none: str, done: str) -> HttpResponse:
    if undone is None:
        if wants_json(request):
            return JsonResponse({"message": none, "products": []})
        messages.info(request, none)
        return _to_grid(request) or back_to_queue(request)
    product = undone.products[0]
    message = done % {"title": product.title or product.external_id}
    if more := len(undone.products) - 1:
        message += ngettext(" and one more", " and %(n)d more", more) % {"n": more}
    if not wants_json(request):
        messages.success(request, message)
        return _to_grid(request) or back_to_queue(request, product=product.pk)
    return JsonResponse({"message": message, "products": [p.pk for p in undone.products]})


def _to_grid(request: MemberRequest) -> HttpResponseRedirect | None:
    """Back to the grid, for those who came from it without script."""
    named = {name: request.POST.get(f"grid_{name}", "")[:100] for name in ("facet", "tag")}
    if not named["facet"]:
        return None
    return HttpResponseRedirect(f"{reverse('grid', args=[request.catalogue.slug])}?{urlencode(named)}")


# -- passing over ------------------------------------------------------------------------------------------------


@require_POST
@catalogue_page(Role.REVIEWER)
def skip(request: MemberRequest) -> HttpResponse:
    """Give the product back undecided. Asks for nothing."""
    item = item_of(request, request.POST.get("product", ""))
    queue_verbs.release(user=request.user, product_ids=[item.product_id])
    if wants_json(request):
        return JsonResponse({})
    skipped = [int(n) for n in request.POST.get("skipped", "").split(",") if n.isdecimal()][-200:]
    found = _lease_next(request, _filters(request), 1, exclude=[*skipped, item.product_id])
    return back_to_queue(request, **({"product": found[0].product_id} if found else {}))


@require_POST
@catalogue_page(Role.REVIEWER)
def flag(request: MemberRequest) -> HttpResponse:
    """Mark the product for a lead to look at, with a reason, and give it back."""
    reason = request.POST.get("reason", "").strip()
    if not reason:
        raise Refused(_("Say in a few words why you flag it."), "reason_missing")
    queue_verbs.flag(item=item_of(request, request.POST.get("product", "")), user=request.user, reason=reason)
    return JsonResponse({}) if wants_json(request) else back_to_queue(request)


@require_POST
@catalogue_page(Role.LEAD)
def unflag(request: MemberRequest) -> HttpResponse:
    """Take the flag down; the product stays where it is."""
    item = item_of(request, request.POST.get("product", ""))
    queue_verbs.unflag(item=item, user=request.user)
    if wants_json(request):
        return JsonResponse({"message": _("The flag is taken down.")})
    return back_to_queue(request, product=item.product_id)


@require_POST
@catalogue_page(Role.REVIEWER)
def renew(request: MemberRequest) -> HttpResponse:
    """Keep the products on screen and ahead for another while; answers with those that are still mine."""
    wanted = ids(request, "product")[:RENEWED]
    queue_verbs.renew(user=request.user, product_ids=wanted, minutes=request.catalogue.lease_minutes)
    mine = QueueItem.objects.filter(
        catalogue=request.catalogue, product__in=wanted, lease_owner=request.user, lease_until__gt=timezone.now()
    )
    return JsonResponse({"products": list(mine.values_list("product", flat=True))})


# -- reading what was sent ---------------------------------------------------------------------------------------


def _filters(request: HttpRequest) -> dict[str, str]:
    """The queue as the address (or the form) names it; what is not known is left out."""
    sent = request.POST if request.method == "POST" else request.GET
    found = {name: sent.get(name, "")[:500] for name in FILTERS if sent.get(name)}
    if found.get("queue") not in queue_verbs.QUEUES or found.get("queue") == "uncertain":
        found.pop("queue", None)
    return found


def back_to_queue(request: MemberRequest, **more: Any) -> HttpResponseRedirect:
    query = urlencode({**_filters(request), **more})
    return HttpResponseRedirect(reverse("review", args=[request.catalogue.slug]) + (f"?{query}" if query else ""))
