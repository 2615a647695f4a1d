"""The keys of the review screen and of the grid: the house's, and what somebody presses instead."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotations.models import User

HOUSE: dict[str, Promise] = {
    "Enter": _("Save what is seen, next product"),
    "a": _("Accept the tag, go to the next"),
    "x": _("Reject the tag, go to the next"),
    "Space": _("Check or uncheck the tag"),
    "c": _("Correct: another tag in its place"),
    "+": _("Add a tag to the focused facet"),
    "e": _("Go round the words that speak for it"),
    "w": _("The selected words are its evidence"),
    "j": _("Next tag"),
    "k": _("Tag before"),
    "J": _("Next facet"),
    "K": _("Facet before"),
    "n": _("Next product"),
    "p": _("Product before"),
    "s": _("Skip"),
    "f": _("Flag"),
    "m": _("Comment"),
    "i": _("Next picture"),
    "v": _("Apply to the family"),
    "g": _("Grid"),
    "u": _("Undo"),
    "U": _("Redo"),
    "y": _("Keep mine"),
    "t": _("Take theirs"),
    "?": _("Keys"),
}
"""What a key does, by the key that the house gives it; numbers and arrows stay what they are."""


def key_for(user: object, house: str) -> str:
    """The key that this person presses for what the house calls ``house``."""
    own = getattr(user, "keys", None)
    return str(own.get(house, house)) if isinstance(own, dict) and isinstance(user, User) else house
