"""What every page shows around its own content."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from annotations.models import Role
from annotations.queries import house as questions


def house(request: HttpRequest) -> dict[str, Any]:
    """Lazy where it costs a query, since fragments are rendered with it too."""
    catalogue = getattr(request, "catalogue", None)
    role = getattr(request, "role", None)
    return {
        "catalogue": catalogue,
        "role": role,
        "may_review": role is not None and role.rank >= Role.REVIEWER.rank,
        "may_lead": role is not None and role.rank >= Role.LEAD.rank,
        "may_admin": role is not None and role.rank >= Role.ADMIN.rank,
        "missing_workers": SimpleLazyObject(questions.queues_without_worker) if catalogue else [],
    }
