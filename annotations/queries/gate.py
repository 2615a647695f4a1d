"""The gate: what a candidate must show before it is promoted without a second thought.

The comparison of its run is judged, on products that neither model has learned from: non-inferiority of micro-F1 (the
lower end of the paired interval of the difference stays above a small margin), no facet that falls far, and no wait
for the reviewer that was not there before. An admin may promote all the same and says why; the reason is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.utils.translation import gettext as _

from annotations.models import Catalogue, ModelVersion, TrainingRun


@dataclass(frozen=True, slots=True)
class Gate:
    """What a catalogue asks of a candidate. Shares are of 1; ``latency_ms`` is the p95 of one product, warm."""

    on: bool = True
    margin: float = 0.01
    facet_drop: float = 0.02
    latency_ms: float = 100.0

    @classmethod
    def of(cls, catalogue: Catalogue) -> Gate:
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in (catalogue.gate or {}).items() if name in known})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that speaks against the candidate: ``code`` for programs (overall, facet, latency, not_compared)."""

    code: str
    message: str


def objections_to(model: ModelVersion, gate: Gate | None = None) -> list[Objection]:
    """Nothing where the gate is open for the model. Only candidates are judged: who has served may serve again."""
    gate = gate or Gate.of(model.catalogue)
    if not gate.on or model.state != ModelVersion.State.CANDIDATE:
        return []
    run = TrainingRun.objects.filter(model_version=model).only("report").first()
    labels = {facet.slug: facet.label for facet in model.catalogue.facets.all()}  # type: ignore[attr-defined]
    return judged((run.report if run else {}).get("comparison"), gate, labels)


def judged(comparison: Mapping[str, Any] | None, gate: Gate, labels: Mapping[str, str]) -> list[Objection]:
    """``comparison`` as ``ml.evaluation.compare.Comparison`` says it, with ``latency_ms`` of both sides beside it."""
    if not comparison or "overall" not in comparison:
        return [Objection("not_compared", _("It was not compared with what is in use: too few products are decided."))]
    found = []
    gain = comparison["overall"]["f1_gain"]
    if gain["low"] < -gate.margin:
        found.append(
            Objection(
                "overall",
                _("It may be worse: the difference in F1 could be %(low)+.1f points (the gate allows %(margin)+.1f).")
                % {"low": 100 * gain["low"], "margin": -100 * gate.margin},
            )
        )
    for facet in comparison.get("facets", ()):
        drop = facet["f1_gain"]["value"]
        if drop < -gate.facet_drop:
            found.append(
                Objection(
                    "facet",
                    _("%(facet)s loses %(drop).1f points of F1 (the gate allows %(most).1f).")
                    % {
                        "facet": labels.get(facet["facet"], facet["facet"]),
                        "drop": -100 * drop,
                        "most": 100 * gate.facet_drop,
                    },
                )
            )
    took = (comparison.get("latency_ms") or {}).get("candidate")
    if took is not None and took > gate.latency_ms:
        found.append(
            Objection(
                "latency",
                _("It takes %(took).0f ms for a product (the gate allows %(most).0f).")
                % {"took": took, "most": gate.latency_ms},
            )
        )
    return found
