"""What a catalogue has cleaned and checked: every step by name, which are switched on, and an example of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotations.formats.checks import CHECKS
from annotations.formats.clean import STEPS

SHARED = "boilerplate"
"""Not a step from text to text: it needs to know what other products say."""

EXAMPLES: dict[str, tuple[str, str]] = {
    "mojibake": ("fÃ¼r MÃ¤nner", "für Männer"),
    "control": ("Wool\x02coat", "Woolcoat"),
    "zero-width": ("Mer\u00adino \u200bwool", "Merino wool"),
    "html": ("<p>Pure <b>wool</b></p>", "Pure wool"),
    "entities": ("Lycra&reg; &amp; co", "Lycra® & co"),
    "compatibility": ("ＡＢ１２ ﬁne", "AB12 fine"),
    "space": ("two  spaces ", "two spaces"),
}
"""A text before and after each step that works on text alone."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """``steps`` and ``checks`` that are taken, in their order; ``shared``: lines to drop, by supplier."""

    steps: tuple[str, ...] = tuple(STEPS)
    checks: tuple[str, ...] = tuple(CHECKS)
    shared: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def without(cls, off: Collection[str], shared: Mapping[str, Collection[str]] | None = None) -> Cleaning:
        """Everything but what is switched off."""
        dropped = {} if SHARED in off else {name: frozenset(lines) for name, lines in (shared or {}).items()}
        return cls(tuple(s for s in STEPS if s not in off), tuple(c for c in CHECKS if c not in off), dropped)

    def to_json(self) -> dict[str, Any]:
        shared = {name: sorted(lines) for name, lines in self.shared.items()}
        return {"steps": list(self.steps), "checks": list(self.checks), "shared": shared}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Cleaning:
        shared = {name: frozenset(lines) for name, lines in data["shared"].items()}
        return cls(tuple(data["steps"]), tuple(data["checks"]), shared)


NAMES = (*STEPS, SHARED, *CHECKS)
"""All that can be switched."""
