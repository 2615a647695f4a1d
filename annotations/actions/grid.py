"""Saving a screen of the grid: one facet of many products, decided on in one gesture."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from annotations.actions.decide import APPROVES, Card, Choice, Circumstances
from annotations.actions.together import Held, Sent, Together, save_together
from annotations.models import Catalogue, Facet, Product, Tag, Verdict

ACCEPT, REJECT = "accept", "reject"


@dataclass(frozen=True, slots=True)
class Mark:
    """What was said about one tile. ``tags`` are those it asked about; ``instead`` is the right one where the tile was
    corrected; ``version`` is the product's as it was on screen."""

    product: Product
    version: int
    say: str
    tags: tuple[Tag, ...]
    instead: Tag | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GridSaved:
    """How many products were accepted, how many rejected (the corrected ones included), and which stayed out."""

    accepted: int
    rejected: int
    held: tuple[Held, ...]
    together: Together


def save_grid(
    *, catalogue: Catalogue, facet: Facet, marks: Sequence[Mark], whole: bool, by: Circumstances, nonce: uuid.UUID
) -> GridSaved:
    """Store what was said about the tiles, and nothing about any other product.

    ``whole``: the tiles asked about the facet as a whole, so that accepting one completes it; accepting a value of a
    facet that takes one does so too. What would break a rule of the taxonomy, and what changed since it was shown,
    stays out and is named. Sent again with the same ``nonce`` the stored answer comes back.
    """
    sent = [Sent(_card(mark, facet, whole, nonce), mark.version) for mark in marks]
    together = save_together(catalogue=catalogue, sent=sent, by=by, batch=uuid.uuid5(nonce, "batch"))
    accepted = {m.product.pk for m in marks if m.say == ACCEPT and not m.instead} & together.products
    return GridSaved(len(accepted), len(together.products) - len(accepted), together.held, together)


def _card(mark: Mark, facet: Facet, whole: bool, nonce: uuid.UUID) -> Card:
    def choice(tag: Tag, verdict: str, reason: str = "") -> Choice:
        return Choice(tag, verdict, uuid.uuid5(nonce, f"{mark.product.pk}:{tag.pk}:{verdict}"), reason)

    if mark.instead:
        others = [tag for tag in mark.tags if tag.pk != mark.instead.pk]
        choices = [*(choice(tag, Verdict.REJECT, mark.reason) for tag in others), choice(mark.instead, Verdict.ADD)]
    elif mark.say == ACCEPT:
        choices = [choice(tag, Verdict.ACCEPT) for tag in mark.tags]
    else:
        choices = [choice(tag, Verdict.REJECT, mark.reason) for tag in mark.tags]
    answered = any(c.verdict in APPROVES for c in choices)
    complete = answered and (whole or facet.one_value)
    return Card(mark.product, tuple(choices), (facet,) if complete else ())
