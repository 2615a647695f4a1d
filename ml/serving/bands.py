"""How sure a suggestion is, in three words a reviewer understands."""

from __future__ import annotations

from typing import Literal

Band = Literal["strong", "likely", "unsure"]
FLOOR = 0.05  # what is less likely is not suggested at all


def band(score: float, threshold: float, strong: float) -> Band:
    """``likely`` and up is checked for the reviewer; ``strong`` is hardly ever wrong; ``unsure`` is offered unchecked."""
    if score >= max(strong, threshold):
        return "strong"
    return "likely" if score >= threshold else "unsure"
