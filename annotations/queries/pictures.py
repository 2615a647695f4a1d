"""Questions about pictures."""

from __future__ import annotations

from annotations.models import Picture, Product


def picture_of(*, user: int | None, product: int, sha256: str) -> Picture | None:
    """The picture, if this product shows it and the user is a member of its catalogue. Two queries by key."""
    shown = Product.objects.filter(pk=product, catalogue__memberships__user=user).values_list("pictures", flat=True)
    if sha256 not in (shown.first() or []):
        return None
    return Picture.objects.filter(sha256=sha256).first()
