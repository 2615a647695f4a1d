"""One-time codes as the second step of signing in: set up, confirmed, asked for, renewed, switched off, reset."""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from annotations.actions import audit, people
from annotations.actions.errors import Conflict, Forbidden, NotFound, Refused
from annotations.actions.sign_in import count, forgive
from annotations.models import Event, RecoveryCode, SecondStep, User
from annotations.queries.second_step import is_on, is_required
from tagstudio import totp
from tagstudio.sealed import seal, unseal

PURPOSE = "second step"
CODES = 10
GROUPS = 4  # of four digits: 53 random bits, which an app's six-digit field on a phone can take


@dataclass(frozen=True, slots=True)
class Proven:
    """``recovery_left``: how many recovery codes are left after one was used; None when it was the app's code."""

    recovery_left: int | None = None


def begin(*, user: User) -> SecondStep:
    """The secret for the app; it counts once ``confirm`` was given a code of it. Raises Conflict when it is on."""
    with transaction.atomic():
        if is_on(user):
            raise Conflict(_("One-time codes are on already."), "second_step_on")
        SecondStep.objects.filter(user=user).delete()
        return SecondStep.objects.create(user=user, sealed_secret=seal(totp.new_secret(), PURPOSE))


def secret_of(step: SecondStep) -> str:
    """Raises Refused when it was sealed with another SECRET_KEY: nobody is let in without it."""
    secret = unseal(step.sealed_secret, PURPOSE)
    if secret is None:
        raise Refused(
            _("Your one-time codes cannot be checked any more, since this installation has another SECRET_KEY. An admin can reset them."),
            "unreadable",
        )  # fmt: skip
    return secret


def confirm(*, user: User, code: str) -> list[str]:
    """Switch it on with a code of the new secret. Sessions that began without one end; the door keeps its own.

    Returns the recovery codes, which nothing can say again. Raises Refused when the code does not fit.
    """
    step = SecondStep.objects.filter(user=user, confirmed_at=None).first()
    if step is None:
        raise Conflict(_("Begin again: this is not being set up any more."), "not_begun")
    found = totp.step_of(secret_of(step), normal(code))
    if found is None:
        raise Refused(
            _("This code does not fit. Wait for the next one, and look whether the phone's clock is right."), "code"
        )
    with transaction.atomic():
        if not SecondStep.objects.filter(pk=step.pk, confirmed_at=None).update(
            confirmed_at=timezone.now(), last_step=found
        ):
            raise Conflict(_("One-time codes are on already."), "second_step_on")
        people.end_sessions(user=user)
        audit.record(word=Event.SECOND_STEP_ON, user=user, target=user.username)
        return _new_codes(user)


def prove_code(*, user: User, code: str, address: str) -> Proven:
    """Whether the code is the app's of now, or a recovery code; either counts once, whoever else sends it meanwhile.

    Counted by the same limiter as passwords, for the person and for the address, before the code is looked at.
    Raises TooMany, or Refused with the same words whatever was wrong.
    """
    counted = count(address=address, code=str(user.pk))
    given = normal(code)
    step = SecondStep.objects.filter(user=user).exclude(confirmed_at=None).first()
    proven = None
    if step is not None and len(given) == totp.DIGITS:
        found = totp.step_of(secret_of(step), given, step.last_step)
        # the guard: of two requests with one code, whichever process they reach, one changes a row
        if found and SecondStep.objects.filter(pk=step.pk, last_step__lt=found).update(last_step=found):
            proven = Proven()
    elif step is not None and given:
        with transaction.atomic():
            unused = RecoveryCode.objects.filter(user=user, used_at=None)
            if unused.filter(digest=digest(given)).update(used_at=timezone.now()):
                proven = Proven(unused.count())
                audit.record(
                    word=Event.RECOVERY_CODE_USED, user=user, target=user.username, data={"left": proven.recovery_left}
                )
    if proven is None:
        audit.record(word=Event.SIGN_IN_FAILED, user=user, data={"address": address, "step": "code"})
        raise Refused(_("This code does not fit, or it was used already. Wait for the next one."), "code")
    forgive(counted)
    return proven


def renew_codes(*, user: User) -> list[str]:
    """New recovery codes; the former ones end. That it is the person themselves was proven at the door."""
    with transaction.atomic():
        if not is_on(user):
            raise Conflict(_("One-time codes are off."), "second_step_off")
        audit.record(word=Event.RECOVERY_CODES_RENEWED, user=user, target=user.username)
        return _new_codes(user)


def turn_off(*, user: User) -> None:
    """Sessions end, since they say that a code was given; the door keeps its own. Raises Forbidden where the
    installation wants codes of this person."""
    if is_required(user):
        raise Forbidden(_("This installation wants one-time codes of you."), "required")
    with transaction.atomic():
        if _forget(user):
            people.end_sessions(user=user)
            audit.record(word=Event.SECOND_STEP_OFF, user=user, target=user.username)


def reset(*, user: User, by: User | None = None) -> None:
    """For somebody who lost the phone and the recovery codes: their sessions end, and the password alone lets them in.

    Raises NotFound when there is nothing to reset.
    """
    with transaction.atomic():
        if not _forget(user):
            raise NotFound(_("%(name)s has no one-time codes.") % {"name": user.username}, "second_step_off")
        people.end_sessions(user=user)
        audit.record(word=Event.SECOND_STEP_RESET, user=by, target=user.username)


def normal(code: str) -> str:
    """As people write them: with spaces and hyphens, with the wide digits of a Chinese keyboard."""
    return "".join(c for c in unicodedata.normalize("NFKC", code)[:100] if c.isascii() and c.isdigit())


def digest(code: str) -> str:
    return salted_hmac("annotations.RecoveryCode", code, algorithm="sha256").hexdigest()


def _new_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = [f"{secrets.randbelow(10 ** (4 * GROUPS)):0{4 * GROUPS}}" for _n in range(CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=digest(code)) for code in codes)
    return [" ".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _forget(user: User) -> bool:
    RecoveryCode.objects.filter(user=user).delete()
    return bool(SecondStep.objects.filter(user=user).delete()[0])
