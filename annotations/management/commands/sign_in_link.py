"""sign_in_link USER [--site https://tags.example.com]"""

from typing import Any

from django.core.management.base import CommandParser
from django.urls import reverse

from annotations.actions import links
from annotations.management.base import JsonCommand


class Command(JsonCommand):
    help = "Make a link that signs somebody in once, within half an hour: a way in when the identity provider is away."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--site", default="http://127.0.0.1:8000", help="where it is served (default: %(default)s)")

    def answer(self, **options: Any) -> dict[str, Any]:
        path = reverse("login_once", args=[links.make(user=self.user(options["user"]))])
        return {"user": options["user"], "link": options["site"].rstrip("/") + path, "minutes": links.SECONDS // 60}
