"""link_identity USER (--subject SUBJECT | --remove)"""

from typing import Any

from django.core.management.base import CommandParser

from annotations.actions.company import link, unlink
from annotations.management.base import Failed, JsonCommand
from tagstudio import oidc


class Command(JsonCommand):
    help = "Say who somebody is to the identity provider (OIDC_ISSUER), for those whom it does not know by a verified e-mail address."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        either = parser.add_mutually_exclusive_group(required=True)
        either.add_argument("--subject", help="the provider's own name for them: the claim sub")
        either.add_argument("--remove", action="store_true", help="they are linked no more; sessions and tokens end")

    def answer(self, **options: Any) -> dict[str, Any]:
        if not oidc.is_on():
            raise Failed("OIDC_ISSUER is not set", "no_issuer")
        user = self.user(options["user"])
        if options["remove"]:
            unlink(user=user)
            return {"user": user.username, "subject": None}
        return {"user": user.username, "subject": link(user=user, subject=options["subject"]).subject}
