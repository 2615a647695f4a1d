"""Files in: send one, see what it holds, say what its columns mean, try it, take it in, and mend what was wrong."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotations.actions import uploads
from annotations.actions.errors import Refused
from annotations.actions.import_problems import KEPT, in_words
from annotations.actions.sources import delete_source
from annotations.models import ImportBatch, Role
from annotations.queries.imports import batch_of, history, mend_lines, problem_lines, to_mend
from annotations.queries.sources import sources_of
from annotations.queries.taxonomy import facets_of
from annotations.views.doors import MemberRequest, catalogue_page
from annotations.views.jobs import shown

HISTORY_SHOWN = 25
PROBLEMS_SHOWN = 50
TARGETS = [
    ("", gettext_lazy("keep beside the product")),
    ("ignore", gettext_lazy("leave out")),
    ("id", gettext_lazy("id (SKU)")),
    ("title", gettext_lazy("title")),
    ("description", gettext_lazy("description")),
    ("category", gettext_lazy("category")),
    ("attribute", gettext_lazy("an attribute: values of one facet")),
    ("attributes", gettext_lazy("attributes: many facets in one cell")),
    ("images", gettext_lazy("pictures")),
    ("family", gettext_lazy("family (variants of one article)")),
    ("language", gettext_lazy("language")),
    ("spans", gettext_lazy("evidence spans")),
    ("absent", gettext_lazy("facets that do not apply")),
]
NEW_LINE = "\\n"
"""What stands for a line break in the form: browsers would send the break itself as two characters."""
REASONS = {
    "name": gettext_lazy("by its name"),
    "shape": gettext_lazy("as this export means it"),
    "contents": gettext_lazy("by its contents"),
    "person": gettext_lazy("as you said"),
}
FACETS_OFFERED = 300
SEPARATORS = [
    ("", gettext_lazy("one value")),
    ("|", "|"),
    (",", ","),
    (";", ";"),
    ("/", "/"),
    ("、", "、"),
    ("；", "；"),
    (NEW_LINE, gettext_lazy("new line")),
]
DETECTED = ("", gettext_lazy("as detected"))
ENCODINGS = [
    DETECTED,
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("gb18030", "GB18030 (GBK, GB2312)"),
    ("big5", "Big5"),
    ("cp1252", "Windows-1252"),
    ("cp1250", "Windows-1250"),
    ("cp1251", "Windows-1251"),
    ("shift_jis", "Shift JIS"),
    ("euc_kr", "EUC-KR"),
]
DELIMITERS = [DETECTED, (",", ","), (";", ";"), ("\t", gettext_lazy("tab")), ("|", "|")]
READING = ("encoding", "delimiter", "path", "sheet")
SURE, LIKELY = 0.9, 0.75
ATTRIBUTES_AS = [
    ("source", gettext_lazy("Source facts: kept beside the product, a hint for the model")),
    ("suggestions", gettext_lazy("Suggestions: shown checked, for a person to decide on")),
    ("approved", gettext_lazy("Approved tags: decided by you; the facets that a row names have no others")),
]
"""The last two need facets and tags that are there already; what the taxonomy lacks becomes a problem."""


@require_safe
@catalogue_page()
def imports(request: MemberRequest) -> HttpResponse:
    """What was taken in so far, and the form for another file."""
    return _history(request)


def _history(request: MemberRequest, refusal: Refused | None = None) -> HttpResponse:
    context = {
        "tab": "products",
        "batches": history(request.catalogue)[:HISTORY_SHOWN],
        "sources": sources_of(request.catalogue),
        "refusal": refusal,
        "may_import": request.role.rank >= Role.LEAD.rank,
    }
    return render(request, "imports/list.html", context, status=refusal.status if refusal else 200)


@require_POST
@catalogue_page(Role.LEAD)
def receive(request: MemberRequest) -> HttpResponse:
    """Keep the file and go to its page."""
    table = request.FILES.get("table")
    mends = request.POST.get("mends", "")
    if table is None:
        return _history(request, Refused(_("Choose a file first."), "no_file"))
    try:
        batch = uploads.receive(
            catalogue=request.catalogue,
            user=request.user,
            kind=request.POST.get("kind", "products"),
            table=table,
            pictures=request.FILES.get("pictures"),
            mends=_batch(request, int(mends)) if mends.isascii() and mends.isdecimal() else None,
        )
    except Refused as refusal:
        return _history(request, refusal)
    return redirect("import", request.catalogue.slug, batch.pk)


@never_cache
@require_safe
@catalogue_page()
def one(request: MemberRequest, pk: int) -> HttpResponse:
    """One file on its way: its columns and first rows, what a dry run says, how far it is, what was wrong with it."""
    batch = _batch(request, pk)
    if batch.kind == "starter":
        return redirect("starter_one", request.catalogue.slug, pk)
    return _page(request, batch)


@require_POST
@catalogue_page(Role.LEAD)
def go(request: MemberRequest, pk: int) -> HttpResponse:
    """The form's buttons: read it otherwise, look again with this mapping, keep the mapping, try, take in."""
    batch = _batch(request, pk)
    if batch.kind == "starter":
        raise Http404
    do = request.POST.get("do", "")
    try:
        if do == "read":
            uploads.set_reading(batch=batch, options={name: request.POST.get(name, "") for name in READING})
        elif batch.kind == "products" and request.POST.get("columns"):
            uploads.set_mapping(batch=batch, mapping=_mapping(request))
        if request.POST.get("source", "").strip() and do in ("keep", "try", "start"):
            batch.attributes_as = request.POST.get("attributes_as", batch.attributes_as)
            uploads.save_as_source(batch=batch, name=request.POST["source"], user=request.user)
        elif do == "keep":
            raise Refused(_("Give the source a name first."), "name")
        if do in ("try", "start"):
            uploads.start(
                batch=batch,
                user=request.user,
                dry_run=do == "try" and batch.kind == "products",
                attributes_as=request.POST.get("attributes_as", "source"),
                archive_missing="archive_missing" in request.POST,
            )
    except Refused as refusal:
        return _page(request, batch, refusal)
    return redirect("import", request.catalogue.slug, batch.pk)


