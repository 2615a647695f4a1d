"""What the language model was asked, what it cost, how often people agreed with it, and what it is asked next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, Sum
from django.utils import timezone

from annotations.models import (
    Catalogue,
    Decision,
    Facet,
    Job,
    LanguageModel,
    LanguageModelAnswer,
    Product,
    QueueItem,
    Suggestion,
    Verdict,
)

KIND = "ask_model"
RUNS = 10
TRUSTED_AT_FIRST = (2, 4)  # right answers of answers before anybody has judged one: a score of one half


def language_model_of(catalogue: Catalogue) -> LanguageModel | None:
    return LanguageModel.objects.filter(catalogue=catalogue).first()


def month_begins(now: datetime | None = None) -> datetime:
    return timezone.localtime(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def spent(catalogue: Catalogue) -> float:
    """What the answers of this calendar month cost."""
    rows = LanguageModelAnswer.objects.filter(catalogue=catalogue, created_at__gte=month_begins())
    return float(rows.aggregate(cost=Sum("cost"))["cost"] or 0.0)


def unasked(catalogue: Catalogue, model: LanguageModel) -> Any:
    """Queue items of products that wait, are shown with suggestions, and that this model was not asked about as they
    are now; the head of the queue first."""
    asked = LanguageModelAnswer.objects.filter(
        product=OuterRef("product"), model=model.name, problem__in=("", LanguageModelAnswer.Problem.UNREADABLE),
        product_revision=OuterRef("product__revision"), taxonomy_revision=catalogue.taxonomy_revision,
    )  # fmt: skip
    waiting = QueueItem.objects.filter(
        catalogue=catalogue, status__in=QueueItem.WAITING, blind=False, product__archived_at=None
    )
    return waiting.filter(~Exists(asked)).order_by("-priority", "product")


def next_products(catalogue: Catalogue, model: LanguageModel, count: int) -> list[int]:
    return list(unasked(catalogue, model).values_list("product", flat=True)[:count])


def products_of(catalogue: Catalogue, keys: Sequence[int]) -> dict[int, Product]:
    return Product.objects.filter(catalogue=catalogue, archived_at=None).in_bulk(keys)


def claims_of(products: Sequence[int]) -> dict[int, set[int]]:
    """Product to the tags that the latest readable answer about it claims. One query."""
    found: dict[int, set[int]] = {}
    rows = LanguageModelAnswer.objects.filter(product__in=products, problem="").order_by("pk")
    for product, tags in rows.values_list("product", "tags"):
        found[product] = set(tags)
    return found


@dataclass(frozen=True, slots=True)
class Agreement:
    """How people answered the claims of a facet that were the language model's alone, or that the model doubted."""

    facet: Facet
    accepted: int
    judged: int

    @property
    def score(self) -> float:
        """The share accepted, drawn towards one half while few are judged (Laplace's rule with a stronger prior)."""
        right, of = TRUSTED_AT_FIRST
        return (self.accepted + right) / (self.judged + of)


def agreement(catalogue: Catalogue) -> dict[int, Agreement]:
    """By facet; of decisions that still stand. Two queries."""
    judged = Decision.objects.filter(
        catalogue=catalogue, source=Suggestion.Source.LLM, blind=False, undone_by=None,
        verdict__in=(Verdict.ACCEPT, Verdict.REJECT, Verdict.ADD),
    ).exclude(input="bulk")  # fmt: skip
    rows = judged.values_list("facet").annotate(n=Count("pk"), yes=Count("pk", filter=~Q(verdict=Verdict.REJECT)))
    counts = {facet: (yes, n) for facet, n, yes in rows}
    return {f.pk: Agreement(f, *counts.get(f.pk, (0, 0))) for f in Facet.objects.live().filter(catalogue=catalogue)}


@dataclass(frozen=True, slots=True)
class Run:
    """A run in numbers, from its answers."""

    job: Job
    products: int
    tags: int
    unknown: int
    failed: int
    masked: int
    tokens_in: int
    tokens_out: int
    estimated: bool
    cost: float


def runs(catalogue: Catalogue) -> list[Run]:
    """The latest, newest first. Three queries."""
    latest = list(
        Job.objects.filter(catalogue=catalogue, kind=KIND).select_related("user").order_by("-created_at")[:RUNS]
    )
    rows = LanguageModelAnswer.objects.filter(job__in=latest).values("job").annotate(
        products=Count("pk"), dropped=Sum("unknown"), failed=Count("pk", filter=~Q(problem="")), hidden=Sum("masked"),
        tin=Sum("tokens_in"), tout=Sum("tokens_out"), guessed=Count("pk", filter=Q(estimated=True)), price=Sum("cost"),
    )  # fmt: skip
    sums = {row["job"]: row for row in rows}
    tags: dict[Any, int] = {}
    for job, found in LanguageModelAnswer.objects.filter(job__in=latest).values_list("job", "tags"):
        tags[job] = tags.get(job, 0) + len(found)
    return [
        Run(
            job, s["products"], tags.get(job.pk, 0), s["dropped"], s["failed"], s["hidden"], s["tin"], s["tout"],
            s["guessed"] > 0, s["price"],
        )
        if (s := sums.get(job.pk)) else Run(job, 0, 0, 0, 0, 0, 0, 0, False, 0.0)
        for job in latest
    ]  # fmt: skip


def in_all(catalogue: Catalogue) -> dict[str, Any]:
    """Everything that was ever asked: answers, tokens and cost."""
    rows = LanguageModelAnswer.objects.filter(catalogue=catalogue)
    found = rows.aggregate(
        answers=Count("pk"), tokens=Sum(F("tokens_in") + F("tokens_out")), cost=Sum("cost"), unknown=Sum("unknown")
    )
    return {name: value or 0 for name, value in found.items()}


@dataclass(frozen=True, slots=True)
class Terms:
    """Where the model is asked and how that stands, for whoever may know it. The key is only said to be there.

    spent: in this calendar month; left: products that wait and that it was not asked about as they are now
    """

    model: LanguageModel
    key: bool
    spent: float
    left: int
    agreement: list[Agreement]


def terms(catalogue: Catalogue) -> Terms | None:
    """None where no language model is set."""
    model = language_model_of(catalogue)
    if model is None:
        return None
    judged = [a for a in agreement(catalogue).values() if a.judged]
    return Terms(model, bool(model.sealed_key), spent(catalogue), unasked(catalogue, model).count(), judged)
