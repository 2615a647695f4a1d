"""Who comes in by the API: a token, its scopes, and the role of its user. Whatever says nothing is shut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from annotations.actions.errors import Forbidden
from annotations.actions.people import digest, note_use
from annotations.models import ApiToken, Role, User
from annotations.queries.people import token_by_digest


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Token ts_...``. A token that is unknown, revoked, expired or whose user may not sign in is one
    and the same 401, so that trying tells nothing."""

    keyword = "Token"

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != self.keyword.lower().encode():
            return None
        if len(words) != 2:
            raise AuthenticationFailed(_("write the header as: Authorization: Token ts_..."))
        token = token_by_digest(digest(words[1].decode("latin-1")))
        if token is None:
            raise AuthenticationFailed(_("this token is not valid, or no longer"))
        note_use(token=token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return self.keyword


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "`Token ts_...`, made on the tokens page or with `create_token`. Shown once.",
        }  # fmt: skip


class DenyAll(BasePermission):
    """The default: a view that names no permission of its own lets nobody in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Needs:
    """What a method asks for: one of these scopes on the token (none: any valid token), and at least this role."""

    scopes: tuple[str, ...] = ()
    role: Role = Role.VIEWER


LOOK = Needs()
REVIEW = Needs(("review",), Role.REVIEWER)
EXPORT = Needs(("export",), Role.VIEWER)  # what one may see one may take along
SETTLE = Needs(("review",), Role.LEAD)
IMPORT = Needs(("import",), Role.LEAD)
TAXONOMY = Needs(("import",), Role.LEAD)
MANAGE = Needs(("import",), Role.ADMIN)
SUGGEST = Needs(("review", "import"), Role.REVIEWER)
TRAIN = Needs(("train",), Role.ADMIN)
LOOK_CLOSELY = Needs((), Role.LEAD)
ASK = Needs(("train",), Role.LEAD)  # what a language model is asked costs money


class ByMethod(BasePermission):
    """Asks the view's ``needs`` (method to Needs): a method that is not in it is not there. The role is asked for
    where the catalogue is known, by the view."""

    def has_permission(self, request: Request, view: Any) -> bool:
        needs: Needs | None = view.needs.get("GET" if request.method == "HEAD" else request.method)
        if not isinstance(request.auth, ApiToken):
            return False
        if needs is None:
            raise MethodNotAllowed(request.method or "")
        if needs.scopes and not set(needs.scopes) & set(request.auth.scopes):
            raise Forbidden(
                _("this token lacks the scope “%(scope)s”") % {"scope": needs.scopes[0]}, "scope",
                needs=list(needs.scopes),
            )  # fmt: skip
        return True
