"""A model on its page: its card, a note on it, its files to take away; and models from elsewhere to take in."""

from __future__ import annotations

import tempfile

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotations.actions import registry, retention
from annotations.actions.errors import Forbidden, Refused
from annotations.models import Role
from annotations.queries.training import model_card, model_numbered
from annotations.views.doors import MemberRequest, catalogue_page

IN_MEMORY = 2**20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@catalogue_page()
def model(request: MemberRequest, number: int) -> HttpResponse:
    found = model_numbered(request.catalogue, number)
    if found is None:
        raise Http404
    if request.method == "POST":
        if request.role.rank < Role.LEAD.rank:
            raise Forbidden(_("Only a lead or an admin writes notes on models."), "role")
        registry.write_note(
            catalogue=request.catalogue, model=found, user=request.user, text=request.POST.get("note", "")
        )
        messages.success(request, _("The note is saved."))
        return redirect("model", request.catalogue.slug, number)
    return render(request, "training/model.html", {"tab": "training", "model": found, "card": model_card(found)})


@require_safe
@catalogue_page(Role.ADMIN)
def download(request: MemberRequest, number: int) -> HttpResponse:
    """The bundle as a zip, as ``upload`` of any installation takes it."""
    from annotations import bridge  # loads numpy and more: only for who takes a model away

    found = model_numbered(request.catalogue, number)
    if found is None:
        raise Http404
    folder = registry.files_of(found)
    stream = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # the answer closes it
    bridge.pack(folder, stream)
    stream.seek(0)
    name = f"{request.catalogue.slug}-{found.name}.zip"
    answer = FileResponse(stream, as_attachment=True, filename=name, content_type="application/zip")
    return answer  # type: ignore[return-value]


@require_POST
@catalogue_page(Role.ADMIN)
def keep(request: MemberRequest) -> HttpResponse:
    """How many full models' files are kept; with ``tidy`` the others go at once instead of within a day."""
    given = request.POST.get("kept", "")
    kept = int(given) if given.isdecimal() and len(given) < 6 else 0
    retention.set_models_kept(catalogue=request.catalogue, user=request.user, kept=kept)
    if request.POST.get("tidy"):
        gone = retention.tidy(catalogue=request.catalogue, user=request.user)
        retention.tidy_folders(catalogue=request.catalogue)
        messages.success(request, _("Gone: %(models)s.") % {"models": ", ".join(gone) or "–"})
    else:
        messages.success(request, _("The number is set."))
    return redirect("training", request.catalogue.slug)


@require_POST
@catalogue_page(Role.ADMIN)
def upload(request: MemberRequest) -> HttpResponse:
    sent = request.FILES.get("bundle")
    if sent is None:
        raise Refused(_("Choose the zip of a model first."), "no_file")
    run = registry.receive_model(catalogue=request.catalogue, user=request.user, sent=sent)
    messages.success(request, _("Run %(n)d looks at the model. It becomes a candidate.") % {"n": run.number})
    return redirect("training_run", request.catalogue.slug, run.number)
