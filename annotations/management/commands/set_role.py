"""set_role USER --catalogue SLUG --role viewer|reviewer|lead|admin"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.people import set_role
from annotations.management.base import JsonCommand
from annotations.models import Role


class Command(JsonCommand):
    help = "Give an existing user a role in a catalogue. A changed role ends their sessions and tokens."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--catalogue", required=True, metavar="SLUG")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        membership = set_role(user=self.user(options["user"]), catalogue=catalogue, role=options["role"])
        return {"user": options["user"], "catalogue": catalogue.slug, "role": membership.role}
