"""create_catalogue SLUG [--name N] [--languages en,zh-hans]"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.catalogues import create_catalogue
from annotations.management.base import JsonCommand


class Command(JsonCommand):
    help = "Make a catalogue: a set of products with one taxonomy and its members."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="its name in addresses, for example shoes")
        parser.add_argument("--name", default="", help="its name for people (default: the slug)")
        parser.add_argument("--languages", default="en", help="language codes joined by commas, the main one first")

    def answer(self, **options: Any) -> dict[str, Any]:
        made = create_catalogue(slug=options["slug"], name=options["name"], languages=options["languages"].split(","))
        return {"catalogue": made.slug, "name": made.name, "languages": made.languages}
