"""Who is asked first: rules by person, category and percentage, laid over what waits."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.db.models import F, IntegerField, Q, Value
from django.db.models.functions import Mod
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs
from annotations.actions.errors import Conflict, Refused
from annotations.models import AssignmentRule, Catalogue, Event, Job, Membership, QueueItem, Role, User

AT_ONCE = 1000
SLOTS = 100  # a product belongs to one of so many slots by its key, so that a percentage is the same products each time


def add_rule(*, catalogue: Catalogue, reviewer: User, category: str, percent: int, user: User) -> AssignmentRule:
    """From now on (and for what waits already, by a job) the reviewer is asked first about these products.

    Raises Refused for somebody who may not review here, a percentage outside 1 to 100, or more than 100 % of one
    category in all; Conflict where there is such a rule.
    """
    category = category.strip().strip("/")[:500]
    membership = Membership.objects.filter(catalogue=catalogue, user=reviewer).first()
    if membership is None or membership.role == Role.VIEWER or not reviewer.is_active:
        raise Refused(_("“%(name)s” may not review here") % {"name": reviewer.username}, "no_reviewer")
    if not 1 <= percent <= 100:
        raise Refused(_("a percentage is from 1 to 100"), "percent")
    with transaction.atomic():
        Catalogue.objects.select_for_update().get(pk=catalogue.pk)
        same = list(AssignmentRule.objects.filter(catalogue=catalogue, category=category))
        if any(rule.reviewer_id == reviewer.pk for rule in same):
            raise Conflict(_("there is such a rule already: remove it first"), "rule_exists")
        if sum(rule.percent for rule in same) + percent > 100:
            raise Refused(_("that would be more than all of these products"), "percent")
        rule = AssignmentRule.objects.create(catalogue=catalogue, reviewer=reviewer, category=category, percent=percent)
        data = {"category": category, "percent": percent}
        audit.record(word=Event.ASSIGNED, catalogue=catalogue, user=user, target=reviewer.username, data=data)
        request(catalogue=catalogue, user=user)
    return rule


def remove_rule(*, rule: AssignmentRule, user: User) -> None:
    """What was theirs by this rule is anybody's again at once; other rules are laid over it by a job."""
    catalogue = rule.catalogue
    with transaction.atomic():
        QueueItem.objects.filter(catalogue=catalogue, assignee=rule.reviewer).update(assignee=None)
        data = {"category": rule.category, "percent": 0}
        audit.record(word=Event.ASSIGNED, catalogue=catalogue, user=user, target=rule.reviewer.username, data=data)
        rule.delete()
        request(catalogue=catalogue, user=user)


def request(*, catalogue: Catalogue, user: User | None = None) -> Job | None:
    """A job that lays the rules over what waits; none where there are no rules."""
    if not AssignmentRule.objects.filter(catalogue=catalogue).exists():
        return None
    return jobs.enqueue(
        kind="assign", queue="io", catalogue=catalogue, user=user, coalesce_key=f"assign:{catalogue.pk}"
    )


def apply_rules(*, catalogue: Catalogue, advance: Callable[[int], None] = lambda n: None) -> int:
    """Give what waits and is nobody's to whom the rules name; returns how many products. Deeper categories first.

    Short transactions; a product that somebody holds stays as it is, and what no rule names stays anybody's.
    """
    given = 0
    rules = list(AssignmentRule.objects.filter(catalogue=catalogue).order_by("pk"))
    begun: dict[str, int] = {}
    for rule in sorted(rules, key=lambda r: (-r.category.count("/") - bool(r.category), r.pk)):
        first = begun.get(rule.category, 0)
        begun[rule.category] = first + rule.percent
        free = QueueItem.objects.filter(catalogue=catalogue, assignee=None).waiting()
        if rule.category:
            below = Q(product__category__startswith=rule.category + "/")
            free = free.filter(Q(product__category=rule.category) | below)
        # neighbouring keys are often variants of one article: the multiplier (a prime) spreads them over the slots
        slots = free.alias(slot=Mod(F("product_id") * 7919, Value(SLOTS), output_field=IntegerField())).filter(
            slot__gte=first, slot__lt=first + rule.percent
        )
        after = 0
        while pks := list(slots.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
            given += QueueItem.objects.filter(pk__in=pks, assignee=None).update(assignee=rule.reviewer_id)
            after = pks[-1]
            advance(len(pks))
    return given
