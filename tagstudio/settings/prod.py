"""Behind TLS. Refuses to start with what would be unsafe."""

from django.core.exceptions import ImproperlyConfigured

from tagstudio.settings import env
from tagstudio.settings.base import *  # noqa: F403
from tagstudio.settings.base import ALLOWED_HOSTS, LOGGING

SECRET_KEY = env.text("SECRET_KEY")
if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5:
    raise ImproperlyConfigured("SECRET_KEY must be set to at least 50 random characters when TAGSTUDIO_ENV=prod")
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS=* would let anybody choose our host name: list the names it is served under"
    )

SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY", False) else None
SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31_536_000, 0, 2**31)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
LOGGING["handlers"]["stderr"]["formatter"] = "json"  # type: ignore[index]