def _mapping(request: MemberRequest) -> dict[str, Any]:
    """The columns as the form says them. Headers come back from the page, so that each stays with its own target."""
    sent = request.POST
    count = int(sent["columns"]) if sent["columns"].isdecimal() else 0
    columns = [
        {
            "header": sent.get(f"header-{n}", ""),
            "target": sent.get(f"target-{n}", ""),
            "facet": sent.get(f"facet-{n}", "").strip(),
            "separator": sent.get(f"separator-{n}", "").replace(NEW_LINE, "\n"),
            **_how_sure(sent, n),
        }
        for n in range(min(count, 5000))
    ]
    options = {name: value for name in READING if (value := sent.get(f"option-{name}", ""))}
    return {"version": 1, "shape": sent.get("shape", ""), "options": options, "columns": columns}


def _how_sure(sent: QueryDict, n: int) -> dict[str, Any]:
    """What was proposed and left as it was stays a proposal; what somebody chose is theirs."""
    proposed = sent.get(f"proposed-{n}", "")
    target, _bar, sure = proposed.partition("|")
    sure, _bar, reason = sure.partition("|")
    if not proposed or target != sent.get(f"target-{n}", "") or reason not in REASONS:
        return {"confidence": 1.0, "reason": "person"}
    return {"confidence": int(sure) / 100 if sure.isascii() and sure.isdecimal() else 0.0, "reason": reason}


