"""What is on its way to becoming decisions: one verdict, and all that was saved about one product."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from annotations.models import Facet, Product, Tag, Verdict

APPROVES = (Verdict.ACCEPT, Verdict.ADD)


@dataclass(frozen=True, slots=True)
class Choice:
    """One verdict on one tag. ``id`` is made by whoever chose, so that sending it twice is choosing once.

    ``spans`` are words that the reviewer selected as the tag's evidence: ``{field, start, end}``.
    """

    tag: Tag
    verdict: str
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    reason: str = ""
    spans: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """What was saved about one product: the choices, and the facets that were looked at as a whole."""

    product: Product
    choices: tuple[Choice, ...] = ()
    complete: tuple[Facet, ...] = ()

    @property
    def approving(self) -> list[Tag]:
        return [choice.tag for choice in self.choices if choice.verdict in APPROVES]
