"""The grid: one facet, many products at once; only what was on screen is saved."""

from __future__ import annotations

import uuid
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import queue as queue_verbs
from annotations.actions.errors import NotFound, Refused
from annotations.actions.grid import ACCEPT, REJECT, GridSaved, Mark, save_grid
from annotations.actions.together import MOST
from annotations.models import Facet, Product, QueueItem, Reason, Role, Tag
from annotations.queries import grid as questions
from annotations.queries.cards import HUES
from annotations.queries.offers import offers
from annotations.views.doors import MemberRequest, catalogue_page, wants_json
from annotations.views.review import config_of
from annotations.views.review_forms import by_of, nonce_of, number
from annotations.views.review_words import grid_words, held_word

OUT = "out"


@require_safe
@never_cache
@catalogue_page(Role.REVIEWER)
def grid(request: MemberRequest) -> HttpResponse:
    """Tiles of the facet and tag in the address, all accepted to begin with; without a facet, the choice of one."""
    if not request.GET.get("facet"):
        return _choose(request)
    facet, tag, size = _asked(request)
    shown = _lease_tiles(request, facet, tag, size)
    waiting = questions.how_many(request.catalogue, facet, tag) if tag else None
    context = {
        "tab": "grid", "facet": facet, "tag": tag, "size": size, "sizes": questions.SIZES, "tiles": shown,
        "waiting": waiting, "most": questions.COUNTED, "nonce": uuid.uuid4(), "shown_at": timezone.now().isoformat(),
        "tags": list(Tag.objects.live().filter(facet=facet)),
        "config": _config(request, facet, tag, size),
    }  # fmt: skip
    return render(request, "grid.html", context)


def _choose(request: MemberRequest) -> HttpResponse:
    counts, spares = questions.values_next(request.catalogue), questions.spares(request.catalogue)
    rows = []
    counted: dict[int, list[tuple[Tag, int, int]]] = {}
    for tag in Tag.objects.live().filter(pk__in=counts).order_by("position", "id"):
        cards = spares.get(tag.pk, 0.0)
        counted.setdefault(tag.facet_id, []).append((tag, counts[tag.pk], int(cards) if cards >= questions.KEYS else 0))
    for offer in offers(request.catalogue):
        there = sorted(counted.get(offer.facet.pk, []), key=lambda pair: -pair[1])
        rows.append(
            {"facet": offer.facet, "hue": offer.index % HUES + 1, "tags": there, "rest": offer.count - len(there)}
        )
    context = {
        "tab": "grid", "rows": rows, "next": questions.NEXT, "any": any(row["tags"] for row in rows),
        "spared": any(cards for there in counted.values() for _tag, _count, cards in there),
    }  # fmt: skip
    return render(request, "grid_choose.html", context)


def _config(request: MemberRequest, facet: Facet, tag: Tag | None, size: int) -> dict[str, Any]:
    def url(name: str) -> str:
        return reverse(name, args=[request.catalogue.slug])

    config = config_of(request, {})
    config["urls"] |= {"tiles": url("grid_tiles"), "grid": url("grid"), "saveGrid": url("grid_save")}
    return config | {
        "ask": {"facet": facet.slug, "size": size} | ({"tag": tag.slug} if tag else {}),
        "facet": {"id": facet.pk, "label": facet.label},
        "size": size,
        "words": {**config["words"], **grid_words()},
    }


@require_safe
@never_cache
@catalogue_page(Role.REVIEWER)
def tiles(request: MemberRequest) -> HttpResponse:
    """The next tiles as fragments, leased to the asker; with ``products`` those very ones, as they stand now."""
    facet, tag, size = _asked(request)
    if "products" in request.GET:
        wanted = _numbers(request.GET["products"])[:MOST]
        rows = QueueItem.objects.select_related("product").filter(catalogue=request.catalogue, product__in=wanted)
        place = {pk: n for n, pk in enumerate(wanted)}
        items = sorted(rows, key=lambda item: place[item.product_id])
        leased = queue_verbs.lease_free(items=items, user=request.user, catalogue=request.catalogue)
        shown = questions.tiles(leased, facet, tag)
    else:
        count = min(size, max(1, number(request.GET.get("count"), size)))
        shown = _lease_tiles(request, facet, tag, count, _numbers(request.GET.get("exclude", ""))[:500])
    context = {"facet": facet, "tag": tag}
    html = [render_to_string("grid/_tile.html", {"tile": tile, **context}, request) for tile in shown]
    return HttpResponse("".join(html))


def _lease_tiles(
    request: MemberRequest, facet: Facet, tag: Tag | None, count: int, exclude: list[int] | None = None
) -> list[questions.Tile]:
    items = questions.candidates(request.catalogue, facet, tag, request.user, count, exclude or [])
    leased = queue_verbs.lease_free(items=items, user=request.user, catalogue=request.catalogue)
    return questions.tiles(leased, facet, tag)


