"""Changes of the taxonomy: what one would touch before it is made, what was done, and taking it back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import reshape
from annotations.actions.decide import Circumstances
from annotations.actions.errors import Refused
from annotations.models import Input, Role, Tag, TaxonomyRevision
from annotations.queries import taxonomy_changes as questions
from annotations.queries.touches import touches
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.review import number

PAGE = 50
WORDS = {
    "facet added": lambda: _("facet added"),
    "facet edited": lambda: _("facet edited"),
    "facet retired": lambda: _("facet retired"),
    "facet restored": lambda: _("facet restored"),
    "facet moved": lambda: _("facet moved"),
    "tag added": lambda: _("tag added"),
    "tag renamed": lambda: _("tag renamed"),
    "tag edited": lambda: _("tag edited"),
    "tag moved": lambda: _("tag moved"),
    "tag retired": lambda: _("tag retired"),
    "tag restored": lambda: _("tag restored"),
    "tag merged": lambda: _("tag merged"),
    "tag split": lambda: _("tag split"),
    "undone": lambda: _("undone"),
    "tags imported": lambda: _("list taken in"),
    "tags from attributes": lambda: _("taken from the products"),
    "starter taxonomy": lambda: _("starter taxonomy"),
    "new value": lambda: _("new value of an open facet"),
}
COUNTS = {
    "products": lambda n: ngettext("decided on for %(n)s product", "decided on for %(n)s products", n),
    "approved": lambda n: ngettext("approved for %(n)s product", "approved for %(n)s products", n),
    "rejected": lambda n: ngettext("rejected for %(n)s product", "rejected for %(n)s products", n),
    "both": lambda n: ngettext("%(n)s product has both", "%(n)s products have both", n),
    "waiting": lambda n: ngettext("%(n)s of these products waits", "%(n)s of these products wait", n),
    "suggestions": lambda n: ngettext("%(n)s suggestion", "%(n)s suggestions", n),
    "children": lambda n: ngettext("%(n)s tag below", "%(n)s tags below", n),
    "rules": lambda n: ngettext("%(n)s rule", "%(n)s rules", n),
    "requests": lambda n: ngettext("%(n)s request", "%(n)s requests", n),
    "reopened": lambda n: ngettext("%(n)s product waits again", "%(n)s products wait again", n),
    "settled": lambda n: ngettext("%(n)s product waits no longer", "%(n)s products wait no longer", n),
    "new_facets": lambda n: ngettext("%(n)s new facet", "%(n)s new facets", n),
    "new_tags": lambda n: ngettext("%(n)s new tag", "%(n)s new tags", n),
    "changed": lambda n: ngettext("%(n)s changed", "%(n)s changed", n),
    "decisions": lambda n: ngettext("%(n)s decision", "%(n)s decisions", n),
    "events": lambda n: ngettext("%(n)s line in the feed", "%(n)s lines in the feed", n),
}


def told(report: dict[str, Any]) -> list[str]:
    """A report as short sentences; what is nothing is left out."""
    return [say(int(report[name])) % {"n": report[name]} for name, say in COUNTS.items() if report.get(name)]


@require_safe
@catalogue_page()
def history(request: MemberRequest) -> HttpResponse:
    """What was changed, newest first, with what each change touched; the splits whose products still wait on top."""
    return _history(request)


def _history(request: MemberRequest, refusal: Refused | None = None) -> HttpResponse:
    before = number(request.GET.get("before"), 0) or None
    rows = questions.revisions(request.catalogue, before, PAGE + 1)
    shown = rows[:PAGE]
    context = {
        "tab": "taxonomy",
        "refusal": refusal,
        "rows": [
            {"revision": r, "word": _word(r), "about": _about(r), "told": told(r.report), "undone": hasattr(r, "undone_by"),
             "undoable": bool(r.before or r.undoes_id or r.word in questions.LISTS) and not r.data.get("not_undoable") and not r.pending and not hasattr(r, "undone_by"),
             "stuck": r.pending and not (r.job and r.job.live)}
            for r in shown
        ],
        "before": shown[-1].number if len(rows) > PAGE else None,
        "splits": [{"revision": r, "left": left, "about": _about(r)} for r, left in questions.splits_under_way(request.catalogue)],
        "may_edit": request.role.rank >= Role.LEAD.rank,
    }  # fmt: skip
    return render(request, "taxonomy/history.html", context, status=refusal.status if refusal else 200)


def _word(revision: TaxonomyRevision) -> str:
    say = WORDS.get(revision.word)
    word = say() if say else revision.word
    what = WORDS.get(str(revision.data.get("what", "")))
    return f"{word}: {what()}" if revision.word == "undone" and what else word


def _about(revision: TaxonomyRevision) -> str:
    data = revision.data
    into = data.get("into") or ""
    parts = [data.get("facet"), data.get("tag")]
    about = " › ".join(str(part) for part in parts if part)
    return f"{about} → {', '.join(into) if isinstance(into, list) else into}" if into else about


@require_POST
@catalogue_page(Role.LEAD)
def undo(request: MemberRequest, number: int) -> HttpResponse:
    """Put everything back as it was before one change. Many products are a job."""
    revision = _revision(request, number)
    try:
        done = reshape.undo_revision(revision=revision, by=_by(request))
    except Refused as refusal:
        return _history(request, refusal)
    if done.job:
        messages.success(request, _("It is being undone: see below how far it is."))
    else:
        messages.success(request, _("Undone. Everything stands as it did before."))
    return redirect("taxonomy_history", request.catalogue.slug)


@require_POST
@catalogue_page(Role.LEAD)
def go_on(request: MemberRequest, number: int) -> HttpResponse:
    """Take up again a change whose job was stopped or failed."""
    reshape.go_on(revision=_revision(request, number), by=_by(request))
    messages.success(request, _("It goes on."))
    return redirect("taxonomy_history", request.catalogue.slug)


@require_safe
@catalogue_page(Role.LEAD)
def preview(request: MemberRequest, pk: int) -> HttpResponse:
    """What renaming, merging, splitting or retiring a tag touches, before it is done, with the forms that do it."""
    return _preview(request, _tag(request, pk))


def _preview(request: MemberRequest, tag: Tag, refusal: Refused | None = None) -> HttpResponse:
    sent = request.POST if request.method == "POST" else request.GET
    into = None
    if chosen := number(sent.get("into"), 0):
        into = Tag.objects.live().filter(facet=tag.facet_id, pk=chosen).exclude(pk=tag.pk).first()
    query = request.GET.get("q", "").strip()[:200]
    context = {
        "tab": "taxonomy",
        "refusal": refusal,
        "found": tag,
        "facet": tag.facet,
        "into": into,
        "told": told(touches([tag], into=into).as_dict()),
        "q": query,
        "hits": questions.others(tag, query, limit=30),
        "parts": sent.get("parts", ""),
        "suggested": questions.words_beside(tag) if not request.GET.get("into") else [],
    }
    return render(request, "taxonomy/reshape.html", context, status=refusal.status if refusal else 200)


@require_POST
@catalogue_page(Role.LEAD)
def split(request: MemberRequest, pk: int) -> HttpResponse:
    """One part a line; a line that names a tag of the facet is that tag."""
    tag = _tag(request, pk)
    language = request.catalogue.language
    parts = [{language: line.strip()} for line in request.POST.get("parts", "").splitlines() if line.strip()]
    try:
        done = reshape.split_tag(tag=tag, parts=parts, by=_by(request))
    except Refused as refusal:
        return _preview(request, tag, refusal)
    messages.success(
        request,
        ngettext(
            "“%(tag)s” is split. %(n)s product is to be looked at again.",
            "“%(tag)s” is split. %(n)s products are to be looked at again.",
            done.products,
        )
        % {"tag": tag.label, "n": done.products},
    )
    return redirect("taxonomy_history", request.catalogue.slug)


def _by(request: MemberRequest) -> Circumstances:
    return Circumstances(request.user, request.role.value, Input.BULK)


def _revision(request: MemberRequest, wanted: int) -> TaxonomyRevision:
    found = questions.revision_numbered(request.catalogue, wanted)
    if found is None:
        raise Http404
    return found


def _tag(request: MemberRequest, pk: int) -> Tag:
    found = Tag.objects.select_related("facet__catalogue", "parent").filter(facet__catalogue=request.catalogue, pk=pk)
    if (tag := found.first()) is None:
        raise Http404
    return tag
