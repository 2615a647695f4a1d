"""import_tags CATALOGUE FILE [--categories FILE [--branch PATH]... [--category-facet]] | --from-attributes"""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.attribute_tags import tags_from_attributes
from annotations.actions.import_tags import import_tags
from annotations.actions.starter import load_starter
from annotations.management.base import JsonCommand
from annotations.management.commands.import_products import existing


class Command(JsonCommand):
    help = "Facets and tags from a list (CSV, JSON ...), or from what the products' own attributes say."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("catalogue")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("file", nargs="?", help="CSV, JSON, JSONL or YAML with facets and tags")
        parser.add_argument("--categories", help="FILE is a published taxonomy's attributes, and this its categories")
        parser.add_argument("--branch", action="append", default=[], help="of these categories only: a path or an id")
        parser.add_argument("--language", action="append", default=[], help="default: those of the catalogue")
        parser.add_argument("--category-facet", action="store_true", help="the categories become a facet, too")
        source.add_argument("--from-attributes", action="store_true", help="from what the products themselves say")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        if options["from_attributes"]:
            report = tags_from_attributes(catalogue=catalogue, user=None)
        elif options["categories"]:
            report = load_starter(
                catalogue=catalogue, attributes=existing(options["file"]), categories=existing(options["categories"]),
                branches=options["branch"], languages=options["language"], with_categories=options["category_facet"],
            )  # fmt: skip
        else:
            report = import_tags(catalogue=catalogue, path=existing(options["file"]), user=None)
        return asdict(report)
