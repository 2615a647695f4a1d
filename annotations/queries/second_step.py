"""Questions about one-time codes."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from annotations.models import Membership, RecoveryCode, Role, SecondStep, User


def is_on(user: User) -> bool:
    return SecondStep.objects.filter(user=user).exclude(confirmed_at=None).exists()


def is_required(user: User) -> bool:
    """Whether SECOND_STEP_REQUIRED means this person: everybody, or who has at least that role in some catalogue."""
    least = settings.SECOND_STEP_REQUIRED
    if not least or least == "everybody":
        return bool(least)
    roles = [role for role in Role if role.rank >= Role(least).rank]
    return user.is_superuser or Membership.objects.filter(user=user, role__in=roles).exists()


def begun_by(user: User) -> SecondStep | None:
    """Theirs, whether it is on or only begun."""
    return SecondStep.objects.filter(user=user).first()


def recovery_codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def who_has_it_on(users: Iterable[User]) -> set[int]:
    """Of these people, the primary keys of those who are asked for a code. One query."""
    known = SecondStep.objects.filter(user__in=[user.pk for user in users]).exclude(confirmed_at=None)
    return set(known.values_list("user_id", flat=True))


def may_reset(admin: User, user: User) -> bool:
    """Whether the admin administers every catalogue that the person is in, which for a superuser are all: else one
    catalogue's admin would weaken another's. Whether they are an admin of the one at hand is the door's question."""
    if user.is_superuser and not admin.is_superuser:
        return False
    theirs = Membership.objects.filter(user=user).values("catalogue")
    mine = Membership.objects.filter(user=admin, role=Role.ADMIN).values("catalogue")
    return not theirs.exclude(catalogue__in=mine).exists()
