"""What people say to each other about a product."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from annotations.models.catalogue import Catalogue, Product


class Comment(models.Model):
    """A remark on a product, for whoever opens it next. Somebody named with @ finds it on their first page."""

    catalogue = models.ForeignKey(Catalogue, models.CASCADE, related_name="comments")
    product = models.ForeignKey(Product, models.CASCADE, related_name="comments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="comments")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text[:60]


class Mention(models.Model):
    """Somebody who was named in a comment. ``seen_at``: when they opened it."""

    comment = models.ForeignKey(Comment, models.CASCADE, related_name="mentions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="mentions")
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comment", "user"], name="one_mention_per_comment_and_person")]
        indexes = [models.Index(fields=["user"], condition=models.Q(seen_at=None), name="unseen_mentions")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.comment_id}"
