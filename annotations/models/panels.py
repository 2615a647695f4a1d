"""Several reviewers: their answers, their turns, products whose answer is known, and who is asked first.

Answer and Turn are folds of the decision log, like ProductTag; GoldItem and AssignmentRule are set by a lead.
"""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from annotations.models.catalogue import Catalogue, Product
from annotations.models.review import Decision, Input, Voice
from annotations.models.taxonomy import Facet


class Answer(models.Model):
    """One reviewer's finished word on one facet of a product that several are asked about (or that is gold).

    ``tags`` are the primary keys of those they approve, sorted. ``closes``: with this answer they had looked at every
    facet that applies. Taken back with the votes it folds out of; a reviewer has one at most.
    """

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="answers")
    product = models.ForeignKey(Product, models.CASCADE, related_name="answers")
    facet = models.ForeignKey(Facet, models.PROTECT, related_name="answers")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="answers")
    voice = models.CharField(max_length=6, choices=Voice, default=Voice.VOTE)
    tags = models.JSONField(default=list)
    closes = models.BooleanField(default=False)
    decision = models.ForeignKey(Decision, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "reviewer", "facet", "voice"], name="one_answer_per_reviewer_and_facet"
            )
        ]
        indexes = [models.Index(fields=["catalogue", "voice", "facet"], name="answers_of_facet")]

    def __str__(self) -> str:
        return f"{self.product_id} {self.facet_id} {self.reviewer_id}"


class Turn(models.Model):
    """One save of one product by a person at a screen, a grid or a program: what it took and what it said.

    ``active_seconds`` is the time between being shown (or the reviewer's save before, if that was later) and being
    decided, no more than the gap cap, shared evenly by the products of one batch; None where nothing is known of it.
    ``accepted``, ``rejected`` and ``added`` count verdicts; ``counts`` is false while the save is taken back.
    """

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="turns")
    product = models.ForeignKey(Product, models.CASCADE, related_name="turns")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="turns")
    batch = models.UUIDField()
    voice = models.CharField(max_length=6, choices=Voice, default=Voice.ALONE)
    input = models.CharField(max_length=8, default=Input.KEY)
    blind = models.BooleanField(default=False)
    shown_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField()
    active_seconds = models.FloatField(null=True, blank=True)
    accepted = models.PositiveSmallIntegerField(default=0)
    rejected = models.PositiveSmallIntegerField(default=0)
    added = models.PositiveSmallIntegerField(default=0)
    counts = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "product"], name="one_turn_per_batch_and_product")]
        indexes = [
            models.Index(fields=["catalogue", "decided_at"], name="turns_by_time"),
            models.Index(fields=["catalogue", "reviewer", "-decided_at"], name="turns_of_reviewer"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.reviewer_id} {self.decided_at:%F %T}"


class GoldItem(models.Model):
    """A product whose answer a lead vouches for, mixed in among the others. ``answer``: facet id to approved tag ids."""

    product = models.OneToOneField(Product, models.CASCADE, related_name="gold")
    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="gold_items")
    answer = models.JSONField(default=dict)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.product_id}"


class AssignmentRule(models.Model):
    """Who is asked first about which products: all of a category (empty: of any), or a percentage of them."""

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="assignment_rules")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    category = models.CharField(max_length=500, blank=True, help_text="a path: products in or below it")
    percent = models.PositiveSmallIntegerField(default=100, validators=[MinValueValidator(1), MaxValueValidator(100)])
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["catalogue", "reviewer", "category"], name="one_rule_per_reviewer_and_category"
            ),
            models.CheckConstraint(condition=Q(percent__gte=1, percent__lte=100), name="percent_of_a_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer_id}: {self.category or '*'} {self.percent} %"
