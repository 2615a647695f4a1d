"""Catalogues: make one, change what it is set to. Who works in it: people.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotations.actions import audit
from annotations.actions.errors import Conflict, Refused
from annotations.models import Catalogue, Event, Membership, Role, User

LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
SETTINGS = (
    "name",
    "languages",
    "blind_share",
    "lease_minutes",
    "reviewers",
    "reviewers_by_queue",
    "gold_share",
    "gold_threshold",
    "absent_hours",
)


def create_catalogue(
    *, slug: str, name: str = "", languages: Sequence[str] = ("en",), user: User | None = None
) -> Catalogue:
    """A catalogue; its maker, when it has one, becomes its admin. Raises Conflict when the slug is taken."""
    catalogue = Catalogue(slug=slug, name=name or slug, languages=_languages(languages))
    _check(catalogue)
    if Catalogue.objects.filter(slug=slug).exists():
        raise _taken(slug)
    try:
        with transaction.atomic():
            catalogue.save()
            if user is not None:
                Membership.objects.create(catalogue=catalogue, user=user, role=Role.ADMIN)
            audit.record(word=Event.CATALOGUE_CREATED, catalogue=catalogue, user=user, target=slug)
    except IntegrityError:
        raise _taken(slug) from None
    return catalogue


def change_settings(*, catalogue: Catalogue, user: User, **settings: Any) -> Catalogue:
    """Set ``name``, ``languages``, ``blind_share`` or ``lease_minutes``. Only what changes is written and noted."""
    if unknown := set(settings) - set(SETTINGS):
        raise Refused(_("a catalogue has no setting “%(name)s”") % {"name": min(unknown)}, "unknown_setting")
    if "languages" in settings:
        settings["languages"] = _languages(settings["languages"])
    with transaction.atomic():
        fresh = Catalogue.objects.select_for_update().get(pk=catalogue.pk)
        changed = {
            name: [getattr(fresh, name), value] for name, value in settings.items() if getattr(fresh, name) != value
        }
        for name, (_old, value) in changed.items():
            setattr(fresh, name, value)
        if changed:
            _check(fresh)
            fresh.save(update_fields=list(changed))
            audit.record(
                word=Event.CATALOGUE_CHANGED, catalogue=fresh, user=user, target=fresh.slug, data={"changed": changed}
            )
    return fresh


def _languages(codes: Sequence[str]) -> list[str]:
    kept = list(dict.fromkeys(code.strip().lower() for code in codes if code.strip()))
    bad = next((code for code in kept if not LANGUAGE.fullmatch(code)), None)
    if bad is not None or not kept:
        raise Refused(
            _("“%(code)s” is no language code: write en, zh-hans, de ...") % {"code": bad or ""},
            "language",
            language=bad,
        )
    return kept


def _check(catalogue: Catalogue) -> None:
    try:
        catalogue.clean_fields()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Refused(f"{field}: {messages[0]}", "invalid", field=field) from None


def _taken(slug: str) -> Conflict:
    return Conflict(_("there is a catalogue “%(slug)s” already") % {"slug": slug}, "catalogue_exists", slug=slug)
