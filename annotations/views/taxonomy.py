"""Facets and tags: the tree, one facet, one tag, and the values that reviewers asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language_info
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import reshape, tag_requests, taxonomy
from annotations.actions.decide import Circumstances
from annotations.actions.errors import Refused
from annotations.actions.tag_plans import tags_from_attributes
from annotations.models import Facet, Input, Role, Tag, TagRequest
from annotations.queries.cards import HUES
from annotations.queries.taxonomy import FacetNode, open_requests, search_tags, tree
from annotations.views.doors import MemberRequest, catalogue_page

CHIPS = 24
"""Tags of a facet that the tree shows; the facet's own page has them all."""


@require_safe
@catalogue_page()
def taxonomy_page(request: MemberRequest) -> HttpResponse:
    """Every facet with its tags, and what reviewers asked for."""
    return _tree(request)


def _tree(request: MemberRequest, refusal: Refused | None = None) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:200]
    nodes = tree(request.catalogue)
    choices = {node.facet.pk: [item.tag for item in node.tags] for node in nodes}
    asked = list(open_requests(request.catalogue))
    for wish in asked:
        wish.choices = choices.get(wish.facet_id, [])
    context = {
        **_common(request, refusal),
        "rows": [
            {"node": n, "shown": n.tags[:CHIPS], "more": max(0, len(n.tags) - CHIPS), "hue": index % HUES + 1}
            for index, n in enumerate(nodes)
        ],
        "q": text,
        "found": search_tags(request.catalogue, text, limit=50) if text else [],
        "requests": asked,
        "kinds": Facet.Kind.choices,
    }
    return render(request, "taxonomy/tree.html", context, status=refusal.status if refusal else 200)


def _common(request: MemberRequest, refusal: Refused | None) -> dict[str, Any]:
    return {
        "tab": "taxonomy",
        "refusal": refusal,
        "may_edit": request.role.rank >= Role.LEAD.rank,
        "languages": [(code, _language_name(code)) for code in request.catalogue.languages],
    }


def _language_name(code: str) -> str:
    try:
        return str(get_language_info(code)["name_local"])
    except KeyError:
        return code


# -- facets ------------------------------------------------------------------------------------------------------
@require_safe
@catalogue_page()
def facet(request: MemberRequest, pk: int) -> HttpResponse:
    return _facet_page(request, _facet(request, pk))


def _facet_page(request: MemberRequest, found: Facet, refusal: Refused | None = None) -> HttpResponse:
    node = next((n for n in tree(request.catalogue, retired=True) if n.facet.pk == found.pk), None)
    node = node or FacetNode(found, (), 0)
    context = {
        **_common(request, refusal),
        "node": node,
        "facet": node.facet,
        "kinds": Facet.Kind.choices,
        "texts": [
            (code, name, node.facet.labels.get(code, "")) for code, name in _languages(request, node.facet.labels)
        ],
    }
    return render(request, "taxonomy/facet.html", context, status=refusal.status if refusal else 200)


def _languages(request: MemberRequest, *texts: dict[str, Any]) -> list[tuple[str, str]]:
    """Those of the catalogue, and any others that the texts are in, so that saving loses none."""
    codes = dict.fromkeys((*request.catalogue.languages, *(code for known in texts for code in known)))
    return [(code, _language_name(code)) for code in codes]


@require_POST
@catalogue_page(Role.LEAD)
def add_facet(request: MemberRequest) -> HttpResponse:
    try:
        made = taxonomy.add_facet(
            catalogue=request.catalogue,
            labels=_texts(request, "label"),
            kind=_kind(request),
            variant_axis="variant_axis" in request.POST,
            categories=_lines(request.POST.get("categories", "")),
            user=request.user,
        )
    except Refused as refusal:
        return _tree(request, refusal)
    messages.success(request, _("“%(facet)s” is a facet now. Give it its tags.") % {"facet": made.label})
    return redirect("facet", request.catalogue.slug, made.pk)


@require_POST
@catalogue_page(Role.LEAD)
def edit_facet(request: MemberRequest, pk: int) -> HttpResponse:
    found = _facet(request, pk)
    return _then(
        request,
        lambda: taxonomy.edit_facet(
            facet=found,
            user=request.user,
            labels=_texts(request, "label"),
            kind=_kind(request),
            variant_axis="variant_axis" in request.POST,
            categories=_lines(request.POST.get("categories", "")),
        ),
        lambda refusal: _facet_page(request, found, refusal),
        "facet",
        found.pk,
    )


@require_POST
@catalogue_page(Role.LEAD)
def retire_facet(request: MemberRequest, pk: int) -> HttpResponse:
    found = taxonomy.retire_facet(facet=_facet(request, pk), user=request.user)
    messages.success(request, _("“%(facet)s” is no longer asked for.") % {"facet": found.label})
    return redirect("taxonomy", request.catalogue.slug)


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


# -- tags --------------------------------------------------------------------------------------------------------
@require_safe
@catalogue_page()
def tag(request: MemberRequest, pk: int) -> HttpResponse:
    return _tag_page(request, _tag(request, pk))


