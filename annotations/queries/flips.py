"""Flips: decided product and tag pairs on which a run's candidate and the model in use disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from annotations.models import Catalogue, Product, Tag, TrainingRun

PAGE = 100


@dataclass(frozen=True, slots=True)
class Flip:
    """A product and tag on which the two models disagree, where people have said who is right."""

    product: Product | None
    external_id: str
    facet: str
    tag: str
    approved: bool
    candidate: bool
    current_score: float
    candidate_score: float
    right: bool


@dataclass(frozen=True, slots=True)
class FacetFlips:
    facet: str
    label: str
    wins: int
    losses: int


@dataclass(frozen=True, slots=True)
class FlipPage:
    """``total`` counts what matches; ``stored`` and ``counted`` differ where a report had more flips than it keeps."""

    rows: list[Flip]
    total: int
    number: int
    pages: int
    facets: list[FacetFlips]
    stored: int
    counted: int


def flip_page(run: TrainingRun, *, facet: str = "", kind: str = "", number: int = 1) -> FlipPage | None:
    """Flips of one facet or all, ``better``, ``worse`` or both, wrong ones first. None for a run without comparison."""
    compared = (run.report or {}).get("comparison") or {}
    if "flips" not in compared:
        return None
    labels = {f.slug: f.label for f in run.catalogue.facets.all()}  # type: ignore[attr-defined]
    every = compared["flips"]
    rows = [r for r in every if (not facet or r["facet"] == facet) and (not kind or r["right"] is (kind == "better"))]
    pages = max(1, -(-len(rows) // PAGE))
    number = min(max(1, number), pages)
    wins, losses = compared.get("wins", {}), compared.get("losses", {})
    facets = [
        FacetFlips(slug, labels.get(slug, slug), wins.get(slug, 0), losses.get(slug, 0)) for slug in {**wins, **losses}
    ]
    facets.sort(key=lambda f: (-f.losses, -f.wins, f.label))
    shown = told(run.catalogue, rows[(number - 1) * PAGE : number * PAGE], labels)
    counted = sum(wins.values()) + sum(losses.values())
    return FlipPage(shown, len(rows), number, pages, facets, len(every), counted)


def names_of(catalogue: Catalogue, rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Labels of the tags that the rows name, by (facet, tag). One query."""
    wanted = {row["tag"] for row in rows}
    tags = Tag.objects.filter(facet__catalogue=catalogue, slug__in=wanted).select_related("facet")
    return {(tag.facet.slug, tag.slug): tag.label for tag in tags}


def told(catalogue: Catalogue, rows: Sequence[dict[str, Any]], labels: dict[str, str]) -> list[Flip]:
    """The rows of a report with products and labels put in. Two queries."""
    ids = {str(row["product"]) for row in rows}
    products = {p.external_id: p for p in Product.objects.filter(catalogue=catalogue, external_id__in=ids)}
    names = names_of(catalogue, rows)
    return [
        Flip(
            product=products.get(str(row["product"])),
            external_id=str(row["product"]),
            facet=labels.get(row["facet"], row["facet"]),
            tag=names.get((row["facet"], row["tag"]), row["tag"]),
            approved=bool(row.get("approved")),
            candidate=bool(row.get("candidate")),
            current_score=float(row.get("current_score", 0.0)),
            candidate_score=float(row.get("candidate_score", 0.0)),
            right=bool(row.get("right")),
        )
        for row in rows
    ]
