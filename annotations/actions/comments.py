"""Talking about a product: comments, and naming people in them."""

from __future__ import annotations

import re
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import audit
from annotations.actions.errors import Refused
from annotations.models import Comment, Event, Mention, Product, User

LONGEST = 2000  # characters
AGAIN = timedelta(minutes=10)  # the same words within this time are the same comment, sent twice
NAMED = re.compile(r"@([\w.+@-]+)")


def add_comment(*, product: Product, text: str, user: User) -> Comment:
    """Say something about a product. Members of its catalogue named with @ find it on their first page.

    Sent again within ten minutes it is the same comment. Raises Refused when it says nothing or too much.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise Refused(_("A comment has 1 to %(n)d characters.") % {"n": LONGEST}, "length")
    with transaction.atomic():
        lately = Comment.objects.filter(product=product, user=user, text=text, created_at__gt=timezone.now() - AGAIN)
        if known := lately.first():
            return known
        comment = Comment.objects.create(catalogue=product.catalogue, product=product, user=user, text=text)
        people = named_in(text, product)
        Mention.objects.bulk_create(Mention(comment=comment, user=person) for person in people if person != user)
        audit.record(
            word=Event.COMMENTED, catalogue=product.catalogue, user=user, target=product.external_id,
            data={"comment": comment.pk, "mentions": [person.get_username() for person in people]},
        )  # fmt: skip
    return comment


def named_in(text: str, product: Product) -> list[User]:
    """Members of the product's catalogue whose name stands after an @; punctuation that follows it is none of it."""
    said = {word.rstrip(".+@-").lower() for word in NAMED.findall(text)} | {w.lower() for w in NAMED.findall(text)}
    if not said:
        return []
    members = User.objects.filter(memberships__catalogue=product.catalogue_id, is_active=True).order_by("pk")
    return [member for member in members if member.get_username().lower() in said]


def see(*, mention: Mention) -> None:
    """It has been read."""
    Mention.objects.filter(pk=mention.pk, seen_at=None).update(seen_at=timezone.now())
