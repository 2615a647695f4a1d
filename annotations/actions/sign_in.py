"""Signing in, with a limit on guessing."""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotations.actions import audit
from annotations.actions.errors import Refused
from annotations.models import Event, LoginAttempt, User

WINDOW = timedelta(minutes=15)
TRIES = 10  # rounds of a race for a counter before giving up, which counts as too many


class TooMany(Refused):
    """``details["wait"]`` is how many seconds."""

    status = 429


def note(*, user: User, address: str, through: str = "password") -> None:
    """Write down that somebody came in, once everything that was asked of them is proven."""
    audit.record(word=Event.SIGNED_IN, user=user, data={"address": address, "through": through})


def prove(*, name: str, password: str, address: str) -> User:
    """The user, when name and password fit and they may sign in.

    An attempt is counted, for the name and for the address, before the password is looked at, so that a thousand
    requests at once get no further than one after the other. Signing in gives the counts back. Raises TooMany, or
    Refused (422) with the same words whatever was wrong.
    """
    counted = count(address=address, name=name.casefold())
    user = authenticate(username=name, password=password)
    if not isinstance(user, User):
        known = User.objects.filter(username=name).first()  # what was typed for a name may be a password: not kept
        audit.record(word=Event.SIGN_IN_FAILED, user=known, data={"address": address})
        raise Refused(_("Name and password do not fit, or this account may not sign in."), "wrong")
    forgive(counted)
    return user


def count(*, address: str, **who: str) -> list[str]:
    """Count one attempt for the address and, under its kind of name, for whoever it is. Raises TooMany.

    Returns the counters, for ``forgive``.
    """
    keys = {key_of(kind, text): settings.LOGIN_FAILURES_PER_NAME for kind, text in who.items()}
    keys[key_of("address", network_of(address))] = settings.LOGIN_FAILURES_PER_ADDRESS
    for key, most in keys.items():
        if wait := take(key, most):
            minutes = -(-wait // 60)
            raise TooMany(
                ngettext(
                    "Too many attempts. Try again in %(n)s minute.", "Too many attempts. Try again in %(n)s minutes.",
                    minutes,
                ) % {"n": minutes},
                "too_many", wait=wait,
            )  # fmt: skip
    return list(keys)


def forgive(counted: list[str]) -> None:
    """It was an honest attempt: what was counted is given back, and old counters go."""
    for key in counted:
        give_back(key)
    prune()


def take(key: str, most: int) -> int:
    """Count one attempt; 0 when it may go on, else the seconds to wait. One guarded UPDATE decides."""
    for _round in range(TRIES):
        now = timezone.now()
        row = LoginAttempt.objects.filter(key=key)
        if row.filter(window_start__gt=now - WINDOW, failures__lt=most).update(failures=F("failures") + 1):
            return 0
        if row.filter(window_start__lte=now - WINDOW).update(failures=1, window_start=now):
            return 0
        try:
            with transaction.atomic():
                LoginAttempt.objects.create(key=key, failures=1, window_start=now)
            return 0
        except IntegrityError:
            begun = row.filter(failures__gte=most).values_list("window_start", flat=True).first()
            if begun is not None and (wait := _left(begun, now)) > 0:
                return wait
    return int(WINDOW.total_seconds())


def give_back(key: str) -> None:
    """The attempt was an honest one. A name's other failures stay: a guesser may not wait for the owner to sign in."""
    LoginAttempt.objects.filter(key=key, failures__gt=0).update(failures=F("failures") - 1)


def prune() -> int:
    """Forget counters whose window is over. Returns how many."""
    return LoginAttempt.objects.filter(window_start__lte=timezone.now() - WINDOW).delete()[0]


def key_of(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode("utf-8", "surrogatepass")).hexdigest()


def network_of(address: str) -> str:
    """IPv4 addresses one by one, IPv6 by /64, which one customer has to itself; what is no address counts as one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _left(begun: datetime, now: datetime) -> int:
    return int((begun + WINDOW - now).total_seconds()) + 1 if begun + WINDOW > now else 0
