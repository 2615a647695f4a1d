"""rebuild_standing_tags [--check] [--catalogue SLUG]"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.standing import rebuild
from annotations.management.base import JsonCommand
from annotations.models import Catalogue
from annotations.queries import panels
from annotations.queries.standing import differences


class Command(JsonCommand):
    help = "Compare what stands with what the decisions add up to, and write it anew where the two differ."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only compare")
        parser.add_argument("--catalogue", help="only this one")

    def answer(self, **options: Any) -> dict[str, Any]:
        chosen = [self.catalogue(options["catalogue"])] if options["catalogue"] else Catalogue.objects.order_by("slug")
        found = {}
        for catalogue in chosen:
            found[catalogue.slug] = (
                len(differences(catalogue) + panels.differences(catalogue)) if options["check"] else rebuild(catalogue=catalogue)
            )  # fmt: skip
        return {"differences": sum(found.values()), "catalogues": found, "mended": not options["check"]}
