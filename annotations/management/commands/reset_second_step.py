"""reset_second_step USER"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.second_step import reset
from annotations.management.base import JsonCommand


class Command(JsonCommand):
    help = "Take away the one-time codes of somebody who lost the phone. Their sessions end; the password stays."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")

    def answer(self, **options: Any) -> dict[str, Any]:
        reset(user=self.user(options["user"]))
        return {"user": options["user"], "second_step": "off"}
