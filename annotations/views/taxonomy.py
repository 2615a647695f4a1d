"""The taxonomy as a whole: its tree, what reviewers asked for, and tags from what the products say."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import tag_requests
from annotations.actions.attribute_tags import tags_from_attributes
from annotations.actions.errors import Refused
from annotations.models import Facet, Role, TagRequest
from annotations.queries.cards import HUES
from annotations.queries.offers import offers
from annotations.queries.taxonomy import Names, approved_counts, new_values, open_requests, search_tags
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.review import number
from annotations.views.taxonomy_forms import common, tag_or_404

CHIPS = 24
"""Tags of a facet that the tree shows; the facet's own page has them all."""
FACETS = 60
"""Facets of one page of the tree."""
COUNTED = 5000
"""Tags up to which the tree says how many products each stands for."""
REQUESTS = 50


@require_safe
@catalogue_page()
def taxonomy_page(request: MemberRequest) -> HttpResponse:
    """Every facet with its tags, and what reviewers asked for."""
    return tree(request)


def tree(request: MemberRequest, refusal: Refused | None = None) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:200]
    found = offers(request.catalogue)
    shown = [tag.pk for offer in found for tag in offer.tags[:CHIPS]]
    counts = approved_counts(request.catalogue) if len(shown) < COUNTED else {}
    asked = list(open_requests(request.catalogue)[:REQUESTS])
    choices = {offer.facet.pk: offer.tags for offer in found}
    for wish in asked:
        wish.choices = choices.get(wish.facet_id, ())
    start = min(number(request.GET.get("start"), 0), max(0, len(found) - 1))
    context = {
        **common(request, refusal),
        "rows": [
            {
                "facet": o.facet,
                "tags": [(tag, counts.get(tag.pk, 0)) for tag in o.tags[:CHIPS]],
                "count": o.count,
                "more": max(0, o.count - CHIPS),
                "hue": o.index % HUES + 1,
            }
            for o in found[start : start + FACETS]
        ],
        "facets": len(found),
        "before": max(0, start - FACETS) if start else None,
        "after": start + FACETS if start + FACETS < len(found) else None,
        "q": text,
        "found": search_tags(request.catalogue, text, limit=50) if text else [],
        "requests": asked,
        "news": new_values(request.catalogue)[:REQUESTS],
        "kinds": Facet.Kind.choices,
    }
    return render(request, "taxonomy/tree.html", context, status=refusal.status if refusal else 200)


@require_POST
@catalogue_page(Role.LEAD)
def from_attributes(request: MemberRequest) -> HttpResponse:
    """Facets and tags from what the products themselves say."""
    report = tags_from_attributes(catalogue=request.catalogue, user=request.user)
    messages.success(
        request,
        _("New facets: %(facets)s. New tags: %(tags)s. Values left out: %(problems)s.")
        % {"facets": report.new_facets, "tags": report.new_tags, "problems": report.problems},
    )
    return redirect("taxonomy", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def answer_request(request: MemberRequest, pk: int) -> HttpResponse:
    """Make it a tag, a synonym of one, or decline."""
    asked = (
        TagRequest.objects.select_related("facet__catalogue").filter(facet__catalogue=request.catalogue, pk=pk).first()
    )
    if asked is None:
        raise Http404
    answer, label = request.POST.get("answer", ""), request.POST.get("label", "").strip()
    try:
        if answer == "grant":
            made = tag_requests.grant_request(request=asked, user=request.user, label=label)
            messages.success(request, _("“%(tag)s” is a tag now.") % {"tag": made.label})
        elif answer == "synonym":
            names = Names.of(request.catalogue, asked.facet)
            named = request.POST.get("tag", "").strip()
            of = tag_or_404(request, int(named)) if named.isdecimal() else names.tag(asked.facet, named)
            if of is None:
                raise Refused(_("Choose the tag that it is another word for."), "tag")
            tag_requests.take_as_synonym(request=asked, tag=of, user=request.user)
            messages.success(request, _("“%(word)s” leads to “%(tag)s” now.") % {"word": asked.text, "tag": of.label})
        else:
            tag_requests.decline_request(request=asked, user=request.user)
            messages.success(request, _("“%(word)s” is declined.") % {"word": asked.text})
    except Refused as refusal:
        return tree(request, refusal)
    return redirect("taxonomy", request.catalogue.slug)
