"""Words that a catalogue does not want said."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotations.models.catalogue import Catalogue


class WordRule(models.Model):
    """A blocked word, or a phrase that is allowed although it holds one.

    A tag that has a blocked word among its names is suggested by nobody; where such a word comes in with a file it is
    listed. ``key`` tells two spellings of one word from two words. ``group`` names the starter list it came from.
    """

    class Kind(models.TextChoices):
        BLOCK = "block", _("blocked")
        ALLOW = "allow", _("allowed")

    class Group(models.TextChoices):
        OWN = "", _("own words")
        HEALTH = "health", _("health claims")
        PROTECTED = "protected", _("protected groups")
        ABSOLUTE = "absolute", _("superlatives")

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="word_rules")
    kind = models.CharField(max_length=5, choices=Kind)
    text = models.CharField(max_length=100)
    key = models.CharField(max_length=100)
    group = models.CharField(max_length=10, choices=Group, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "kind", "key"], name="one_word_rule_per_word")]

    def __str__(self) -> str:
        return self.text