def _tag_page(request: MemberRequest, found: Tag, refusal: Refused | None = None) -> HttpResponse:
    languages = _languages(request, found.labels, found.synonyms, found.definitions)
    others = Tag.objects.live().filter(facet=found.facet).exclude(pk=found.pk)
    context = {
        **_common(request, refusal),
        "found": found,
        "facet": found.facet,
        "texts": [
            (
                code,
                name,
                found.labels.get(code, ""),
                "\n".join(found.synonyms.get(code, ())),
                found.definitions.get(code, ""),
            )
            for code, name in languages
        ],
        "others": others.order_by("position", "id"),
        "approved": found.standing.filter(state="approved").count(),  # type: ignore[attr-defined]
    }
    return render(request, "taxonomy/tag.html", context, status=refusal.status if refusal else 200)


@require_POST
@catalogue_page(Role.LEAD)
def add_tag(request: MemberRequest, pk: int) -> HttpResponse:
    found = _facet(request, pk)
    parent = _tag(request, int(chosen)) if (chosen := request.POST.get("parent", "")).isdecimal() else None
    return _then(
        request,
        lambda: taxonomy.add_tag(
            facet=found, labels=_texts(request, "label"), synonyms=_words(request), parent=parent, user=request.user
        ),
        lambda refusal: _facet_page(request, found, refusal),
        "facet",
        found.pk,
    )


@require_POST
@catalogue_page(Role.LEAD)
def edit_tag(request: MemberRequest, pk: int) -> HttpResponse:
    found = _tag(request, pk)

    def save() -> None:
        taxonomy.edit_tag(
            tag=found,
            user=request.user,
            labels=_texts(request, "label"),
            synonyms=_words(request),
            definitions=_texts(request, "definition"),
        )
        chosen = request.POST.get("parent", "")
        parent = _tag(request, int(chosen)) if chosen.isdecimal() else None
        if (parent.pk if parent else None) != found.parent_id:
            taxonomy.move_tag(tag=found, user=request.user, parent=parent)

    return _then(request, save, lambda refusal: _tag_page(request, found, refusal), "tag", found.pk)


@require_POST
@catalogue_page(Role.LEAD)
def retire_tag(request: MemberRequest, pk: int) -> HttpResponse:
    """Retire a live tag, bring back a retired one."""
    found = _tag(request, pk)
    if found.retired_at is None:
        taxonomy.retire_tag(tag=found, user=request.user)
        messages.success(request, _("“%(tag)s” is no longer offered. Where it stands it stays.") % {"tag": found.label})
    else:
        taxonomy.restore_tag(tag=found, user=request.user)
        messages.success(request, _("“%(tag)s” is offered again.") % {"tag": found.label})
    return redirect("tag", request.catalogue.slug, found.pk)


@require_POST
@catalogue_page(Role.LEAD)
def merge_tag(request: MemberRequest, pk: int) -> HttpResponse:
    found = _tag(request, pk)
    chosen = request.POST.get("into", "")
    into = _tag(request, int(chosen)) if chosen.isdecimal() else found
    by = Circumstances(request.user, request.role, Input.BULK)
    try:
        done = reshape.merge_tags(tag=found, into=into, by=by)
    except Refused as refusal:
        return _tag_page(request, found, refusal)
    messages.success(
        request,
        _("“%(tag)s” leads to “%(into)s” now. Products decided on again: %(n)s.")
        % {"tag": found.label, "into": into.label, "n": done.products},
    )
    return redirect("tag", request.catalogue.slug, into.pk)


# -- requests ----------------------------------------------------------------------------------------------------
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
            of = _tag(request, int(chosen)) if (chosen := request.POST.get("tag", "")).isdecimal() else None
            if of is None:
                raise Refused(_("Choose the tag that it is another word for."), "tag")
            tag_requests.take_as_synonym(request=asked, tag=of, user=request.user)
            messages.success(request, _("“%(word)s” leads to “%(tag)s” now.") % {"word": asked.text, "tag": of.label})
        else:
            tag_requests.decline_request(request=asked, user=request.user)
            messages.success(request, _("“%(word)s” is declined.") % {"word": asked.text})
    except Refused as refusal:
        return _tree(request, refusal)
    return redirect("taxonomy", request.catalogue.slug)


# -- what forms say ----------------------------------------------------------------------------------------------
def _then(
    request: MemberRequest, verb: Callable[[], object], again: Callable[[Refused], HttpResponse], page: str, pk: int
) -> HttpResponse:
    """Do it and go back to the page; refused, show the page again with the reason."""
    try:
        verb()
    except Refused as refusal:
        return again(refusal)
    messages.success(request, _("Saved."))
    return redirect(page, request.catalogue.slug, pk)


def _facet(request: MemberRequest, pk: int) -> Facet:
    found = Facet.objects.select_related("catalogue").filter(catalogue=request.catalogue, pk=pk).first()
    if found is None:
        raise Http404
    return found


def _tag(request: MemberRequest, pk: int) -> Tag:
    found = Tag.objects.select_related("facet__catalogue", "parent").filter(facet__catalogue=request.catalogue, pk=pk)
    if (tag := found.first()) is None:
        raise Http404
    return tag


def _kind(request: MemberRequest) -> str:
    kind = request.POST.get("kind", "")
    if kind not in Facet.Kind.values:
        raise Refused(_("a facet takes one value or several"), "kind")
    return kind


def _texts(request: MemberRequest, name: str) -> dict[str, str]:
    """``label:en``, ``label:zh-hans`` ... of the form by language."""
    start = f"{name}:"
    return {key.removeprefix(start): str(value).strip() for key, value in request.POST.items() if key.startswith(start)}


def _words(request: MemberRequest) -> dict[str, list[str]]:
    return {language: _lines(text) for language, text in _texts(request, "synonyms").items()}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
