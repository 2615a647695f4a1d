"""People and their keys: make them, give them roles, and end what they hold when something about them changes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit
from annotations.actions.errors import Conflict, NotFound, Refused
from annotations.models import ApiToken, Catalogue, Event, Membership, Role, User

TOKEN_DAYS = 365
TOKEN_DAYS_MOST = 5 * 365
USED_EVERY = timedelta(minutes=1)  # how finely we note when a token was used


@dataclass(frozen=True, slots=True)
class NewToken:
    """``secret`` is known only here and now."""

    token: ApiToken
    secret: str


def digest(secret: str) -> str:
    """What we keep of a token. It has 256 random bits, so a plain sha256 can be neither guessed nor reversed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def random_password() -> str:
    return secrets.token_urlsafe(12)


def create_user(
    *,
    username: str,
    password: str | None,
    catalogue: Catalogue | None = None,
    role: str = "",
    email: str = "",
    by: User | None = None,
) -> User:
    """Somebody new, with a role when a catalogue is given. Without a password they come in through the provider alone.

    Raises Conflict on a taken name, Refused on a weak password.
    """
    user = User(username=username, email=email)
    try:
        user.clean_fields(exclude=["password"])
        if password is not None:
            validate_password(password, user)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), "invalid_user") from None
    if User.objects.filter(username__iexact=username).exists():
        raise _name_taken(username)
    if email and settings.OIDC_ISSUER and User.objects.filter(email__iexact=email).exists():
        # by it people are known who come through the provider: of two accounts it would be neither's
        raise Conflict(_("there is an account with this e-mail address already"), "email_exists")
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            audit.record(word=Event.USER_CREATED, catalogue=catalogue, user=by, target=username)
            if catalogue is not None:
                set_role(user=user, catalogue=catalogue, role=role, by=by)
    except IntegrityError:
        raise _name_taken(username) from None
    return user


def set_role(
    *, user: User, catalogue: Catalogue, role: str, by: User | None = None, from_groups: bool = False
) -> Membership:
    """Give somebody a role in a catalogue. A changed role ends their sessions and tokens, a first one does not.

    ``from_groups``: the identity provider's groups say so, and may say otherwise; what a person gave by hand stays.
    Raises Refused when the catalogue would be left without an admin.
    """
    if role not in Role.values:
        raise Refused(_("“%(role)s” is no role") % {"role": role}, "role", known=Role.values)
    with transaction.atomic():
        _lock_members(catalogue)
        old = Membership.objects.filter(user=user, catalogue=catalogue).first()
        if old is None:
            membership = Membership.objects.create(user=user, catalogue=catalogue, role=role, from_groups=from_groups)
            audit.record(
                word=Event.MEMBER_ADDED, catalogue=catalogue, user=by, target=user.username,
                data={"role": role, **({"from": "groups"} if from_groups else {})},
            )  # fmt: skip
            return membership
        if old.role == role:
            if old.from_groups != from_groups:
                old.from_groups = from_groups
                old.save(update_fields=["from_groups"])
            return old
        _keep_an_admin(catalogue, old)
        was, old.role, old.from_groups = old.role, role, from_groups
        old.save(update_fields=["role", "from_groups"])
        end_access(user=user)
        audit.record(
            word=Event.MEMBER_CHANGED, catalogue=catalogue, user=by, target=user.username,
            data={"role": role, "was": was},
        )  # fmt: skip
    return old


def remove_member(*, user: User, catalogue: Catalogue, by: User | None = None) -> None:
    """Raises NotFound for a stranger, Refused when the catalogue would be left without an admin."""
    with transaction.atomic():
        _lock_members(catalogue)
        membership = Membership.objects.filter(user=user, catalogue=catalogue).first()
        if membership is None:
            raise NotFound(_("%(name)s is no member") % {"name": user.username}, "no_member")
        _keep_an_admin(catalogue, membership)
        membership.delete()
        end_access(user=user)
        audit.record(word=Event.MEMBER_REMOVED, catalogue=catalogue, user=by, target=user.username)


def set_password(*, user: User, password: str, by: User | None = None) -> None:
    """Ends every session and token of theirs. Raises Refused on a weak password."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), "weak_password") from None
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        end_access(user=user)
        audit.record(word=Event.PASSWORD_CHANGED, user=by or user, target=user.username)


def set_active(*, user: User, active: bool, by: User | None = None) -> None:
    """Let somebody in or keep them out; what they held does not come back with them."""
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, is_active=not active).update(is_active=active):
            return
        user.is_active = active
        end_access(user=user)
        audit.record(word=Event.USER_ENABLED if active else Event.USER_DISABLED, user=by, target=user.username)


def end_access(*, user: User) -> None:
    """End every session and token."""
    end_sessions(user=user)
    ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def end_sessions(*, user: User) -> None:
    """A session carries the epoch it began in (``User.session_epoch``)."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])


def create_token(
    *, user: User, scopes: Sequence[str], name: str = "", days: int = TOKEN_DAYS, by: User | None = None
) -> NewToken:
    """A key for a program. Only its sha256 is kept: show ``secret`` now or never."""
    wanted = list(dict.fromkeys(scopes))
    if not wanted or not set(wanted) <= set(ApiToken.SCOPES):
        raise Refused(
            _("choose from these scopes: %(known)s") % {"known": ", ".join(ApiToken.SCOPES)}, "scopes",
            known=list(ApiToken.SCOPES),
        )  # fmt: skip
    if not 1 <= days <= TOKEN_DAYS_MOST:
        raise Refused(_("a token lives from 1 to %(most)s days") % {"most": TOKEN_DAYS_MOST}, "days")
    if not user.is_active:
        raise Refused(_("%(name)s may not sign in") % {"name": user.username}, "inactive_user")
    secret = f"ts_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user, name=name[:100], digest=digest(secret), prefix=secret[:8], scopes=wanted,
            expires_at=timezone.now() + timedelta(days=days),
        )  # fmt: skip
        audit.record(
            word=Event.TOKEN_CREATED, user=by or user, target=user.username,
            data={"prefix": token.prefix, "scopes": wanted},
        )  # fmt: skip
    return NewToken(token, secret)


def revoke_token(*, token: ApiToken, by: User | None = None) -> None:
    """Takes effect with the next request. Revoking twice is revoking once."""
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(
                word=Event.TOKEN_REVOKED, user=by or token.user, target=token.user.username,
                data={"prefix": token.prefix},
            )  # fmt: skip


def note_use(*, token: ApiToken) -> None:
    """Remember that the token was used, at most once a minute, so that reading does not mean writing."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        ApiToken.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY), pk=token.pk).update(
            last_used_at=now
        )


def _lock_members(catalogue: Catalogue) -> None:
    """Two admins who each demote the other wait for each other here (on SQLite the whole transaction does)."""
    Catalogue.objects.select_for_update().get(pk=catalogue.pk)


def _keep_an_admin(catalogue: Catalogue, leaving: Membership) -> None:
    if leaving.role != Role.ADMIN:
        return
    others = Membership.objects.filter(catalogue=catalogue, role=Role.ADMIN, user__is_active=True)
    if not others.exclude(pk=leaving.pk).exists():
        raise Refused(_("the catalogue needs an admin: make somebody else one first"), "last_admin")


def _name_taken(username: str) -> Conflict:
    return Conflict(_("there is a user “%(name)s” already") % {"name": username}, "user_exists", user=username)
