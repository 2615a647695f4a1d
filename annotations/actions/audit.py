"""Writing down who did what. Call inside the transaction of the verb, so that both stand or fall together."""

from __future__ import annotations

from typing import Any

from annotations.models import AuditEvent, Catalogue, User


def record(
    *,
    word: str,
    catalogue: Catalogue | None = None,
    user: User | None = None,
    target: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    return AuditEvent.objects.create(word=word, catalogue=catalogue, user=user, target=target[:200], data=data or {})
