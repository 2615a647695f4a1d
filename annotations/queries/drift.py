"""What drift is measured on, and the alerts that came of it. Numbers are ``bridge.drift``'s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, IntegerField, Sum, Value, When

from annotations.models import Catalogue, Decision, DriftAlert, Job, Product, Verdict, Voice

REMEMBERED = 3000  # products before, the newest
LEAST_NEW = 20  # products, or
LEAST_DECIDED = 100  # decisions on what was shown, before it is looked again
SHOWN = 20_000  # decisions before


@dataclass(frozen=True, slots=True)
class Marks:
    """How far the last look came: the last product and the last decision that it counted as recent."""

    product: int = 0
    seq: int = 0

    def to_json(self) -> dict[str, int]:
        return {"product": self.product, "seq": self.seq}


@dataclass(frozen=True, slots=True)
class Taken:
    """Suggestions shown for one product in one facet: how many, how many were accepted. ``seq`` of the last."""

    facet: int
    supplier: str
    family: str
    shown: int
    taken: int
    recent: bool


def last_marks(catalogue: Catalogue) -> Marks | None:
    done = Job.objects.filter(catalogue=catalogue, kind="drift", state=Job.State.DONE).order_by("-finished_at").first()
    said: dict[str, Any] = (done.result.get("marks") if done else None) or {}
    return Marks(int(said.get("product", 0)), int(said.get("seq", 0))) if said else None


def due(catalogue: Catalogue) -> bool:
    """Whether enough came since the last look."""
    marks = last_marks(catalogue)
    if marks is None:
        return Product.objects.filter(catalogue=catalogue, archived_at=None).exists()
    return enough_new(catalogue, marks) or enough_decided(catalogue, marks)


def enough_new(catalogue: Catalogue, marks: Marks) -> bool:
    fresh = Product.objects.filter(catalogue=catalogue, archived_at=None, pk__gt=marks.product)
    return len(fresh.values_list("pk", flat=True)[:LEAST_NEW]) == LEAST_NEW


def enough_decided(catalogue: Catalogue, marks: Marks) -> bool:
    return (
        len(_shown(catalogue).filter(seq__gt=marks.seq).values_list("pk", flat=True)[:LEAST_DECIDED]) == LEAST_DECIDED
    )


def _shown(catalogue: Catalogue):  # type: ignore[no-untyped-def]
    return Decision.objects.filter(
        catalogue=catalogue, voice__in=(Voice.ALONE, Voice.VOTE), undone_by=None, score_shown__isnull=False,
        verdict__in=(Verdict.ACCEPT, Verdict.REJECT),
    ).order_by()  # fmt: skip


def taken(catalogue: Catalogue, marks: Marks) -> list[Taken]:
    """By facet and product, over a bounded stretch of decisions; recent are those after the marks."""
    accepted = Case(When(verdict=Verdict.ACCEPT, then=Value(1)), default=Value(0), output_field=IntegerField())
    late = Case(When(seq__gt=marks.seq, then=Value(1)), default=Value(0), output_field=IntegerField())
    rows = (
        _shown(catalogue)
        .filter(seq__gt=catalogue.seq - SHOWN)
        .annotate(late=late)
        .values_list("facet", "late", "product", F("product__supplier"), F("product__family"))
        .annotate(n=Count("pk"), good=Sum(accepted))
    )
    return [
        Taken(facet, supplier, family or f"#{product}", n, good, bool(is_late))
        for facet, is_late, product, supplier, family, n, good in rows
    ]


def products_before(catalogue: Catalogue, marks: Marks, supplier: str | None) -> list[int]:
    """The newest of those that earlier looks have seen; of one supplier, or of all."""
    rows = Product.objects.filter(catalogue=catalogue, archived_at=None, pk__lte=marks.product)
    if supplier is not None:
        rows = rows.filter(supplier=supplier)
    return list(rows.order_by("-pk").values_list("pk", flat=True)[:REMEMBERED])


def products_since(catalogue: Catalogue, marks: Marks) -> dict[str, list[int]]:
    """By supplier; those that name none are under the empty name."""
    rows = Product.objects.filter(catalogue=catalogue, archived_at=None, pk__gt=marks.product).order_by("pk")
    found: dict[str, list[int]] = {}
    for pk, supplier in rows.values_list("pk", "supplier"):
        found.setdefault(supplier, []).append(pk)
    return found


def newest(catalogue: Catalogue) -> Marks:
    last = Product.objects.filter(catalogue=catalogue).order_by("-pk").values_list("pk", flat=True).first()
    return Marks(last or 0, Catalogue.objects.values_list("seq", flat=True).get(pk=catalogue.pk))


def open_alerts(catalogue: Catalogue) -> list[DriftAlert]:
    return list(DriftAlert.objects.filter(catalogue=catalogue, seen_at=None).select_related("facet")[:50])
