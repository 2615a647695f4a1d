"""The large language model that a catalogue may ask, and each of its answers with what it cost."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from annotations.models.catalogue import Catalogue, Product


class LanguageModel(models.Model):
    """Where a catalogue's language model is asked, and on what terms.

    ``endpoint`` is what comes before ``/chat/completions`` (OpenAI-compatible: vLLM, Ollama, a cloud). ``sealed_key``
    is the key as ``tagstudio.sealed`` keeps it; nothing shows it again. Prices are per million tokens, in ``currency``;
    ``budget`` is the most that answers may cost in a calendar month, none: no limit.
    """

    catalogue = models.OneToOneField(Catalogue, models.CASCADE, related_name="language_model")
    endpoint = models.CharField(max_length=300)
    name = models.CharField(max_length=200)
    sealed_key = models.TextField(blank=True)
    price_in = models.FloatField(default=0.0, validators=[MinValueValidator(0.0)])
    price_out = models.FloatField(default=0.0, validators=[MinValueValidator(0.0)])
    currency = models.CharField(max_length=3, default="USD")
    budget = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.0)])
    shots = models.PositiveSmallIntegerField(default=4, validators=[MaxValueValidator(20)])
    at_once = models.PositiveSmallIntegerField(default=2, validators=[MinValueValidator(1), MaxValueValidator(16)])
    seconds = models.PositiveSmallIntegerField(default=60, validators=[MinValueValidator(1), MaxValueValidator(600)])
    answer_tokens = models.PositiveIntegerField(
        default=600, validators=[MinValueValidator(16), MaxValueValidator(8192)]
    )
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.name} at {self.endpoint}"

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """In ``currency``."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


class LanguageModelAnswer(models.Model):
    """One question about one product: the tags that were claimed, what was dropped, and the price.

    ``tags`` are primary keys of tags that had been offered; ``unknown`` counts what else was named. With a ``problem``
    the answer said nothing, but may have cost something. ``estimated``: the server did not count tokens, we did.
    """

    class Problem(models.TextChoices):
        NONE = "", "none"
        UNREADABLE = "unreadable", "unreadable"  # no JSON object in it
        FAILED = "failed", "failed"  # no answer after several tries

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="language_model_answers")
    product = models.ForeignKey(Product, models.CASCADE, related_name="language_model_answers")
    job = models.ForeignKey("annotations.Job", models.SET_NULL, null=True, blank=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    model = models.CharField(max_length=200)
    product_revision = models.PositiveIntegerField(default=0)
    taxonomy_revision = models.PositiveIntegerField(default=0)
    tags = models.JSONField(default=list)
    unknown = models.PositiveIntegerField(default=0)
    masked = models.PositiveIntegerField(default=0, help_text="characters of personal data that were not sent")
    problem = models.CharField(max_length=12, choices=Problem, blank=True)
    tries = models.PositiveSmallIntegerField(default=1)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    estimated = models.BooleanField(default=False)
    cost = models.FloatField(default=0.0)
    seconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["catalogue", "created_at"], name="answers_of_a_month"),
            models.Index(fields=["job"], name="answers_of_a_run"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.model}"
