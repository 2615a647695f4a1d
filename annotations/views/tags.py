"""One tag: its page, changing it, moving it in its tree, retiring it, merging it into another."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import reshape, taxonomy
from annotations.actions.decide import Circumstances
from annotations.actions.errors import Refused
from annotations.models import Input, Role, Tag
from annotations.queries.offers import KEYS
from annotations.queries.taxonomy import Names
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.facets import facet_page_of
from annotations.views.review import number
from annotations.views.taxonomy_forms import (
    STEPS,
    common,
    facet_or_404,
    languages_of,
    lines,
    tag_or_404,
    texts,
    then,
    words,
)

OTHERS = 200


@require_POST
@catalogue_page(Role.LEAD)
def tag_do(request: MemberRequest, pk: int) -> HttpResponse:
    """What a row of the facet's page does to its tag: another name, a place up or down, in or out."""
    found = tag_or_404(request, pk)
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
        return facet_page_of(request, found.facet, refusal)
    query = {name: request.POST[name] for name in ("q", "start") if request.POST.get(name)} | {"at": str(pk)}
    return redirect(f"{reverse('facet', args=[request.catalogue.slug, found.facet_id])}?{urlencode(query)}#t{pk}")


@require_safe
@catalogue_page()
def tag(request: MemberRequest, pk: int) -> HttpResponse:
    return _tag_page(request, tag_or_404(request, pk))


def _tag_page(request: MemberRequest, found: Tag, refusal: Refused | None = None) -> HttpResponse:
    languages = languages_of(request, found.labels, found.synonyms, found.definitions)
    others = Tag.objects.live().filter(facet=found.facet).exclude(pk=found.pk).order_by("position", "id")[:OTHERS]
    context = {
        **common(request, refusal),
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
    found = facet_or_404(request, pk)
    parent = tag_or_404(request, int(chosen)) if (chosen := request.POST.get("parent", "")).isdecimal() else None
    return then(
        request,
        lambda: taxonomy.add_tag(
            facet=found, labels=texts(request, "label"), synonyms=words(request), parent=parent, user=request.user
        ),
        lambda refusal: facet_page_of(request, found, refusal),
        "facet",
        found.pk,
    )


@require_POST
@catalogue_page(Role.LEAD)
def edit_tag(request: MemberRequest, pk: int) -> HttpResponse:
    found = tag_or_404(request, pk)

    def save() -> None:
        taxonomy.edit_tag(
            tag=found,
            user=request.user,
            labels=texts(request, "label"),
            synonyms=words(request),
            definitions=texts(request, "definition"),
            categories=lines(request.POST.get("categories", "")),
            exclusive="exclusive" in request.POST,
            shortcut=number(request.POST.get("shortcut"), 0),
            not_with=[_by_slugs(request, line) for line in lines(request.POST.get("not_with", ""))],
        )
        named = request.POST.get("parent", "").strip()
        parent = Names.of(request.catalogue, found.facet).tag(found.facet, named) if named else None
        if named and parent is None:
            raise Refused(_("“%(facet)s” has no tag of this name.") % {"facet": found.facet.label}, "parent")
        if (parent.pk if parent else None) != found.parent_id:
            taxonomy.move_tag(tag=found, user=request.user, parent=parent)

    return then(request, save, lambda refusal: _tag_page(request, found, refusal), "tag", found.pk)


@require_POST
@catalogue_page(Role.LEAD)
def retire_tag(request: MemberRequest, pk: int) -> HttpResponse:
    """Retire a live tag, bring back a retired one."""
    found = tag_or_404(request, pk)
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
    found = tag_or_404(request, pk)
    chosen = request.POST.get("into", "")
    into = tag_or_404(request, int(chosen)) if chosen.isdecimal() else found
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


def _by_slugs(request: MemberRequest, name: str) -> Tag:
    """``facet/tag`` by slugs or names."""
    facet_name, _slash, tag_name = name.partition("/")
    names = Names.facets_of(request.catalogue)
    facet = names.facet(facet_name.strip())
    tag = Names.of(request.catalogue, facet).tag(facet, tag_name.strip()) if facet else None
    if tag is None:
        raise Refused(_("there is no tag “%(name)s”") % {"name": name}, "unknown_tag")
    return tag
