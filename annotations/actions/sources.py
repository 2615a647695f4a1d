"""Sources of files: a mapping kept under a name, used for every further file of the same columns, forgotten again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit
from annotations.actions.errors import Refused
from annotations.formats.mapping import signature
from annotations.models import Catalogue, Event, ImportSource, User

NAME_CHARS = 100


def save_source(
    *,
    catalogue: Catalogue,
    name: str,
    mapping: Mapping[str, Any],
    headers: Sequence[str] = (),
    attributes_as: str = "source",
    user: User | None,
) -> ImportSource:
    """Keep a mapping under a name; one that is there under it is replaced.

    mapping: as ``formats.mapping.Mapping.to_json`` has it; what it saw of the file (samples) is not kept
    headers: all columns of the file it was made for; without, those that the mapping names
    """
    name = " ".join(name.split())
    if not name or len(name) > NAME_CHARS:
        raise Refused(_("a source has a name of at most %(limit)s characters") % {"limit": NAME_CHARS}, "name")
    columns = [{**column, "samples": []} for column in mapping.get("columns", ())]
    kept = {**mapping, "columns": columns}
    signed = signature(headers or [column["header"] for column in columns])
    with transaction.atomic():
        source, made = ImportSource.objects.update_or_create(
            catalogue=catalogue,
            name=name,
            defaults={
                "mapping": kept, "signature": signed, "attributes_as": attributes_as, "user": user,
                "used_at": timezone.now(),
            },
        )  # fmt: skip
        audit.record(
            word=Event.SOURCE_SAVED, catalogue=catalogue, user=user, target=name,
            data={"source": source.pk, "columns": len(columns), "new": made},
        )  # fmt: skip
    return source


def delete_source(*, source: ImportSource, user: User | None) -> None:
    """Forget a mapping. Files and products that came by it stay."""
    with transaction.atomic():
        audit.record(
            word=Event.SOURCE_DELETED, catalogue=source.catalogue, user=user, target=source.name,
            data={"source": source.pk},
        )  # fmt: skip
        source.delete()
