"""Names of tags in one language, as forms edit them."""

from __future__ import annotations

from django import template

from annotations.models import Tag

register = template.Library()


@register.filter
def said(tag: Tag, language: str) -> str:
    """The label in this very language; what the reader sees elsewhere where it has none."""
    return str(tag.labels.get(language) or tag.label)
