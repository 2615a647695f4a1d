"""Looking for drift, telling of it, and having seen it."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit, jobs
from annotations.actions.claims import TryAgain
from annotations.actions.errors import NotFound, Refused
from annotations.models import Catalogue, DriftAlert, Event, Job, User
from annotations.queries import drift as questions
from tagstudio import fetch

LOOK, NOTIFY = "drift", "notify"
MOST_EMAILS = 20
MOST_BYTES = 64 * 1024  # of a webhook's answer, which is thrown away
SIGNATURE = "X-TagStudio-Signature"


def request_look(*, catalogue: Catalogue, user: User | None = None) -> Job:
    return jobs.enqueue(kind=LOOK, queue="ml", catalogue=catalogue, user=user, coalesce_key=f"{LOOK}:{catalogue.pk}")


def look_when_due() -> int:
    """Ask for a look at each catalogue in which enough came since the last one."""
    some = [catalogue for catalogue in Catalogue.objects.all() if questions.due(catalogue)]
    for catalogue in some:
        request_look(catalogue=catalogue)
    return len(some)


def tell(*, catalogue: Catalogue, findings: Sequence[Any]) -> list[DriftAlert]:
    """Keep them as alerts and have people told. One that is open already is not doubled: it says what is seen now."""
    fresh = []
    with transaction.atomic():
        for one in findings:
            values = {"before": one.before, "now": one.now, "p": one.p, "families": one.families, "words": one.words}
            alert, made = DriftAlert.objects.update_or_create(
                catalogue=catalogue,
                kind=one.kind,
                facet_id=one.facet,
                supplier=one.supplier,
                seen_at=None,
                defaults=values,
            )
            fresh += [alert] if made else []
        if fresh and catalogue.alerts:
            params = {"alerts": [alert.pk for alert in fresh]}
            jobs.enqueue(kind=NOTIFY, queue="io", catalogue=catalogue, params=params)
    return fresh


def seen(*, catalogue: Catalogue, alert: int, user: User) -> None:
    """Close it; the next one of its kind is told again. Raises NotFound for what is no alert of this catalogue."""
    if not DriftAlert.objects.filter(pk=alert, catalogue=catalogue).exists():
        raise NotFound(_("There is no such alert."), "alert")
    open_ones = DriftAlert.objects.filter(pk=alert, catalogue=catalogue, seen_at=None)
    with transaction.atomic():
        if open_ones.update(seen_at=timezone.now(), seen_by=user):
            audit.record(word=Event.DRIFT_SEEN, catalogue=catalogue, user=user, target=str(alert))


def set_alerts(*, catalogue: Catalogue, user: User, emails: Sequence[str], webhook: str) -> None:
    """Who is told. A webhook gets a secret of its own, which stays while its address does.

    Raises Refused for what is no address, or one that this installation may not speak to.
    """
    emails = list(dict.fromkeys(email.strip() for email in emails if email.strip()))
    for email in emails[: MOST_EMAILS + 1]:
        try:
            validate_email(email)
        except ValidationError:
            raise Refused(_("“%(email)s” is no e-mail address.") % {"email": email[:100]}, "email") from None
    if len(emails) > MOST_EMAILS:
        raise Refused(_("At most %(n)d e-mail addresses.") % {"n": MOST_EMAILS}, "email")
    if emails and not settings.EMAIL_HOST:
        raise Refused(_("This installation sends no e-mail: EMAIL_HOST is not set."), "email")
    webhook = webhook.strip()
    if webhook:
        try:
            fetch.checked(webhook)
        except fetch.FetchRefused as error:
            raise Refused(str(error), "webhook") from error
    with transaction.atomic():
        fresh = Catalogue.objects.get(pk=catalogue.pk)
        kept = fresh.alerts.get("secret") if fresh.alerts.get("webhook") == webhook else None
        told: dict[str, Any] = {"emails": emails} if emails else {}
        if webhook:
            told |= {"webhook": webhook, "secret": kept or secrets.token_urlsafe(32)}
        if told != fresh.alerts:
            Catalogue.objects.filter(pk=catalogue.pk).update(alerts=told)
            public = {"emails": len(emails), "webhook": bool(webhook)}
            audit.record(
                word=Event.CATALOGUE_CHANGED, catalogue=catalogue, user=user, target=catalogue.slug,
                data={"changed": {"alerts": public}},
            )  # fmt: skip
    catalogue.alerts = told


def notify(*, catalogue: Catalogue, alerts: Sequence[DriftAlert]) -> dict[str, Any]:
    """Tell whom the catalogue names. Raises TryAgain where a mail server or the webhook does not take it."""
    told = catalogue.alerts
    said: dict[str, Any] = {"emails": 0, "webhook": None}
    if not alerts:
        return said
    try:
        if told.get("emails") and settings.EMAIL_HOST:
            subject = _("%(catalogue)s: what comes in has changed") % {"catalogue": catalogue.name}
            send_mail(subject, "\n".join(map(in_words, alerts)), settings.DEFAULT_FROM_EMAIL, told["emails"])
            said["emails"] = len(told["emails"])
        if told.get("webhook"):
            said["webhook"] = _call(catalogue, alerts, told["webhook"], told["secret"])
    except fetch.FetchRefused as error:
        raise Refused(str(error), "webhook") from error
    except (OSError, fetch.FetchFailed) as error:  # smtplib's and ssl's errors are among the first
        raise TryAgain(_("The alert could not be delivered (%(kind)s).") % {"kind": type(error).__name__}) from error
    return said


def _call(catalogue: Catalogue, alerts: Sequence[DriftAlert], url: str, secret: str) -> int:
    rows = [
        {
            "id": a.pk, "kind": a.kind, "facet": a.facet.slug if a.facet else None, "supplier": a.supplier or None,
            "before": a.before, "now": a.now, "p": a.p, "families": a.families, "words": a.words, "text": in_words(a),
            "told_at": a.told_at.isoformat(),
        }
        for a in alerts
    ]  # fmt: skip
    body = json.dumps({"event": "drift", "catalogue": catalogue.slug, "alerts": rows}, ensure_ascii=False).encode()
    stamp = str(int(timezone.now().timestamp()))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", SIGNATURE: f"t={stamp},sha256={signature}"}
    status = fetch.fetch(url, method="POST", body=body, headers=headers, seconds=10.0, max_bytes=MOST_BYTES).status
    if not 200 <= status < 300:
        raise TryAgain(_("The webhook answered %(status)d.") % {"status": status})
    return status


def in_words(alert: DriftAlert) -> str:
    """A line for people."""
    facet = alert.facet.label if alert.facet else ""
    about = " · ".join(part for part in (alert.supplier, facet) if part)
    text = str(alert.get_kind_display())
    if alert.before is not None:
        text = _("%(kind)s: %(before).0f %% before, %(now).0f %% now") % {
            "kind": text, "before": 100 * alert.before, "now": 100 * alert.now,
        }  # fmt: skip
    if alert.words:
        text += " (" + ", ".join(alert.words) + ")"
    return f"{about}: {text}" if about else text
