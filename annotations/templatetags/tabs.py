"""The header's tabs."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

register = template.Library()

PAGES = (
    ("review", _("Review")),
    ("grid", _("Grid")),
    ("products", _("Catalogue")),
    ("taxonomy", _("Taxonomy")),
    ("training", _("Training")),
    ("team", _("Team")),
    ("exports", _("Exports")),
)
NEEDS_REVIEWER = {"review", "grid"}
NEEDS_LEAD = {"team"}


@register.simple_tag(takes_context=True)
def tabs(context: dict[str, Any]) -> list[dict[str, Any]]:
    """The pages of this catalogue that this reader may open, in order."""
    found = []
    for name, label in PAGES:
        if name in NEEDS_REVIEWER and not context.get("may_review"):
            continue
        if name in NEEDS_LEAD and not context.get("may_lead"):
            continue
        try:
            url = reverse(name, args=[context["catalogue"].slug])
        except NoReverseMatch:
            continue
        found.append({"name": name, "label": label, "url": url})
    return found
