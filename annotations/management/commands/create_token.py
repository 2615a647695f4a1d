"""create_token USER --scopes review,export,import,train"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.people import TOKEN_DAYS, create_token
from annotations.management.base import JsonCommand
from annotations.models import ApiToken


class Command(JsonCommand):
    help = "Make an API token. It is shown once; only its sha256 is kept."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--scopes", required=True, help=f"joined by commas, from: {', '.join(ApiToken.SCOPES)}")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument("--days", type=int, default=TOKEN_DAYS, help="how long it lives (default: %(default)s)")

    def answer(self, **options: Any) -> dict[str, Any]:
        made = create_token(
            user=self.user(options["user"]),
            scopes=[scope.strip() for scope in options["scopes"].split(",") if scope.strip()],
            name=options["name"],
            days=options["days"],
        )
        return {"token": made.secret, "scopes": made.token.scopes, "expires": made.token.expires_at.isoformat()}
