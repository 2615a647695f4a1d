"""Questions about people, their keys and their places."""

from __future__ import annotations

from django.db.models import QuerySet

from annotations.models import ApiToken, Catalogue, Membership, Role, User


def token_by_digest(digest: str) -> ApiToken | None:
    """The token if it may be used now (not revoked, not expired, its user active), with ``user`` loaded."""
    return ApiToken.objects.usable().select_related("user").filter(digest=digest).first()


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Theirs, the newest first; revoked ones are gone."""
    return ApiToken.objects.filter(user=user, revoked_at=None).order_by("-created_at")


def members_of(catalogue: Catalogue) -> list[Membership]:
    """Admins first, then by name. One query."""
    found = Membership.objects.filter(catalogue=catalogue).select_related("user")
    return sorted(found, key=lambda m: (-Role(m.role).rank, m.user.username.lower()))


def filters_of(catalogue: Catalogue, user: User) -> dict[str, str]:
    """The queue that the user worked through last; empty: the whole. One query."""
    found = Membership.objects.filter(catalogue=catalogue, user=user).values_list("filters", flat=True).first()
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def names_of_members(catalogue: Catalogue) -> list[str]:
    """Of those who can sign in, by name: who can be named in a comment. One query."""
    members = User.objects.filter(memberships__catalogue=catalogue, is_active=True).order_by("username")
    return list(members.values_list("username", flat=True))


def catalogues_of(user: User) -> QuerySet[Catalogue]:
    """Those the user is a member of, by name."""
    return Catalogue.objects.filter(memberships__user=user).order_by("name", "id")


def may_create_catalogues(user: User) -> bool:
    """Admins of some catalogue may; the first of all is made on the command line."""
    return user.is_active and (user.is_superuser or Membership.objects.filter(user=user, role=Role.ADMIN).exists())


def user_named(name: str) -> User | None:
    return User.objects.filter(username__iexact=name).first()
