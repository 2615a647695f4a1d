"""create_user NAME [--password-stdin] --role viewer|reviewer|lead|admin --catalogue SLUG"""

import sys
from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.people import create_user, random_password
from annotations.management.base import Failed, JsonCommand
from annotations.models import Role


class Command(JsonCommand):
    help = "Make a user with a role in a catalogue. Without --password-stdin a random password is made and shown once."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--catalogue", required=True, metavar="SLUG")
        parser.add_argument("--email", default="")

    def answer(self, **options: Any) -> dict[str, Any]:
        catalogue = self.catalogue(options["catalogue"])
        given = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else ""
        if options["password_stdin"] and not given:
            raise Failed("no password came in on standard input", "no_password")
        password = given or random_password()
        user = create_user(
            username=options["name"], password=password, catalogue=catalogue, role=options["role"],
            email=options["email"],
        )  # fmt: skip
        made = {"user": user.username, "role": options["role"], "catalogue": catalogue.slug}
        return made if given else {**made, "password": password}