def _columns(seen: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The columns that mean something, and those that are only kept: each with its number in the form."""
    used: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for number, column in enumerate(seen["mapping"]["columns"]):
        column |= {
            "n": number,
            "separator": column["separator"].replace("\n", NEW_LINE),
            "percent": round(column["confidence"] * 100),
            "why": REASONS.get(column["reason"], "") if column["target"] else "",
            "level": "sure"
            if column["confidence"] >= SURE
            else "likely"
            if column["confidence"] >= LIKELY
            else "guess",
        }
        (used if column["target"] else kept).append(column)
    return {"used": used, "kept": kept}


def _page(request: MemberRequest, batch: ImportBatch, refusal: Refused | None = None) -> HttpResponse:
    job = batch.job
    editable = bool(batch.stored_file) and not (job and job.live) and (batch.dry_run or not batch.position)
    context: dict[str, Any] = {
        "tab": "products",
        "batch": batch,
        "may_import": request.role.rank >= Role.LEAD.rank,
        "refusal": refusal,
        "targets": TARGETS,
        "separators": SEPARATORS,
        "attributes_as": ATTRIBUTES_AS,
        "checked": batch.dry_run and batch.finished_at is not None,
        "done": not batch.dry_run and batch.finished_at is not None,
        "editable": editable,
        "begun": not batch.dry_run and batch.position and not batch.finished_at and not (job and job.live),
    }
    if job is not None and (job.live or not batch.finished_at):
        context |= shown(job, request.user, request.role)
    if editable and batch.kind == "products":
        try:
            context["seen"] = seen = uploads.look(batch=batch)
            context |= {**_columns(seen), "facets": facets_of(request.catalogue)[:FACETS_OFFERED]}
            context |= {"encodings": ENCODINGS, "delimiters": DELIMITERS}
        except Refused as unreadable:
            context["refusal"] = refusal or unreadable
    context |= _problems(request, batch)
    return render(request, "imports/one.html", context, status=refusal.status if refusal else 200)


def _problems(request: MemberRequest, batch: ImportBatch) -> dict[str, Any]:
    found = batch.problems.order_by("line", "id")  # type: ignore[attr-defined]
    page = Paginator(found, PROBLEMS_SHOWN).get_page(request.GET.get("page"))
    return {
        "to_mend": to_mend(batch).count() if batch.problem_count else 0,
        "problems": [(problem, in_words(problem)) for problem in page],
        "problems_page": page,
        "problems_kept": KEPT,
    }


@require_POST
@catalogue_page(Role.LEAD)
def discard(request: MemberRequest, pk: int) -> HttpResponse:
    uploads.discard(batch=_batch(request, pk))
    messages.success(request, _("The file is thrown away. Nothing of it was taken in."))
    return redirect("imports", request.catalogue.slug)


@require_safe
@catalogue_page()
def problems(request: MemberRequest, pk: int) -> HttpResponse:
    """The problems as a CSV, to mend the rows by."""
    batch = _batch(request, pk)
    answer = StreamingHttpResponse(problem_lines(batch), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="problems-{batch.pk}.csv"'
    return cast(HttpResponse, answer)


@require_safe
@catalogue_page()
def rows_to_mend(request: MemberRequest, pk: int) -> HttpResponse:
    """The rows that were left out, in the file's own columns, to be mended and sent again."""
    batch = _batch(request, pk)
    suffix, lines = mend_lines(batch, in_words)
    answer = StreamingHttpResponse(
        lines, content_type="text/csv; charset=utf-8" if suffix == ".csv" else "application/x-ndjson"
    )
    answer["Content-Disposition"] = f'attachment; filename="to-mend-{batch.pk}{suffix}"'
    return cast(HttpResponse, answer)


@require_POST
@catalogue_page(Role.LEAD)
def forget_source(request: MemberRequest, pk: int) -> HttpResponse:
    """Delete a saved mapping; what came by it stays."""
    source = sources_of(request.catalogue).filter(pk=pk).first()
    if source is None:
        raise Http404
    delete_source(source=source, user=request.user)
    messages.success(request, _("“%(name)s” is forgotten. Products that came by it stay.") % {"name": source.name})
    return redirect("imports", request.catalogue.slug)


def _batch(request: MemberRequest, pk: int) -> ImportBatch:
    batch = batch_of(request.catalogue, pk)
    if batch is None:
        raise Http404
    return batch
