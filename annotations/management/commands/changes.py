"""changes CATALOGUE --after SEQ"""

import json
from typing import Any

from django.core.management.base import CommandParser

from annotations.management.base import JsonCommand
from annotations.queries.feed import all_changes


class Command(JsonCommand):
    help = "Print the feed as JSON lines, one change a line, in commit order (with --json just the same)."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("--after", type=int, default=0, metavar="SEQ", help="the last seq you have seen")

    def answer(self, **options: Any) -> None:
        for change in all_changes(self.catalogue(options["catalogue"]), options["after"]):
            self.stdout.write(json.dumps(change, ensure_ascii=False))
