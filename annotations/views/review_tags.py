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
from annotations.queries.cards import KEYS, live_taxonomy
from annotations.views.doors import MemberRequest, catalogue_page, wants_json
from annotations.views.review import back_to_queue
from annotations.views.review_forms import item_of, number


@require_safe
@catalogue_page(Role.REVIEWER)
def tags(request: MemberRequest) -> HttpResponse:
    """Every tag that can be added, with all words that lead to it; kept by the browser until the taxonomy changes."""
    etag = f'"{request.catalogue.pk}-{request.catalogue.taxonomy_revision}-{get_language()}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified()
    body = {
        facet.pk: {
            "label": facet.label,
            "single": facet.one_value,
            "tags": [_tag_row(tag, place, {t.pk: t for t in values}) for place, tag in enumerate(values, start=1)],
        }
        for facet, values in live_taxonomy(request.catalogue)
    }
    answer = JsonResponse(body, json_dumps_params={"ensure_ascii": False})
    answer["ETag"], answer["Cache-Control"] = etag, "private, max-age=0, must-revalidate"
    return answer


def _tag_row(tag: Tag, place: int, known: dict[int, Tag]) -> dict[str, Any]:
    path: list[str] = []
    above = tag.parent_id
    while above in known and len(path) < 9:
        path.append(known[above].label)
        above = known[above].parent_id
    row = {
        "id": tag.pk,
        "place": tag.position,
        "label": tag.label,
        "words": [w for w in (*tag.words, tag.slug) if w != tag.label],
    }
    return row | ({"number": place} if place <= KEYS else {}) | ({"path": " › ".join(reversed(path))} if path else {})


@require_POST
@catalogue_page(Role.REVIEWER)
def request_tag(request: MemberRequest) -> HttpResponse:
    """A value that the taxonomy lacks becomes a request to its owner, never a tag."""
    facet = Facet.objects.live().filter(catalogue=request.catalogue, pk=number(request.POST.get("facet"), 0)).first()
    if facet is None:
        raise NotFound(_("This facet is no longer there."), "facet")
    product = item_of(request, request.POST.get("product", "")).product
    asked = tag_requests.request_tag(
        facet=cast(Facet, facet), text=request.POST.get("text", ""), user=request.user, product=product
    )
    message = _("Asked the taxonomy's owner for “%(text)s”.") % {"text": asked.text}
    if wants_json(request):
        return JsonResponse({"message": message})
    messages.success(request, message)
    return back_to_queue(request, product=product.pk)
