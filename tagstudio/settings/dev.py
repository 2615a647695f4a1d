"""On one's own machine: everything below TAGSTUDIO_HOME, a secret made on first use."""

from tagstudio.settings import env
from tagstudio.settings.base import *  # noqa: F403
from tagstudio.settings.base import TAGSTUDIO_HOME

SECRET_KEY = env.text("SECRET_KEY") or env.kept_secret(TAGSTUDIO_HOME / "secret_key")
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]  # http on loopback
