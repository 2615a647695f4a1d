"""suggest CATALOGUE FILE|-: products in, suggestions out, a JSON line each; nothing is stored."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

from django.core.management.base import CommandParser

from annotations import bridge
from annotations.management.base import Failed, JsonCommand

AT_ONCE = 500  # products read, answered and written before the next are read


class Command(JsonCommand):
    help = "Suggest tags for products in our JSONL shape. Standard output holds one JSON line per product, no more."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("file", help="JSONL, or - for standard input")

    def answer(self, **options: Any) -> None:
        catalogue = self.catalogue(options["catalogue"])
        with self.lines_of(options["file"]) as stream:
            rows = _rows(stream)
            while chunk := list(islice(rows, AT_ONCE)):
                try:
                    answers = bridge.suggest(catalogue, chunk)
                except LookupError as error:
                    raise Failed(
                        f"“{catalogue.slug}” has no model yet: run train {catalogue.slug} --tier instant --wait",
                        "no_model",
                    ) from error
                for answer in answers:
                    self.stdout.write(json.dumps(answer, ensure_ascii=False))


def _rows(stream: IO[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise Failed(f"line {number} is no JSON: {error}", "line", line=number) from error
        if not isinstance(row, dict) or row.get("id") in (None, ""):
            raise Failed(f"line {number} is no product: it needs an id", "line", line=number)
        yield row
