"""decide CATALOGUE FILE|-"""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.decide_lines import decide_lines
from annotations.management.base import JsonCommand


class Command(JsonCommand):
    help = (
        "Store decisions: JSON lines {product, facet, tag, verdict, reviewer} or {product, complete, reviewer}. "
        "Good lines go in, bad ones are problems."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("file", help="JSONL file, or - for standard input")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        with self.lines_of(options["file"]) as lines:
            return asdict(decide_lines(catalogue=catalogue, lines=lines))
