"""What was suggested before a full model was promoted: kept as the first new suggestions come, brought back by rollback.

Copy on write: promoting copies nothing and takes a moment whatever the size of the catalogue, and a rollback half-way
through the rescoring finds whole what was overwritten, and the rest where it always was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from annotations.actions import jobs
from annotations.models import Catalogue, FormerSuggestions, Job, ModelVersion, Product, Suggestion, Tag, User

KIND = "restore"
AT_ONCE = 100  # products in a transaction


def keep(successor: int, before: Mapping[int, Iterable[Suggestion]]) -> None:
    """Of these products (primary key to the rows that stand), keep those that have not been kept for ``successor``.

    Inside the transaction that overwrites them.
    """
    known = FormerSuggestions.objects.filter(successor=successor, product__in=before).values_list("product", flat=True)
    missing = before.keys() - set(known)
    revisions = dict(Product.objects.filter(pk__in=missing).values_list("pk", "revision"))
    FormerSuggestions.objects.bulk_create(
        [
            FormerSuggestions(
                product_id=product, successor_id=successor, revision=revision,
                rows=[[s.tag_id, s.score, s.band, s.source, s.spans, s.model_version_id] for s in before[product]],
            )
            for product, revision in revisions.items()
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def request_restore(*, catalogue: Catalogue, successor: ModelVersion, user: User | None) -> Job:
    """Bring back what stood before ``successor``, as a job."""
    return jobs.enqueue(
        kind=KIND, queue="ml", catalogue=catalogue, user=user, params={"successor": successor.pk},
        coalesce_key=f"{KIND}:{successor.pk}",
    )  # fmt: skip


def left(successor: int) -> int:
    return FormerSuggestions.objects.filter(successor=successor).count()


def restore_some(catalogue: Catalogue, successor: int) -> tuple[int, int] | None:
    """The next products, in one transaction: how many have their former suggestions back, and how many changed since and
    keep what they have until the next refit. None when nothing is left, or when the successor is in use again."""
    with transaction.atomic():
        if Catalogue.objects.values_list("encoder", flat=True).get(pk=catalogue.pk) == successor:
            return None
        some = list(FormerSuggestions.objects.filter(successor=successor).order_by("pk")[:AT_ONCE])
        if not some:
            return None
        revisions = dict(Product.objects.filter(pk__in=[s.product_id for s in some]).values_list("pk", "revision"))
        same = [former for former in some if revisions.get(former.product_id) == former.revision]
        tags = set(Tag.objects.live().filter(facet__catalogue=catalogue).values_list("pk", flat=True))
        named = {row[5] for former in same for row in former.rows}
        models = set(ModelVersion.objects.filter(pk__in=named - {None}).values_list("pk", flat=True))
        Suggestion.objects.filter(product__in=[former.product_id for former in same]).delete()
        Suggestion.objects.bulk_create(
            [_row(former.product_id, row, models) for former in same for row in former.rows if row[0] in tags]
        )
        FormerSuggestions.objects.filter(pk__in=[former.pk for former in some]).delete()
    return len(same), len(some) - len(same)


def _row(product: int, kept: list[Any], models: set[int]) -> Suggestion:
    tag, score, band, source, spans, model = kept
    return Suggestion(
        product_id=product, tag_id=tag, score=score, band=band, source=source, spans=spans,
        model_version_id=model if model in models else None,
    )  # fmt: skip