@require_POST
@catalogue_page(Role.REVIEWER)
def save(request: MemberRequest) -> HttpResponse:
    """Store what was said about the tiles that were on screen; sent again it answers as it did the first time."""
    facet, tag, _size = _asked(request)
    marks = _marks(request, tag)
    saved = save_grid(
        catalogue=request.catalogue, facet=facet, marks=marks, whole=tag is None, by=by_of(request, "grid"),
        nonce=nonce_of(request),
    )  # fmt: skip
    titles = {m.product.pk: m.product.title or m.product.external_id for m in marks}
    held = [{"product": h.product, "title": titles.get(h.product, ""), "why": held_word(h)} for h in saved.held]
    message = summary(saved)
    if wants_json(request):
        return JsonResponse({"message": message, "held": held, "products": sorted(saved.together.products)})
    messages.success(request, message)
    for one in held:
        messages.warning(request, f"{one['title']}: {one['why']}")
    return _back(request, facet, tag)


def summary(saved: GridSaved) -> str:
    parts = [
        ngettext("%(n)d accepted", "%(n)d accepted", saved.accepted) % {"n": saved.accepted},
        ngettext("%(n)d rejected", "%(n)d rejected", saved.rejected) % {"n": saved.rejected},
    ]
    if saved.held:
        parts.append(ngettext("%(n)d held back", "%(n)d held back", len(saved.held)) % {"n": len(saved.held)})
    return ", ".join(parts)


def _back(request: MemberRequest, facet: Facet, tag: Tag | None) -> HttpResponseRedirect:
    query = {"facet": facet.slug, **({"tag": tag.slug} if tag else {}), "size": request.POST.get("size", "24")}
    return HttpResponseRedirect(f"{reverse('grid', args=[request.catalogue.slug])}?{urlencode(query)}")


# -- reading what was sent ---------------------------------------------------------------------------------------


def _asked(request: MemberRequest) -> tuple[Facet, Tag | None, int]:
    sent = request.POST if request.method == "POST" else request.GET
    facets = Facet.objects.live().filter(catalogue=request.catalogue)
    facet = cast("Facet | None", facets.filter(slug=sent.get("facet", "")[:100]).first())
    if facet is None:
        raise NotFound(_("This facet is no longer there."), "facet")
    facet.catalogue = request.catalogue
    tag = None
    if sent.get("tag"):
        tag = cast("Tag | None", Tag.objects.live().filter(facet=facet, slug=sent["tag"][:100]).first())
        if tag is None:
            raise NotFound(_("This tag is no longer there."), "tag")
        tag.facet = facet
    size = number(sent.get("size"), questions.SIZES[0])
    return facet, tag, size if size in questions.SIZES else questions.SIZES[0]


def _numbers(text: str) -> list[int]:
    return [int(n) for n in text.split(",") if n.isdecimal() and len(n) < 19]


def _marks(request: HttpRequest, tag: Tag | None) -> list[Mark]:
    """The tiles in the form: ``tile`` names each, ``say-``, ``version-``, ``tags-``, ``instead-`` and ``why-`` go on."""
    catalogue = cast(MemberRequest, request).catalogue
    ids = [n for n in dict.fromkeys(request.POST.getlist("tile")) if n.isdecimal() and len(n) < 19][: MOST + 1]
    said = {n: request.POST.get(f"say-{n}", ACCEPT) for n in ids}
    products = {p.pk: p for p in Product.objects.filter(catalogue=catalogue, pk__in=map(int, ids))}
    named = {
        v for n in ids for field in ("tags", "instead") for v in request.POST.getlist(f"{field}-{n}") if v.isdecimal()
    }
    tags = {t.pk: t for t in Tag.objects.select_related("facet").filter(
        facet__catalogue=catalogue, pk__in={int(v) for v in named if len(v) < 19})}  # fmt: skip
    marks = []
    for n in ids:
        product = products.get(int(n))
        if product is None or said[n] == OUT:
            continue
        if said[n] not in (ACCEPT, REJECT):
            raise Refused(_("“%(verdict)s” is no verdict") % {"verdict": said[n]}, "verdict")
        product.catalogue = catalogue
        asked = (
            (tag,)
            if tag
            else tuple(tags[pk] for v in request.POST.getlist(f"tags-{n}") if (pk := number(v, 0)) in tags)
        )
        reason = request.POST.get(f"why-{n}", "")
        marks.append(
            Mark(
                product, number(request.POST.get(f"version-{n}"), -1), said[n], asked,
                tags.get(number(request.POST.get(f"instead-{n}"), 0)), reason if reason in Reason.values else "",
            )
        )  # fmt: skip
    if not marks:
        raise Refused(_("Nothing was on screen to save."), "empty")
    return marks
