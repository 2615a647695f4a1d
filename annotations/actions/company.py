"""Who somebody is that an identity provider let in: known, found by a verified address, made, or sent away."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotations.actions import audit, people
from annotations.actions.errors import Conflict, Forbidden, NotFound, Refused
from annotations.models import Catalogue, Event, Identity, Membership, Role, User
from tagstudio.oidc import groups_of, verified_email

logger = logging.getLogger(__name__)
TRIES = 100  # names beside one that is taken


def recognise(*, claims: Mapping[str, Any], address: str) -> User:
    """The user whom the provider's claims name, with the roles that its groups give.

    By the subject that was linked before; else by a verified e-mail address that exactly one account has, which is
    then linked; else, with OIDC_CREATE, somebody new. Raises Forbidden, with what to do, for everybody else.
    """
    issuer, subject = settings.OIDC_ISSUER, str(claims["sub"])
    identity = Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    try:
        user = identity.user if identity else _found(claims, issuer, subject)
        if not user.is_active:
            raise Forbidden(_("Your account here is disabled. An admin can enable it."), "inactive_user")
    except Forbidden as refusal:
        audit.record(
            word=Event.SIGN_IN_FAILED, user=identity.user if identity else None,
            data={"address": address, "issuer": issuer, "subject": subject, "why": refusal.code},
        )  # fmt: skip
        raise
    follow_groups(user=user, groups=groups_of(claims))
    return user


def link(*, user: User, subject: str, by: User | None = None) -> Identity:
    """From now on the provider's ``subject`` is this person. Raises Conflict when either is linked already."""
    try:
        with transaction.atomic():
            made = Identity.objects.create(user=user, issuer=settings.OIDC_ISSUER, subject=subject)
            audit.record(
                word=Event.IDENTITY_LINKED, user=by, target=user.username,
                data={"issuer": settings.OIDC_ISSUER, "subject": subject},
            )  # fmt: skip
            return made
    except IntegrityError:
        raise Conflict(
            _("%(name)s or this subject is linked already: take that away first") % {"name": user.username}, "linked"
        ) from None


def unlink(*, user: User, by: User | None = None) -> None:
    """Ends what they hold too. Raises NotFound when nothing is linked."""
    with transaction.atomic():
        gone = Identity.objects.filter(user=user, issuer=settings.OIDC_ISSUER).delete()[0]
        if not gone:
            raise NotFound(_("%(name)s is not linked") % {"name": user.username}, "not_linked")
        people.end_access(user=user)
        audit.record(word=Event.IDENTITY_UNLINKED, user=by, target=user.username, data={"issuer": settings.OIDC_ISSUER})


def follow_groups(*, user: User, groups: list[str]) -> None:
    """Give, change and take away the roles that OIDC_ROLES makes of groups; those given by hand stay as they are."""
    slugs = {slug for _group, slug, _role in settings.OIDC_ROLES}
    wanted: dict[str, Role] = {}
    for group, slug, role in settings.OIDC_ROLES:
        if group in groups:
            wanted[slug] = max(wanted.get(slug, Role(role)), Role(role), key=lambda role: role.rank)
    catalogues = {catalogue.slug: catalogue for catalogue in Catalogue.objects.filter(slug__in=slugs)}
    held = {m.catalogue_id: m for m in Membership.objects.filter(user=user, catalogue__in=catalogues.values())}
    for slug in sorted(slugs):
        catalogue = catalogues.get(slug)
        if catalogue is None:
            logger.warning("OIDC_ROLES names the catalogue %s, which is not there", slug)
            continue
        membership, best = held.get(catalogue.pk), wanted.get(slug)
        if membership is not None and not membership.from_groups:
            continue
        try:
            if best is not None and (membership is None or membership.role != best):
                people.set_role(user=user, catalogue=catalogue, role=best, from_groups=True)
            elif best is None and membership is not None:
                people.remove_member(user=user, catalogue=catalogue)
        except Refused as refusal:  # the last admin of a catalogue stays, whatever the groups say
            logger.warning("groups of %s in %s: %s", user.username, slug, refusal.message)


def _found(claims: Mapping[str, Any], issuer: str, subject: str) -> User:
    name, email = settings.OIDC_NAME, verified_email(claims)
    # a database may take ı for i when it ignores case: what it finds is compared once more
    near = User.objects.filter(email__iexact=email) if email else []
    known = [user for user in near if _same_address(user.email, email)]
    if len(known) > 1:
        raise Forbidden(
            _("Several accounts here have the address %(email)s. An admin must say which is yours.") % {"email": email},
            "ambiguous",
        )
    if known:
        if Identity.objects.filter(user=known[0], issuer=issuer).exists():
            # an address that a company gives to the next person is not the former one's account
            raise Forbidden(
                _("The account with the address %(email)s belongs to somebody else at %(name)s. An admin must say whose it is.")
                % {"email": email, "name": name}, "other_subject",
            )  # fmt: skip
        if known[0].is_active:
            link(user=known[0], subject=subject, by=known[0])
        return known[0]
    if settings.OIDC_CREATE:
        with transaction.atomic():
            made = _new(claims, subject, email)
            link(user=made, subject=subject, by=made)
        return made
    if claims.get("email") and not email:
        raise Forbidden(
            _("%(name)s knows you, but does not say that your e-mail address is verified, so no account here can be told to be yours. An admin must link it.")
            % {"name": name}, "unverified",
        )  # fmt: skip
    raise Forbidden(
        _("%(name)s knows you, but nobody gave you an account here. Ask an admin for one.") % {"name": name}, "unknown"
    )


def _same_address(one: str, other: str) -> bool:
    """Case counts only outside ASCII, where folding it makes different addresses one (Kelvin sign and k)."""
    return one == other or (one.isascii() and other.isascii() and one.lower() == other.lower())


def _new(claims: Mapping[str, Any], subject: str, email: str) -> User:
    """An account without password and role, under the name that the provider has for them, or one close to it."""
    wanted = [str(claims.get("preferred_username") or ""), email, email.partition("@")[0]]
    wanted.append(f"person-{hashlib.sha256(subject.encode()).hexdigest()[:10]}")
    for name in wanted:
        for n in range(1, TRIES):
            try:
                return people.create_user(username=name if n == 1 else f"{name}-{n}", password=None, email=email)
            except Conflict:
                continue
            except Refused:  # no name for us: empty, too long, other characters
                break
    raise Forbidden(_("No name is left for your account. An admin can make one."), "unknown")
