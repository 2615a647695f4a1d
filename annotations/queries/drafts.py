"""Who can write drafts, which wait for a person, and which were approved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from annotations.models import Catalogue, Draft, Job, ModelVersion, Product, TrainingRun

KIND = "drafts"
LOOKED_AT = 20
"""Models, the latest first, of which one may have learned to write."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A model that learned to write texts, and which kinds."""

    model: ModelVersion
    kinds: tuple[str, ...]


def writer(catalogue: Catalogue) -> Writer | None:
    """The promoted model if it writes, else the latest that does; None where no training has had ``generation``. One
    query."""
    runs = TrainingRun.objects.filter(catalogue=catalogue, model_version__isnull=False).select_related("model_version")
    alive = runs.exclude(model_version__state=ModelVersion.State.DISCARDED).order_by("-number")[:LOOKED_AT]
    found = [(run, kinds) for run in alive if (kinds := _kinds(run))]
    found.sort(key=lambda pair: pair[0].model_version.state != ModelVersion.State.PROMOTED)  # type: ignore[union-attr]
    return Writer(found[0][0].model_version, found[0][1]) if found else None  # type: ignore[arg-type]


def _kinds(run: TrainingRun) -> tuple[str, ...]:
    said = (run.report or {}).get("generation") or {}
    return tuple(kind for kind in Draft.Kind.values if any(name.startswith(f"{kind}_") for name in said))


def waiting(catalogue: Catalogue) -> QuerySet[Draft]:
    """Drafts that nobody has decided on, product by product."""
    drafts = Draft.objects.filter(catalogue=catalogue, state=Draft.State.PROPOSED, product__archived_at=None)
    return drafts.select_related("product", "model").order_by("product_id", "kind", "language")


def decided(catalogue: Catalogue) -> QuerySet[Draft]:
    """Approved and refused ones, the latest first."""
    drafts = Draft.objects.filter(catalogue=catalogue).exclude(state=Draft.State.PROPOSED)
    return drafts.select_related("product", "user").order_by("-decided_at", "-id")


def approved(products: Iterable[Product]) -> list[Draft]:
    """Approved texts of these products. One query."""
    drafts = Draft.objects.filter(product__in=[p.pk for p in products], state=Draft.State.APPROVED)
    return list(drafts.select_related("user").order_by("product_id", "kind", "language"))


def approved_texts(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """External id to kind to the approved text: what a generator may learn from. One query."""
    found: dict[str, dict[str, str]] = {}
    rows = Draft.objects.filter(catalogue=catalogue, state=Draft.State.APPROVED).order_by("id")
    for product, kind, text, edited in rows.values_list("product__external_id", "kind", "text", "edited"):
        found.setdefault(product, {})[kind] = edited or text
    return found


def last_writing(catalogue: Catalogue) -> Job | None:
    return Job.objects.filter(catalogue=catalogue, kind=KIND).order_by("-created_at").first()
