"""backup FILE"""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection

from annotations.management.base import Failed, JsonCommand
from tagstudio.backup import BackupError, backup


class Command(JsonCommand):
    help = "Write the database to FILE while everybody goes on working. Pictures and models are files: copy them too."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def answer(self, **options: Any) -> dict[str, Any]:
        begun = time.monotonic()
        try:
            with self.progress("backup") as draw:
                backup(connection.settings_dict, options["file"], draw)
        except BackupError as error:
            raise Failed(str(error), "backup") from error
        size = options["file"].stat().st_size
        return {"file": str(options["file"]), "bytes": size, "seconds": round(time.monotonic() - begun, 2)}
