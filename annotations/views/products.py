"""The catalogue: its products as a list, and everything about one of them."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotations.actions.errors import Refused
from annotations.actions.saved_filters import forget_filter, save_filter
from annotations.models import BulkRun, Role
from annotations.queries import products as questions
from annotations.queries.product_pages import Page, page_of, story_of
from annotations.queries.product_story import past_of
from annotations.queries.products import Filters, NoSuchName
from annotations.views.doors import MemberRequest, catalogue_page


@require_safe
@catalogue_page()
def products(request: MemberRequest) -> HttpResponse:
    """The list. Filters live in the address, so that a view of the catalogue can be kept and shared."""
    catalogue = request.catalogue
    filters, wrong = Filters.of(request.GET.dict()), ""
    try:
        page = page_of(catalogue, filters, after=_key(request, "after"), before=_key(request, "before"))
    except NoSuchName as error:
        page, wrong = Page((), 0, False, None, None), str(error)
    saved = questions.saved_filters(catalogue, request.user)
    context = {
        "tab": "products",
        "page": page,
        "wrong": wrong,
        "filters": filters,
        "query": urlencode(filters.as_dict()),
        "statuses": questions.STATUSES,
        "problems": questions.PROBLEMS,
        "facets": catalogue.facets.live(),  # type: ignore[attr-defined]
        "categories": questions.categories(catalogue),
        "suppliers": questions.suppliers(catalogue),
        "more": any(getattr(filters, n) for n in ("tag", "missing", "supplier", "language", "problem", "family")),
        "saved": [(one, urlencode(one.query), one.query == filters.as_dict()) for one in saved],
        "kinds": BulkRun.Kind.choices,
    }
    return render(request, "products/list.html", context)


def _key(request: MemberRequest, name: str) -> int | None:
    value = request.GET.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None


@require_POST
@catalogue_page()
def keep_filter(request: MemberRequest) -> HttpResponse:
    """Keep what the list shows under a name of one's own."""
    filters = Filters.of(request.POST.dict())
    try:
        kept = save_filter(
            catalogue=request.catalogue, user=request.user, name=request.POST.get("name", ""), query=filters.as_dict()
        )
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("Kept as “%(name)s”.") % {"name": kept.name})
    return redirect(f"{reverse('products', args=[request.catalogue.slug])}?{urlencode(filters.as_dict())}")


@require_POST
@catalogue_page()
def drop_filter(request: MemberRequest, pk: int) -> HttpResponse:
    if not forget_filter(catalogue=request.catalogue, user=request.user, pk=pk):
        raise Http404
    return redirect("products", request.catalogue.slug)


@require_safe
@catalogue_page()
def product(request: MemberRequest, pk: int) -> HttpResponse:
    story = story_of(request.catalogue, pk, None if request.role.rank >= Role.LEAD.rank else request.user)
    if story is None:
        raise Http404
    past = past_of(request.catalogue, story.product, story.facets)
    context = {"tab": "products", "story": story, "product": story.product, "past": past}
    return render(request, "products/one.html", context)
