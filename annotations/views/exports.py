"""Approved tags as files: ask for one, watch it, fetch it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from annotations.actions.exports import download_of, request_export
from annotations.formats.writers import WRITERS
from annotations.queries.exports import export_of, exports_of
from annotations.queries.feed import last_seq
from annotations.ranges import file_response
from annotations.views.doors import MemberRequest, catalogue_page

SHOWN = 20
WORDS = {
    "jsonl": gettext_lazy("JSON Lines: a product a line, as it can be imported again, and who decided"),
    "csv-wide": gettext_lazy("CSV, wide: a column per facet"),
    "csv-long": gettext_lazy("CSV, long: a row per tag, rejected ones too, with who decided and when"),
    "xlsx": gettext_lazy("Excel: one sheet, a column per facet"),
    "parquet": gettext_lazy("Parquet: a column per facet, each a list"),
    "shopify": gettext_lazy("Shopify: a CSV to import in the shop"),
    "google": gettext_lazy("Google Merchant Center: a supplemental feed"),
    "labelstudio": gettext_lazy("Label Studio: tasks with annotations"),
    "huggingface": gettext_lazy("Hugging Face: a datasets folder as a zip, Parquet and a card"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@catalogue_page()
def exports(request: MemberRequest) -> HttpResponse:
    """The page; asked for by htmx, the list alone, which asks again as long as something is being written."""
    if request.method == "POST":
        request_export(catalogue=request.catalogue, user=request.user, format=request.POST.get("format", ""))
        messages.success(request, _("The file is being written. It appears below."))
        return redirect("exports", request.catalogue.slug)
    found = list(exports_of(request.catalogue)[:SHOWN])
    context = {
        "tab": "exports",
        "exports": found,
        "live": any(batch.job and batch.job.live for batch in found),
        "formats": [(name, WORDS.get(name, name)) for name in WRITERS],
        "seq": last_seq(request.catalogue),
    }
    fragment = getattr(request, "htmx", False) and not request.htmx.boosted  # type: ignore[attr-defined]
    return render(request, "exports/_list.html" if fragment else "exports.html", context)


@require_safe
@catalogue_page()
def download(request: MemberRequest, pk: uuid.UUID) -> HttpResponse:
    batch = export_of(request.catalogue, pk)
    if batch is None:
        raise Http404
    file = download_of(batch)
    return file_response(request, file.path, name=file.name, kind=file.kind, sha256=batch.sha256)
