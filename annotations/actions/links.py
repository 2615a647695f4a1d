"""A link that signs somebody in once, made by whoever has the machine: a way in when the provider is away."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit
from annotations.actions.errors import Refused
from annotations.models import Event, User

SALT = "annotations.sign_in_link"
SECONDS = 30 * 60


def make(*, user: User) -> str:
    """The token of the link. It ends with its use, after half an hour, with any other sign-in, and with whatever ends
    sessions. Nothing of it is stored. Raises Refused for somebody who may not sign in."""
    if not user.is_active:
        raise Refused(_("%(name)s may not sign in") % {"name": user.username}, "inactive_user")
    audit.record(word=Event.SIGN_IN_LINK_MADE, target=user.username)
    return signing.dumps(_state(user), salt=SALT)


def whose(token: str) -> User | None:
    try:
        said = signing.loads(token, salt=SALT, max_age=SECONDS)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=said["user"], is_active=True).first()
    return user if user is not None and _state(user) == said else None


def use(token: str) -> bool:
    """Whether it was this caller who used it up: one guarded UPDATE decides between two."""
    user = whose(token)
    if user is None:
        return False
    same = User.objects.filter(pk=user.pk, last_login=user.last_login)
    return bool(same.update(last_login=timezone.now()))


def _state(user: User) -> dict[str, Any]:
    """What changes with a sign-in and with the end of sessions."""
    last = user.last_login.isoformat() if user.last_login else ""
    return {"user": user.pk, "last": last, "hash": user.get_session_auth_hash()[:16]}
