"""Questions about what people said about products."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from annotations.models import Comment, Mention, User

SHOWN = 20


def comments_of(products: Sequence[int]) -> dict[int, list[Comment]]:
    """Comments by product, oldest first. One query."""
    found: dict[int, list[Comment]] = {}
    for comment in Comment.objects.filter(product__in=products).select_related("user").order_by("id"):
        found.setdefault(comment.product_id, []).append(comment)
    return found


def mentions_for(user: User) -> QuerySet[Mention]:
    """Where somebody named this user and has not been read yet, the latest first; only in catalogues of theirs."""
    unseen = Mention.objects.filter(user=user, seen_at=None, comment__catalogue__memberships__user=user)
    return unseen.select_related("comment__user", "comment__product", "comment__catalogue").order_by("-pk")[:SHOWN]
