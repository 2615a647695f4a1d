"""How operations and errors are told in the OpenAPI schema."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema as Base
from drf_spectacular.utils import OpenApiResponse

from annotations.api.problems import CONTENT_TYPE, ProblemSerializer

MEANINGS = {
    400: "something in the request cannot be read",
    401: "no token, or one that is not valid (any more)",
    403: "the token lacks the scope, or its user the role",
    404: "nothing here, or nothing that is yours to see",
    409: "somebody was quicker",
    413: "too large",
    415: "not sent in the form that is taken here",
    416: "no such range",
    422: "understood, and refused",
    429: "too many requests: wait as long as Retry-After says",
}


def problems(*more: int) -> dict[Any, OpenApiResponse]:
    """The errors that every address may answer with, and ``more``."""
    return {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, MEANINGS[status])
        for status in sorted({400, 401, 403, 404, 429, *more})
    }


PROBLEMS = problems()


class AutoSchema(Base):
    """Names operations after the view: readable for people who generate a client, and unique."""

    def get_operation_id(self) -> str:
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self.view).__name__).lower()
        return f"{self.method.lower()}_{words}"
