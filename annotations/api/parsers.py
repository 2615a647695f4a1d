"""JSON in, with limits: DRF's own parser reads whatever comes, and lets through what no database stores."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class BoundedJSONParser(JSONParser):
    """At most DATA_UPLOAD_MAX_MEMORY_SIZE bytes. Nesting that no honest body has, NUL, and halves of surrogate pairs
    (``\\ud800`` alone is no character) are a 400 that says where, not a crash further in."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        request = (parser_context or {})["request"]
        most: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if int(request.META.get("CONTENT_LENGTH") or 0) > most:
            raise TooLarge(_("at most %(most)s bytes in one request: send it in parts") % {"most": most})
        raw = stream.read()
        try:
            data = super().parse(io.BytesIO(raw), media_type, parser_context)
            # both can only come in as escapes, which most bodies have none of
            where = next(_unstorable(data, "$"), None) if b"\\u" in raw else None
        except RecursionError:
            raise ParseError(_("nested too deep")) from None
        if where is not None:
            raise ParseError(_("%(where)s holds a character that cannot be stored") % {"where": where})
        return data


def _unstorable(data: Any, where: str) -> Iterator[str]:
    """Where in the body, as a JSONPath."""
    if isinstance(data, str):
        if UNSTORABLE.search(data):
            yield where
    elif isinstance(data, dict):
        for name, value in data.items():
            if UNSTORABLE.search(name):
                yield f"{where}.*"
            yield from _unstorable(value, f"{where}.{name}")
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _unstorable(value, f"{where}[{number}]")
