"""Questions about exports."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from annotations.models import Catalogue, ExportBatch


def exports_of(catalogue: Catalogue) -> QuerySet[ExportBatch]:
    """The newest first, each with its job and who asked."""
    return (
        ExportBatch.objects.filter(catalogue=catalogue)
        .select_related("job", "user", "catalogue")
        .order_by("-created_at", "id")
    )


def export_of(catalogue: Catalogue, pk: Any) -> ExportBatch | None:
    return exports_of(catalogue).filter(pk=pk).first()
