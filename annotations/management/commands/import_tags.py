"""import_tags CATALOGUE FILE | import_tags CATALOGUE --from-attributes"""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.import_tags import import_tags
from annotations.actions.tag_plans import tags_from_attributes
from annotations.management.base import JsonCommand
from annotations.management.commands.import_products import existing


class Command(JsonCommand):
    help = "Facets and tags from a list (CSV, JSON ...), or from what the products' own attributes say."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("file", nargs="?", help="CSV, JSON, JSONL or YAML with facets and tags")
        source.add_argument("--from-attributes", action="store_true", help="from what the products themselves say")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        if options["from_attributes"]:
            report = tags_from_attributes(catalogue=catalogue, user=None)
        else:
            report = import_tags(catalogue=catalogue, path=existing(options["file"]), user=None)
        return asdict(report)
