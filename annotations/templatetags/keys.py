"""Keys on buttons: each person's own, from one place."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from annotations.shortcuts import key_for

register = template.Library()


@register.simple_tag(takes_context=True)
def key(context: dict[str, Any], house: str) -> str:
    """For ``data-key``: the key as a browser names it, ``Space`` for the space bar."""
    return key_for(getattr(context.get("request"), "user", None), house)


@register.simple_tag(takes_context=True)
def kbd(context: dict[str, Any], house: str) -> SafeString:
    """The key as a cap to look at; nothing for people who switched single keys off."""
    user = getattr(context.get("request"), "user", None)
    if not getattr(user, "shortcuts_enabled", True):
        return SafeString("")
    return format_html("<kbd>{}</kbd>", shown(key_for(user, house)))


def shown(key: str) -> str:
    if key == "Space":
        return _("Space")
    return f"Shift+{key}" if len(key) == 1 and key.isupper() else key
