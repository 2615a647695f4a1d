"""import_products CATALOGUE FILE [--mapping FILE_OR_NAME] [--save-mapping NAME] [--attributes ...] [--images ZIP_OR_DIR] [--archive-missing] [--dry-run]"""

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.import_problems import in_words
from annotations.actions.imports import import_products, refused
from annotations.actions.reading import preview
from annotations.actions.sources import save_source
from annotations.formats.rows import FileRefused
from annotations.management.base import Failed, JsonCommand
from annotations.models import Catalogue, ImportSource
from annotations.queries.imports import mend_lines, write_problems
from annotations.queries.sources import source_named


class Command(JsonCommand):
    help = "Create and update products from a table or JSON; rows that can't be read become problems."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        parser.add_argument("file", help="CSV, TSV, XLSX, XML feed, Parquet, JSON or JSONL, plain, gzipped or zipped")
        parser.add_argument("--mapping", help="name of a source, or a JSON file: {header: target} or a whole mapping")
        parser.add_argument("--save-mapping", metavar="NAME", help="remember what the columns mean as a source")
        parser.add_argument("--preview", action="store_true", help="show how the file is read, and read no further")
        parser.add_argument("--attributes", choices=["source", "suggestions", "approved"], default=None)
        parser.add_argument("--images", help="zip or folder with the pictures that the rows name")
        parser.add_argument("--archive-missing", action="store_true", help="archive the products that the file lacks")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and change nothing")
        parser.add_argument("--problems", help="where to write the problems as CSV (default: beside the uploads)")
        parser.add_argument(
            "--to-mend", metavar="FILE", help="where to write the rows that were left out, to be mended"
        )

    @staticmethod
    def _mapping(catalogue: Catalogue, said: str) -> tuple[dict[str, Any] | None, ImportSource | None]:
        """A source of that name, else a JSON file."""
        source = source_named(catalogue, said) if said else None
        if source is not None:
            return source.mapping, source
        return (json_file(said), None) if said else (None, None)

    def answer(self, **options: Any) -> dict[str, Any]:
        begun = time.monotonic()
        catalogue = self.catalogue(options["catalogue"])
        mapping, source = self._mapping(catalogue, options["mapping"] or "")
        if options["preview"]:
            return reading_preview(catalogue=catalogue, path=existing(options["file"]), mapping=mapping)
        with self.progress("rows") as draw:
            batch = import_products(
                catalogue=catalogue,
                path=existing(options["file"]),
                mapping=mapping,
                source=source,
                attributes_as=options["attributes"] or (source.attributes_as if source else "source"),
                pictures=existing(options["images"]) if options["images"] else None,
                archive_missing=options["archive_missing"],
                dry_run=options["dry_run"],
                progress=lambda done, total, step: draw(done, total or None),
            )
        if options["save_mapping"]:
            save_source(
                catalogue=catalogue, name=options["save_mapping"], mapping=batch.mapping,
                attributes_as=batch.attributes_as, user=None,
            )  # fmt: skip
        if options["to_mend"]:
            _suffix, lines = mend_lines(batch, in_words)
            with Path(options["to_mend"]).open("w", encoding="utf-8", newline="") as stream:
                stream.writelines(lines)
        return {
            "rows": batch.rows,
            "created": batch.created,
            "updated": batch.updated,
            "unchanged": batch.unchanged,
            "archived": batch.archived,
            "set_aside": batch.set_aside,
            "problems": batch.problem_count,
            "problems_file": str(write_problems(batch, options["problems"])) if batch.problem_count else None,
            "seconds": round(time.monotonic() - begun, 2),
        }


def reading_preview(*, catalogue: Catalogue, path: Path, mapping: dict[str, Any] | None) -> dict[str, Any]:
    """What the wizard's first page shows: how the file was read, what its columns mean, its first rows."""
    try:
        seen = preview(catalogue=catalogue, path=path, mapping=mapping)
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    return {
        **{name: seen[name] for name in ("kind", "encoding", "delimiter", "about", "choices", "source", "refusal")},
        "columns": [
            {
                **{k: c[k] for k in ("header", "target", "facet", "separator", "confidence", "reason")},
                "samples": c["samples"][:3],
            }
            for c in seen["mapping"]["columns"]
        ],
        "rows": [{k: row[k] for k in ("id", "title", "category", "attributes")} for row in seen["rows"]],
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
