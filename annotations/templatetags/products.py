"""How pages about products write what the data holds."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def told(value: Any) -> str:
    """A value of a row as a person reads it: yes and no, names with their values, a dash for nothing."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, dict):
        return "\n".join(f"{name}: {told(inner)}" for name, inner in value.items()) or "–"
    if isinstance(value, list):
        return " · ".join(str(one)[:12] if len(str(one)) == 64 else str(one) for one in value) or "–"  # a sha256
    return "–" if value in ("", None) else str(value)
