"""System checks: what would lose data later is said at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from tagstudio.filesystems import network_file_system
from tagstudio.settings import env


@register
def sqlite_on_local_disk(**_kwargs: Any) -> list[CheckMessage]:
    """SQLite in WAL mode needs shared memory and locks that network file systems do not give."""
    files = []
    database = settings.DATABASES["default"]
    if env.is_sqlite(database):
        files.append(("The database", Path(str(database["NAME"]))))
    if settings.CELERY_BROKER_URL.startswith("embedded+"):
        files.append(("The embedded broker", Path(settings.CELERY_BROKER_URL.removeprefix("embedded+sqlite:///"))))
    return [
        Error(
            f"{what} would lie on a network file system ({kind}): {file.parent}",
            hint="Move TAGSTUDIO_HOME to a local disk, or use PostgreSQL (DATABASE_URL) and Redis (CELERY_BROKER_URL).",
            id="tagstudio.E001",
        )
        for what, file in files
        if (kind := network_file_system(file.parent))
    ]
