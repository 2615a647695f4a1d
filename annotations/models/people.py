"""People and the keys they hold."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """Somebody who signs in. What they may do is said by their memberships, catalogue by catalogue."""

    language = models.CharField(_("language"), max_length=16, blank=True)
    shortcuts_enabled = models.BooleanField(_("single-key shortcuts"), default=True)
    keys = models.JSONField(
        default=dict, blank=True, help_text="the house's key to the one this person presses instead"
    )
    session_epoch = models.PositiveIntegerField(default=0, editable=False, help_text="raising it ends every session")

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django compares this on each request: it changes with the password and with the epoch."""
        return salted_hmac(
            "annotations.User.session", f"{self.password}:{self.session_epoch}", secret=secret, algorithm="sha256"
        ).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> ApiTokenQuerySet:
        return self.filter(revoked_at=None, expires_at__gt=timezone.now(), user__is_active=True)


class ApiToken(models.Model):
    """A program's key. Only its sha256 is kept; the token itself is shown once, when it is made."""

    SCOPES = ("review", "export", "import", "train")

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, unique=True, help_text="sha256 of the token, hexadecimal")
    prefix = models.CharField(max_length=12, help_text="the token's beginning, to recognise it by")
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.prefix}…"


class LoginAttempt(models.Model):
    """How often a name or an address failed to sign in within a window; the row is the limiter's atomic counter."""

    key = models.CharField(max_length=64, unique=True, help_text="sha256 of the name or address")
    failures = models.PositiveIntegerField(default=0)
    window_start = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.key[:8]}: {self.failures}"


class SecondStep(models.Model):
    """The secret that a person's authenticator app computes codes with; it counts once a code of it was given back."""

    user = models.OneToOneField(User, models.CASCADE, related_name="second_step")
    sealed_secret = models.TextField(help_text="base32, as tagstudio.sealed keeps it")
    last_step = models.PositiveBigIntegerField(default=0, help_text="of the code used last: none is accepted twice")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.user}: {'on' if self.confirmed_at else 'begun'}"


class RecoveryCode(models.Model):
    """Instead of a phone that is lost, once. Kept as a keyed hash: neither the database nor we can say it again."""

    user = models.ForeignKey(User, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64, help_text="HMAC-SHA256 with a key made from SECRET_KEY, hexadecimal")
    used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_recovery_code")]

    def __str__(self) -> str:
        return f"{self.user}: {'used' if self.used_at else 'unused'}"


class Identity(models.Model):
    """Who a person is to an identity provider. ``subject`` never changes there, as an e-mail address may."""

    user = models.ForeignKey(User, models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="one_person_per_subject"),
            models.UniqueConstraint(fields=["issuer", "user"], name="one_subject_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"
