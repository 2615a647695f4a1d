"""Views of the product list that somebody keeps."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from annotations.actions.errors import Refused
from annotations.models import Catalogue, SavedFilter, User

NAME_CHARS = 60
MOST = 50


def save_filter(*, catalogue: Catalogue, user: User, name: str, query: Mapping[str, str]) -> SavedFilter:
    """Keep a view under a name; a name used before now means this view. Raises Refused without a name, or filters."""
    name = " ".join(name.split())[:NAME_CHARS]
    if not name:
        raise Refused(_("a name is needed"), "no_name")
    if not query:
        raise Refused(_("filter by something first: this is the whole list"), "no_filter")
    mine = SavedFilter.objects.filter(catalogue=catalogue, user=user)
    if mine.exclude(name=name).count() >= MOST:
        raise Refused(_("you keep %(n)s views already: drop one first") % {"n": MOST}, "too_many", limit=MOST)
    return SavedFilter.objects.update_or_create(
        catalogue=catalogue, user=user, name=name, defaults={"query": dict(query)}
    )[0]


def forget_filter(*, catalogue: Catalogue, user: User, pk: int) -> bool:
    """False where the user keeps no such view."""
    return bool(SavedFilter.objects.filter(catalogue=catalogue, user=user, pk=pk).delete()[0])
