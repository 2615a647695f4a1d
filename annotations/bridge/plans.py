"""Plans of the full tier: checked, and told field by field for whoever shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, cast

from annotations.actions.errors import Refused
from ml.training.plan import PRESETS, Plan, PlanError
from ml.training.plan_fields import SECTION_OF


@dataclass(frozen=True, slots=True)
class PlanField:
    """A field of a plan: the section it lies in, its default (whose type is its own), and what it may be. ``choices``
    are all there are, ``known`` are some; ``low`` and ``high`` are None where there is no limit."""

    name: str
    section: str
    default: str | int | float
    choices: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@lru_cache(maxsize=1)
def plan_fields() -> tuple[PlanField, ...]:
    """All of them, in the order of a plan."""
    said = ((spec, spec.metadata) for spec in fields(Plan))
    return tuple(
        PlanField(
            name=spec.name, section=SECTION_OF[spec.name], default=cast("str | int | float", spec.default),
            choices=tuple(told.get("choices", ())), known=tuple(told.get("known", ())), low=told.get("low"),
            high=told.get("high"),
        )
        for spec, told in said
    )  # fmt: skip


def plan_without(preset: str) -> dict[str, Any]:
    """Every field as it is where nothing but the preset is said (none: the defaults); not checked."""
    return {spec.name: spec.default for spec in plan_fields()} | dict(PRESETS.get(preset, {}))


def checked_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan with every field filled in. Raises Refused, ``fields`` naming those that cannot be followed."""
    try:
        return Plan.from_json(plan).to_json()
    except PlanError as error:
        raise Refused(str(error), "plan", fields=list(error.names)) from error
