"""Choosing one's own keys."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.models import User
from annotations.shortcuts import HOUSE

NAMED = ("Space", "Enter", "Backspace", "Delete", "Insert", "Home", "End")  # keys without a character that may be used


def choose_keys(*, user: User, keys: Mapping[str, str], enabled: bool) -> None:
    """Remember what this person presses instead of the house's keys (empty: the house's), and whether at all.

    Raises Refused for a key that is no key, a number (those pick tags), or one that two buttons would share.
    """
    chosen = {house: keys.get(house) or house for house in HOUSE}
    for house, key in chosen.items():
        if key not in NAMED and (len(key) != 1 or not key.isprintable() or key.isspace() or key.isdigit()):
            message = _("“%(key)s” is no key to press: one character, or one of %(named)s. Numbers pick tags.")
            raise Refused(message % {"key": key, "named": ", ".join(NAMED)}, "key", house=house)
    for house, key in chosen.items():
        if other := next((h for h, k in chosen.items() if k == key and h != house), None):
            message = _("“%(key)s” would do two things: “%(a)s” and “%(b)s”.")
            words = {"key": key, "a": HOUSE[house], "b": HOUSE[other]}
            raise Refused(message % words, "twice", house=house)
    user.keys = {house: key for house, key in chosen.items() if key != house}
    user.shortcuts_enabled = enabled
    User.objects.filter(pk=user.pk).update(keys=user.keys, shortcuts_enabled=enabled)
