"""Pictures, for members of a catalogue that shows them, and for nobody else."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.views.decorators.http import require_safe

from annotations.queries.pictures import picture_of
from annotations.views.doors import signed_in

SHA = re.compile(r"[0-9a-f]{64}")
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
SANDBOX = "default-src 'none'; img-src 'self'; sandbox"


@require_safe
@signed_in
def picture(request: HttpRequest, size: str, product: int, sha256: str) -> HttpResponse:
    """The picture (``full``) or its thumbnail (``small``).

    The address names the product that shows it, so that one look-up by key says whether the reader is a member of its
    catalogue. The path comes from the row alone, never from the address. A picture's bytes never change under its name, so a
    browser may keep it for a year; ``private`` keeps it out of shared caches.
    """
    if size not in ("full", "small") or not SHA.fullmatch(sha256):
        raise Http404
    row = picture_of(user=request.user.pk, product=product, sha256=sha256)
    if row is None:
        raise Http404
    name = row.thumbnail if size == "small" and row.thumbnail else row.file
    path = (Path(settings.MEDIA_ROOT) / name).resolve()
    kind = TYPES.get(path.suffix.lower())
    if kind is None or not path.is_relative_to(Path(settings.MEDIA_ROOT).resolve()) or not path.is_file():
        raise Http404
    tag = f'"{size}-{sha256[:32]}"'
    answer: HttpResponse
    if request.headers.get("If-None-Match") == tag:
        answer = HttpResponseNotModified()
    else:
        answer = FileResponse(path.open("rb"), content_type=kind)  # type: ignore[assignment]
        answer["X-Content-Type-Options"] = "nosniff"
        answer["Content-Security-Policy"] = SANDBOX
        answer["Content-Disposition"] = "inline"
    answer["ETag"] = tag
    answer["Cache-Control"] = "private, max-age=31536000, immutable"
    return answer
