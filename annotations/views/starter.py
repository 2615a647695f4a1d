"""A starter taxonomy: send a published one or a list, choose branches and languages, see what it would add, load it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import starter_uploads as verbs
from annotations.actions import uploads
from annotations.actions.errors import Refused
from annotations.actions.import_problems import in_words
from annotations.formats.outline import Branch, Outline
from annotations.models import ImportBatch, Role
from annotations.models.taxonomy import in_language
from annotations.queries.imports import batch_of, starters
from annotations.queries.taxonomy_changes import revision_numbered
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown
from annotations.views.taxonomy_forms import language_name

FOUND, PROBLEMS, EARLIER = 40, 50, 10


@require_safe
@catalogue_page(Role.LEAD)
def starter(request: MemberRequest) -> HttpResponse:
    """The form for files, and what was sent before."""
    return _start(request)


def _start(request: MemberRequest, refusal: Refused | None = None) -> HttpResponse:
    context = {"tab": "taxonomy", "refusal": refusal, "batches": starters(request.catalogue)[:EARLIER]}
    return render(request, "taxonomy/starter.html", context, status=refusal.status if refusal else 200)


@require_POST
@catalogue_page(Role.LEAD)
def receive(request: MemberRequest) -> HttpResponse:
    """Keep one file or two and go to their page, where a worker says what they hold."""
    files = [file for name in ("first", "second") if (file := request.FILES.get(name)) is not None]
    try:
        batch = verbs.receive_starter(catalogue=request.catalogue, user=request.user, files=files)
    except Refused as refusal:
        return _start(request, refusal)
    return redirect("starter_one", request.catalogue.slug, batch.pk)


@never_cache
@require_safe
@catalogue_page(Role.LEAD)
def one(request: MemberRequest, pk: int) -> HttpResponse:
    """Branches to choose from (``q`` searches them), languages, what a trial foresees, how far a load is."""
    return _page(request, _batch(request, pk))


@require_POST
@catalogue_page(Role.LEAD)
def go(request: MemberRequest, pk: int) -> HttpResponse:
    """The form's buttons: find branches, keep what is chosen, try, load; ``look``: read the files again."""
    batch = _batch(request, pk)
    do = request.POST.get("do", "find")
    try:
        if do == "look":
            verbs.look_again(batch=batch, user=request.user)
        else:
            if "chosen" in request.POST:
                verbs.choose(
                    batch=batch, branches=request.POST.getlist("branch"), languages=request.POST.getlist("language"),
                    category_facet="category_facet" in request.POST,
                )  # fmt: skip
            if do in (verbs.TRY, verbs.LOAD):
                verbs.begin(batch=batch, user=request.user, do=do)
    except Refused as refusal:
        return _page(request, batch, refusal)
    where = reverse("starter_one", args=[request.catalogue.slug, batch.pk])
    text = request.POST.get("q", "").strip()[:200]
    return redirect(f"{where}?{urlencode({'q': text})}#branches" if do == "find" and text else where)


@require_POST
@catalogue_page(Role.LEAD)
def discard(request: MemberRequest, pk: int) -> HttpResponse:
    uploads.discard(batch=_batch(request, pk))
    messages.success(request, _("The file is thrown away. Nothing of it was taken in."))
    return redirect("starter", request.catalogue.slug)


def _page(request: MemberRequest, batch: ImportBatch, refusal: Refused | None = None) -> HttpResponse:
    job, outline = batch.job, verbs.outline_of_upload(batch)
    live = bool(job and job.live)
    number = batch.report.get("revision")
    at_rest = verbs.LOAD if not batch.dry_run else verbs.TRY if batch.finished_at is not None else verbs.LOOK
    context: dict[str, Any] = {
        "tab": "taxonomy",
        "step": job.params["do"] if job is not None and live else at_rest,
        "refusal": refusal,
        "batch": batch,
        "outline": outline,
        "checked": batch.dry_run and batch.finished_at is not None and not live,
        "done": not batch.dry_run and batch.finished_at is not None,
        "begun": not batch.dry_run and not batch.finished_at and not live,
        "editable": outline is not None and not live and batch.dry_run,
        "revision": revision_numbered(request.catalogue, number) if number else None,
        "problems": [(p, in_words(p)) for p in batch.problems.order_by("line", "id")[:PROBLEMS]],  # type: ignore[attr-defined]
    }
    if job is not None and (live or job.state in ("failed", "cancelled")):
        context |= shown(job, request.user, request.role)
    if outline is not None:
        context |= _choices(request, batch, outline)
    return render(request, "taxonomy/starter_one.html", context, status=refusal.status if refusal else 200)


def _choices(request: MemberRequest, batch: ImportBatch, outline: Outline) -> dict[str, Any]:
    """Branches as (branch, path, chosen): those chosen first, then what was looked for, else the topmost ones."""
    text = request.GET.get("q", "").strip()[:200]
    ids, codes = batch.mapping.get("branches", ()), batch.mapping.get("languages", ())
    language = _language_of(outline)
    chosen = outline.chosen(set(ids))
    listed = outline.search(text, FOUND + 1) if text else outline.roots
    rest = [branch for branch in listed if branch.id not in ids]
    found = batch.report if batch.dry_run and batch.finished_at else {}

    def shown_as(branch: Branch) -> tuple[Branch, str, bool]:
        return branch, outline.path(branch, language), branch.id in ids

    return {
        "q": text,
        "chosen": [shown_as(branch) for branch in chosen],
        "listed": [shown_as(branch) for branch in rest[:FOUND]],
        "more": max(0, len(rest) - FOUND),
        "tongues": [(code, language_name(code), code in codes) for code in outline.languages],
        "added": [(language_name(code), n) for code, n in found.get("labels", {}).items()],
        "found": found,
        "some": [(in_language(labels, ""), new, tags, fresh) for labels, new, tags, fresh in found.get("some", ())],
        "there": found.get("tags", 0) - found.get("new_tags", 0),
        "facets_there": found.get("facets", 0) - found.get("new_facets", 0),
    }


def _language_of(outline: Outline) -> str:
    """The reader's language, where the file has names in it."""
    wanted = (get_language() or "en").lower()
    near = [code for code in outline.languages if code.split("-")[0] == wanted.split("-")[0]]
    return wanted if wanted in outline.languages else next(iter(near), "en")


def _batch(request: MemberRequest, pk: int) -> ImportBatch:
    batch = batch_of(request.catalogue, pk)
    if batch is None or batch.kind != "starter":
        raise Http404
    return batch
