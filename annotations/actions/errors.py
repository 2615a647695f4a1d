"""What a verb refuses, in words for the person who asked. Doors turn ``status`` into their own answer."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """``code`` is for programs, the message for people, ``details`` say where."""

    status = 422

    def __init__(self, message: str, code: str = "refused", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details


class Conflict(Refused):
    """Somebody was quicker. ``details`` hold what they decided."""

    status = 409


class NotFound(Refused):
    status = 404


class Forbidden(Refused):
    status = 403
