"""How far reviewers agree, and how far it is to a target: the numbers of ``ml.evaluation`` over rows of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from ml.evaluation.agreement import cohen_kappa, krippendorff_alpha
from ml.evaluation.forecast import Forecast, forecast

__all__ = ["FacetAgreement", "Forecast", "PairAgreement", "agreement", "forecast"]
Units = Sequence[Mapping[int, frozenset[int]]]


@dataclass(frozen=True, slots=True)
class FacetAgreement:
    """``alpha``: Krippendorff's with MASI; ``same``: the share of products on which all said the same."""

    facet: int
    products: int
    alpha: float | None
    same: float | None


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two reviewers: ``kappa`` is Cohen's, of whole answers, averaged over the facets by how many answers each has."""

    first: int
    second: int
    answers: int
    kappa: float | None


def agreement(units: Mapping[int, Units]) -> tuple[list[FacetAgreement], list[PairAgreement]]:
    """By facet, and by pair of reviewers who answered about the same products."""
    facets = [
        FacetAgreement(
            facet, len(some), krippendorff_alpha(some),
            sum(len(set(unit.values())) == 1 for unit in some) / len(some) if some else None,
        )
        for facet, some in units.items()
    ]  # fmt: skip
    told: dict[tuple[int, int], dict[int, list[tuple[frozenset[int], frozenset[int]]]]] = {}
    for facet, some in units.items():
        for unit in some:
            for a, b in combinations(sorted(unit), 2):
                told.setdefault((a, b), {}).setdefault(facet, []).append((unit[a], unit[b]))
    return facets, [_pair(a, b, by_facet) for (a, b), by_facet in sorted(told.items())]


def _pair(a: int, b: int, by_facet: Mapping[int, Sequence[tuple[frozenset[int], frozenset[int]]]]) -> PairAgreement:
    """Facets are compared one by one: two people who know which facet they are asked about do not agree by that."""
    total, weight = 0.0, 0
    for said in by_facet.values():
        kappa = cohen_kappa([x for x, _y in said], [y for _x, y in said])
        if kappa is not None:
            total, weight = total + kappa * len(said), weight + len(said)
    return PairAgreement(a, b, sum(len(said) for said in by_facet.values()), total / weight if weight else None)
