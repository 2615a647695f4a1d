"""restore FILE"""

import time
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser
from django.db import connection

from annotations.management.base import Failed, JsonCommand
from annotations.queries.jobs import workers_alive
from tagstudio.backup import BackupError, restore


class Command(JsonCommand):
    help = (
        "Put the backup FILE in the database's place; the database as it was is kept beside it. Stop everything first."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="even though workers seem to be alive")

    def answer(self, **options: Any) -> dict[str, Any]:
        begun = time.monotonic()
        if not options["force"] and _somebody_works():
            raise Failed("workers are alive: stop web and workers first (or use --force)", "busy")
        connection.close()
        try:
            with self.progress("restore") as draw:
                kept = restore(connection.settings_dict, options["file"], draw)
        except BackupError as error:
            raise Failed(str(error), "restore") from error
        call_command("migrate", verbosity=0, interactive=False)  # an older backup meets a newer version
        return {"kept": str(kept) if kept else None, "seconds": round(time.monotonic() - begun, 2)}


def _somebody_works() -> bool:
    from django.db import DatabaseError

    try:
        return workers_alive() > 0
    except DatabaseError:
        return False  # no tables, or damaged: then nobody does
