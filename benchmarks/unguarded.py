"""The control of ``reviewers.py``: the web application with a lease that looks first and takes then, unguarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from tagstudio.wsgi import application  # sets Django up


def lease_unguarded(*, items: Sequence, user, catalogue) -> list:
    """What was free when it was looked at is taken, whoever has taken it since."""
    until = timezone.now() + timedelta(minutes=catalogue.lease_minutes)
    for item in items:
        type(item).objects.filter(pk=item.pk).update(lease_owner=user, lease_until=until)
        item.lease_owner, item.lease_until, item.catalogue = user, until, catalogue
    return list(items)


from annotations.actions import queue  # noqa: E402

__all__ = ["application"]
queue.lease_free = lease_unguarded
