"""A file as an answer, whole or in part (RFC 9110, section 14), so that a broken download goes on where it stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.utils.http import content_disposition_header

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
CHUNK = 256 * 1024


def file_response(request: HttpRequest, path: Path, *, name: str, kind: str, sha256: str) -> HttpResponse:
    """``path`` as an attachment called ``name``. One range is served (206); several, or units other than bytes, are
    answered with the whole file, as the RFC allows; one beyond the end is 416. ``sha256`` is the ETag."""
    size = path.stat().st_size
    tag = f'"{sha256}"'
    answer: HttpResponse
    if request.headers.get("If-None-Match") == tag:
        answer = HttpResponseNotModified()
        answer["ETag"] = tag
        return answer
    wanted = _range(request, tag, size)
    if wanted == ():
        answer = HttpResponse(status=416)
        answer["Content-Range"] = f"bytes */{size}"
    elif wanted:
        first, last = wanted
        answer = StreamingHttpResponse(_slice(path, first, last), status=206)  # type: ignore[assignment]
        answer["Content-Range"] = f"bytes {first}-{last}/{size}"
        answer["Content-Length"] = str(last - first + 1)
    else:
        answer = FileResponse(path.open("rb"))  # type: ignore[assignment]
        answer["Content-Length"] = str(size)
    answer["Accept-Ranges"] = "bytes"
    answer["ETag"] = tag
    answer["Content-Type"] = kind
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cache-Control"] = "private, no-cache"
    return answer


def _range(request: HttpRequest, tag: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """First and last byte; () when there are none such; None for the whole file."""
    match = RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or request.headers.get("If-Range", tag) != tag:
        return None
    begin, end = match.groups()
    if not begin and not end:
        return None
    if not begin:
        first, last = max(size - int(end), 0), size - 1
        return (first, last) if int(end) and size else ()
    first, last = int(begin), min(int(end) if end else size - 1, size - 1)
    if end and int(end) < first:
        return None
    return (first, last) if first < size else ()


def _slice(path: Path, first: int, last: int) -> Iterator[bytes]:
    left = last - first + 1
    with path.open("rb") as stream:
        stream.seek(first)
        while left > 0 and (part := stream.read(min(CHUNK, left))):
            left -= len(part)
            yield part
