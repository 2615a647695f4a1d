"""The catalogue: its products as a list, and everything about one of them."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotations.models import QueueItem
from annotations.queries.product_pages import Filters, categories, page_of, story_of
from annotations.views.doors import MemberRequest, catalogue_page

FIELD_CHARS = 500


@require_safe
@catalogue_page()
def products(request: MemberRequest) -> HttpResponse:
    """The list. Filters live in the address, so that a view of the catalogue can be kept and shared."""
    given = {
        name: request.GET.get(name, "").strip()[:FIELD_CHARS] for name in ("search", "status", "category", "missing")
    }
    if given["status"] not in (*QueueItem.Status.values, "archived"):
        given["status"] = ""
    filters = Filters(**given)
    page = page_of(request.catalogue, filters, after=_key(request, "after"), before=_key(request, "before"))
    context = {
        "tab": "products",
        "page": page,
        "filters": filters,
        "query": urlencode(filters.as_dict()),
        "statuses": QueueItem.Status.choices,
        "facets": request.catalogue.facets.live(),  # type: ignore[attr-defined]
        "categories": categories(request.catalogue),
    }
    return render(request, "products/list.html", context)


def _key(request: MemberRequest, name: str) -> int | None:
    value = request.GET.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None


@require_safe
@catalogue_page()
def product(request: MemberRequest, pk: int) -> HttpResponse:
    story = story_of(request.catalogue, pk)
    if story is None:
        raise Http404
    return render(request, "products/one.html", {"tab": "products", "story": story, "product": story.product})
