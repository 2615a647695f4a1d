"""What a catalogue has cleaned and checked: every step by name, which are switched on, and an example of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotations.formats.checks import CHECKS
from annotations.formats.clean import STEPS

SHARED = "boilerplate"
"""Not a step from text to text: it needs to know what other products say."""
VALUES = "value-entities"
"""Entities in the values of attributes that come as an object. Off where nobody asks for it: such values are names that
another program gives, and stay as it writes them (docs/decisions/0027-names-of-another-program.md)."""
OFF_AT_FIRST = (VALUES,)

EXAMPLES: dict[str, tuple[str, str]] = {
    "mojibake": ("fÃ¼r MÃ¤nner", "für Männer"),
    "control": ("Wool\x02coat", "Woolcoat"),
    "zero-width": ("Mer\u00adino \u200bwool", "Merino wool"),
    "html": ("<p>Pure <b>wool</b></p>", "Pure wool"),
    "entities": ("Lycra&reg; &amp; co", "Lycra® & co"),
    "compatibility": ("ＡＢ１２ ﬁne", "AB12 fine"),
    "space": ("two  spaces ", "two spaces"),
    VALUES: ('{"fabric": ["Lycra&reg;"]}', '{"fabric": ["Lycra®"]}'),
}
"""A text before and after each step that works on text alone."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """``steps`` and ``checks`` that are taken, in their order; ``shared``: lines to drop, by supplier; ``values``:
    entities are resolved in the values of an object of attributes."""

    steps: tuple[str, ...] = tuple(STEPS)
    checks: tuple[str, ...] = tuple(CHECKS)
    shared: Mapping[str, frozenset[str]] = field(default_factory=dict)
    values: bool = False

    @classmethod
    def without(cls, off: Collection[str], shared: Mapping[str, Collection[str]] | None = None) -> Cleaning:
        """Everything but what is switched off."""
        dropped = {} if SHARED in off else {name: frozenset(lines) for name, lines in (shared or {}).items()}
        steps, checks = tuple(s for s in STEPS if s not in off), tuple(c for c in CHECKS if c not in off)
        return cls(steps, checks, dropped, VALUES not in off)

    def to_json(self) -> dict[str, Any]:
        shared = {name: sorted(lines) for name, lines in self.shared.items()}
        return {"steps": list(self.steps), "checks": list(self.checks), "shared": shared, "values": self.values}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Cleaning:
        shared = {name: frozenset(lines) for name, lines in data["shared"].items()}
        return cls(tuple(data["steps"]), tuple(data["checks"]), shared, bool(data["values"]))


NAMES = (*STEPS, VALUES, SHARED, *CHECKS)
"""All that can be switched."""
