"""export_tags CATALOGUE --format jsonl|csv-wide|csv-long|... --out FILE [--as-of SEQ]"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.exports import export_file
from annotations.formats.writers import WRITERS
from annotations.management.base import JsonCommand


class Command(JsonCommand):
    help = "Write approved tags, and who or what decided them, to a file. The same SEQ gives the same tags."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("--format", required=True, choices=list(WRITERS))
        parser.add_argument("--out", required=True, metavar="FILE")
        parser.add_argument("--as-of", type=int, default=None, metavar="SEQ", help="default: as of now")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        with self.progress("export") as progress:
            done = export_file(
                catalogue=catalogue, format=options["format"], out=Path(options["out"]), as_of=options["as_of"],
                progress=progress,
            )  # fmt: skip
        return {"rows": done.rows, "as_of": done.as_of, "sha256": done.sha256, "seconds": done.seconds}
