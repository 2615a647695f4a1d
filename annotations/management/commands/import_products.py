"""import_products CATALOGUE FILE [--mapping FILE] [--attributes ...] [--images ZIP_OR_DIR] [--archive-missing] [--dry-run]"""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.imports import import_products
from annotations.management.base import Failed, JsonCommand
from annotations.queries.imports import write_problems


class Command(JsonCommand):
    help = "Create and update products from a table or JSON; rows that can't be read become problems."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("file", help="CSV, TSV, JSON or JSONL, plain or gzipped")
        parser.add_argument("--mapping", help="JSON file: {header: target}, or a mapping saved by the preview")
        parser.add_argument("--attributes", choices=["source", "suggestions", "approved"], default="source")
        parser.add_argument("--images", help="zip or folder with the pictures that the rows name")
        parser.add_argument("--archive-missing", action="store_true", help="archive the products that the file lacks")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and change nothing")
        parser.add_argument("--problems", help="where to write the problems as CSV (default: beside the uploads)")

    def answer(self, **options: Any) -> dict[str, Any]:
        begun = time.monotonic()
        catalogue = self.catalogue(options["catalogue"])
        with self.progress("rows") as draw:
            batch = import_products(
                catalogue=catalogue,
                path=existing(options["file"]),
                mapping=json_file(options["mapping"]) if options["mapping"] else None,
                attributes_as=options["attributes"],
                pictures=existing(options["images"]) if options["images"] else None,
                archive_missing=options["archive_missing"],
                dry_run=options["dry_run"],
                progress=lambda done, total, step: draw(done, total or None),
            )
        return {
            "rows": batch.rows,
            "created": batch.created,
            "updated": batch.updated,
            "unchanged": batch.unchanged,
            "archived": batch.archived,
            "problems": batch.problem_count,
            "problems_file": str(write_problems(batch, options["problems"])) if batch.problem_count else None,
            "seconds": round(time.monotonic() - begun, 2),
        }


def existing(name: str) -> Path:
    path = Path(name)
    if not path.exists():
        raise Failed(f"{name} is not there", "file", file=name)
    return path


def json_file(name: str) -> Any:
    try:
        return json.loads(existing(name).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise Failed(f"{name} is no JSON file: {error}", "file", file=name) from error
