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
