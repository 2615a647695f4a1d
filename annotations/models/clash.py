"""Where a product's text and its picture say something else."""

from __future__ import annotations

from django.db import models

from annotations.models.catalogue import Catalogue, Product


class Clash(models.Model):
    """What the promoted model says of a product by its text alone and by its picture alone, compared.

    There is a row for every product that was compared, so that none is compared twice: ``model`` and ``revision`` say
    with what and as it was when. ``gap`` is the widest of its facets, 0 where nothing clashes; ``facets`` are those that
    do, by slug: ``{gap, text: [tag, p], picture: [tag, p]}``, tags by primary key.
    """

    product = models.OneToOneField(Product, models.CASCADE, related_name="clash")
    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="clashes")
    model = models.ForeignKey("annotations.ModelVersion", models.CASCADE, related_name="+")
    revision = models.PositiveIntegerField(help_text="the product's, when it was compared")
    gap = models.FloatField(default=0.0)
    facets = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["catalogue", "-gap"], name="widest_clashes")]

    def __str__(self) -> str:
        return f"{self.product_id} {self.gap:.2f}"
