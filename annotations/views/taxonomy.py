"""Facets and tags: the tree, one facet, one tag, and the values that reviewers asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language_info
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import reshape, tag_requests, taxonomy
from annotations.actions.decide import Circumstances
from annotations.actions.errors import Refused
from annotations.actions.tag_plans import tags_from_attributes
from annotations.models import Facet, Input, Role, Tag, TagRequest
from annotations.queries.cards import HUES
from annotations.queries.offers import KEYS, offers
from annotations.queries.taxonomy import Names, approved_counts, facet_page, new_values, open_requests, search_tags
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.review import number

CHIPS = 24
"""Tags of a facet that the tree shows; the facet's own page has them all."""
FACETS = 60
"""Facets of one page of the tree."""
COUNTED = 5000
"""Tags up to which the tree says how many products each stands for."""
REQUESTS, OTHERS = 50, 200


@require_safe
@catalogue_page()
def taxonomy_page(request: MemberRequest) -> HttpResponse:
    """Every facet with its tags, and what reviewers asked for."""
    return _tree(request)


def _tree(request: MemberRequest, refusal: Refused | None = None) -> HttpResponse:
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
        **_common(request, refusal),
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
    text = request.GET.get("q", "").strip()[:200]
    start = number(request.GET.get("start"), 0)
    page = facet_page(request.catalogue, found, text=text, start=start, retired="retired" in request.GET)
    context = {
        **_common(request, refusal),
        "page": page,
        "facet": found,
        "kinds": Facet.Kind.choices,
        "texts": [(code, name, found.labels.get(code, "")) for code, name in _languages(request, found.labels)],
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
            user=request.user,
            **_facet_fields(request),
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
            **_facet_fields(request),
        ),
        lambda refusal: _facet_page(request, found, refusal),
        "facet",
        found.pk,
    )


STEPS = {"up": -1, "down": 1}


@require_POST
@catalogue_page(Role.LEAD)
def tag_do(request: MemberRequest, pk: int) -> HttpResponse:
    """What a row of the facet's page does to its tag: another name, a place up or down, in or out."""
    found = _tag(request, pk)
    do = request.POST.get("do", "rename")

    def verb() -> object:
        if do in STEPS:
            return taxonomy.step_tag(tag=found, user=request.user, step=STEPS[do])
        if do == "in":
            return taxonomy.indent_tag(tag=found, user=request.user)
        if do == "out":
            return taxonomy.outdent_tag(tag=found, user=request.user)
        return taxonomy.rename_tag(
            tag=found, label=request.POST.get("label", ""), user=request.user, language=request.POST.get("language", "")
        )

    try:
        verb()
    except Refused as refusal:
        return _facet_page(request, found.facet, refusal)
    query = {name: request.POST[name] for name in ("q", "start") if request.POST.get(name)} | {"at": str(pk)}
    return redirect(f"{reverse('facet', args=[request.catalogue.slug, found.facet_id])}?{urlencode(query)}#t{pk}")


@require_POST
@catalogue_page(Role.LEAD)
def move_facet(request: MemberRequest, pk: int) -> HttpResponse:
    """A place up or down among the facets."""
    step = STEPS.get(request.POST.get("do", ""), 1)
    taxonomy.move_facet(facet=_facet(request, pk), user=request.user, step=step)
    return redirect("taxonomy", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def retire_facet(request: MemberRequest, pk: int) -> HttpResponse:
    """Retire a live facet, ask a retired one again."""
    found = _facet(request, pk)
    if found.retired_at is None:
        taxonomy.retire_facet(facet=found, user=request.user)
        messages.success(request, _("“%(facet)s” is no longer asked for.") % {"facet": found.label})
    else:
        taxonomy.restore_facet(facet=found, user=request.user)
        messages.success(request, _("“%(facet)s” is asked for again.") % {"facet": found.label})
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
    others = Tag.objects.live().filter(facet=found.facet).exclude(pk=found.pk).order_by("position", "id")[:OTHERS]
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
        "others": others,
        "not_with": [f"{t.facet.slug}/{t.slug}" for t in found.not_with.select_related("facet")],
        "keys": range(1, KEYS + 1),
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
            categories=_lines(request.POST.get("categories", "")),
            exclusive="exclusive" in request.POST,
            shortcut=number(request.POST.get("shortcut"), 0),
            not_with=[_by_slugs(request, line) for line in _lines(request.POST.get("not_with", ""))],
        )
        named = request.POST.get("parent", "").strip()
        parent = Names.of(request.catalogue, found.facet).tag(found.facet, named) if named else None
        if named and parent is None:
            raise Refused(_("“%(facet)s” has no tag of this name.") % {"facet": found.facet.label}, "parent")
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
            names = Names.of(request.catalogue, asked.facet)
            named = request.POST.get("tag", "").strip()
            of = _tag(request, int(named)) if named.isdecimal() else names.tag(asked.facet, named)
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


def _facet_fields(request: MemberRequest) -> dict[str, Any]:
    sent = request.POST
    return {
        "variant_axis": "variant_axis" in sent, "required": "required" in sent,
        "implied_parents": "implied_parents" in sent, "unit": sent.get("unit", "").strip()[:20],
        "categories": _lines(sent.get("categories", "")),
    }  # fmt: skip


def _by_slugs(request: MemberRequest, name: str) -> Tag:
    """``facet/tag`` by slugs or names."""
    facet_name, _slash, tag_name = name.partition("/")
    names = Names.facets_of(request.catalogue)
    facet = names.facet(facet_name.strip())
    tag = Names.of(request.catalogue, facet).tag(facet, tag_name.strip()) if facet else None
    if tag is None:
        raise Refused(_("there is no tag “%(name)s”") % {"name": name}, "unknown_tag")
    return tag


def _texts(request: MemberRequest, name: str) -> dict[str, str]:
    """``label:en``, ``label:zh-hans`` ... of the form by language."""
    start = f"{name}:"
    return {key.removeprefix(start): str(value).strip() for key, value in request.POST.items() if key.startswith(start)}


def _words(request: MemberRequest) -> dict[str, list[str]]:
    return {language: _lines(text) for language, text in _texts(request, "synonyms").items()}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
