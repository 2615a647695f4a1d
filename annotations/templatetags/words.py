"""Words of workers for readers."""

from __future__ import annotations

from django import template

from annotations.retelling import retell

register = template.Library()
register.filter("retold", retell)
