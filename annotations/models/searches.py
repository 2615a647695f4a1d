"""Searches over plans: their trials, and the plans that were worth a name."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from annotations.models.catalogue import Catalogue


class PlanSearch(models.Model):
    """A request to try plans: one to vary, what to vary of it, and how.

    ``rules`` as ``ml.search.Search`` reads them. The trials are rows of ours; what is tried next is asked anew from them.
    """

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="plan_searches")
    number = models.PositiveIntegerField(help_text="counted per catalogue from 1")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    plan = models.JSONField(default=dict)
    rules = models.JSONField(default=dict)
    data_hash = models.CharField(max_length=64, blank=True)
    decision_count = models.PositiveIntegerField(default=0)
    product_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "number"], name="one_search_per_number")]

    def __str__(self) -> str:
        return f"search {self.number}"


class SearchTrial(models.Model):
    """One plan of a search. ``changes`` are proposed when a worker takes it, from the trials there are then."""

    search = models.ForeignKey(PlanSearch, models.CASCADE, related_name="trials")
    job = models.OneToOneField("annotations.Job", models.PROTECT, related_name="search_trial")
    number = models.PositiveIntegerField()
    changes = models.JSONField(null=True, blank=True)
    reports = models.JSONField(default=list, help_text="[[at, score]]: 1.5 is half-way through the second fold")
    score = models.FloatField(null=True, blank=True, help_text="mean over the folds of the best validation; 0 to 1")
    pruned = models.BooleanField(default=False)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["search", "number"], name="one_trial_per_number")]

    def __str__(self) -> str:
        return f"trial {self.number} of {self.search_id}"


class PlanPreset(models.Model):
    """A plan under a name, to be chosen where training is started."""

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="plan_presets")
    name = models.CharField(max_length=60)
    plan = models.JSONField(default=dict)
    trial = models.ForeignKey(SearchTrial, models.SET_NULL, null=True, blank=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["catalogue", "name"], name="one_preset_per_name")]

    def __str__(self) -> str:
        return self.name
