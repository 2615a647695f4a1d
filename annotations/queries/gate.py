"""The gate: what a candidate must show before it is promoted without a second thought.

The comparison of its run is judged, on products that neither model has learned from: non-inferiority of micro-F1 (the
lower end of the paired interval of the difference stays above a small margin), on those of them that were decided blind
no loss either (docs/decisions/0130), no facet that falls far, no tag that is forgotten, and no wait for the reviewer that
was not there before. An admin may promote all the same and says why; the reason is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.utils.translation import gettext as _

from annotations.models import Catalogue, ModelVersion, TrainingRun


@dataclass(frozen=True, slots=True)
class Gate:
    """What a catalogue asks of a candidate. Shares are of 1; ``latency_ms`` is the p95 of one product, warm.

    From ``blind_families`` families on, the products decided blind must show it not worse, as all of them must; with fewer
    only a loss beyond chance speaks against it.
    """

    on: bool = True
    margin: float = 0.01
    facet_drop: float = 0.02
    latency_ms: float = 100.0
    blind_families: int = 100

    @classmethod
    def of(cls, catalogue: Catalogue) -> Gate:
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in (catalogue.gate or {}).items() if name in known})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that speaks against the candidate: ``code`` for programs (overall, blind, facet, tag, latency,
    not_compared)."""

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
    found = [*_overall(comparison, gate), *_blind(comparison.get("blind"), gate)]
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
    for tag in comparison.get("regressed", ()):
        found.append(
            Objection(
                "tag",
                _("%(facet)s, %(tag)s: wrong in %(lost)d families in which it was right, right in %(won)d new ones.")
                % {
                    "facet": labels.get(tag["facet"], tag["facet"]),
                    "tag": tag["tag"],
                    "lost": tag["lost"],
                    "won": tag["won"],
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


def _overall(comparison: Mapping[str, Any], gate: Gate) -> list[Objection]:
    low = comparison["overall"]["f1_gain"]["low"]
    if low >= -gate.margin:
        return []
    words = _("It may be worse: the difference in F1 could be %(low)+.1f points (the gate allows %(margin)+.1f).")
    return [Objection("overall", words % {"low": 100 * low, "margin": -100 * gate.margin})]


def _blind(blind: Mapping[str, Any] | None, gate: Gate) -> list[Objection]:
    """The same comparison on the products that were drawn at random and decided without suggestions. What reviewers
    decided with a model's claims before their eyes, and in the order that it doubted, may flatter one like it."""
    if not blind:
        return []  # the report says that there were too few
    gain = blind["overall"]["f1_gain"]
    said = {"n": blind["products"], "low": 100 * gain["low"], "high": 100 * gain["high"], "margin": -100 * gate.margin}
    enough = blind["families"] >= gate.blind_families
    if enough and gain["low"] < -gate.margin:
        words = _(
            "On the %(n)d products decided blind it may be worse: the difference in F1 could be %(low)+.1f points (the "
            "gate allows %(margin)+.1f)."
        )
    elif not enough and gain["high"] < 0:
        words = _(
            "On the %(n)d products decided blind it is worse beyond chance: the difference in F1 is %(low)+.1f to "
            "%(high)+.1f points."
        )
    else:
        return []
    return [Objection("blind", words % said)]
