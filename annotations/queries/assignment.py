"""Who is asked first about what, and who of them does not come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Max
from django.utils import timezone

from annotations.models import AssignmentRule, Catalogue, Membership, QueueItem, Role, Turn, User
from annotations.queries import products


def absent(catalogue: Catalogue) -> list[int]:
    """Those with a rule who have left, may not review, or have decided nothing for ``absent_hours`` (counted from when
    their rule was made). What is theirs is open to all."""
    since = timezone.now() - timedelta(hours=catalogue.absent_hours)
    holders = dict(
        AssignmentRule.objects.filter(catalogue=catalogue).values_list("reviewer").annotate(made=Max("made_at"))
    )
    here = set(
        Membership.objects.filter(catalogue=catalogue, user__in=holders, user__is_active=True)
        .exclude(role=Role.VIEWER)
        .values_list("user_id", flat=True)
    )
    seen = set(
        Turn.objects.filter(catalogue=catalogue, reviewer__in=holders, decided_at__gte=since)
        .order_by()
        .values_list("reviewer_id", flat=True)
        .distinct()
    )
    return [user for user, made in holders.items() if user not in here or (user not in seen and made < since)]


@dataclass(frozen=True, slots=True)
class Share:
    """A rule, how many waiting products are its holder's now, and whether they are open to all (the holder is away)."""

    rule: AssignmentRule
    waiting: int
    away: bool


def shares(catalogue: Catalogue) -> list[Share]:
    """The rules by who and where, each with what waits for its holder (over all their rules). Four queries."""
    rules = AssignmentRule.objects.filter(catalogue=catalogue).select_related("reviewer")
    counts = dict(
        QueueItem.objects.filter(catalogue=catalogue, assignee__isnull=False)
        .waiting()
        .order_by()
        .values_list("assignee")
        .annotate(n=Count("pk"))
    )
    away = set(absent(catalogue))
    return [
        Share(rule, counts.get(rule.reviewer_id, 0), rule.reviewer_id in away)
        for rule in rules.order_by("reviewer__username", "category")
    ]


def candidates(catalogue: Catalogue) -> list[User]:
    """Members who may review, by name."""
    roles = [role for role in Role if role is not Role.VIEWER]
    here = User.objects.filter(memberships__catalogue=catalogue, memberships__role__in=roles, is_active=True)
    return list(here.order_by("username"))


def categories(catalogue: Catalogue) -> list[str]:
    """Paths to choose from; the fullest ones where there are too many."""
    return products.categories(catalogue)
