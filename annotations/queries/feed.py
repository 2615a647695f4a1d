"""What leaves the house: changes in commit order, and what stood as of a sequence number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from annotations.formats.exporting import ExportRow, ExportTag
from annotations.models import Catalogue, Change, Product
from annotations.models.taxonomy import in_language
from annotations.queries.taxonomy_changes import events

PRODUCTS_AT_ONCE = 500
MOST = 1000  # lines of the feed in one answer


def changes(catalogue: Catalogue, after: int = 0, limit: int = MOST) -> list[dict[str, Any]]:
    """Up to ``limit`` changes with ``seq`` above ``after``, in commit order: of what stands of products, and of the
    taxonomy (these have an ``event``, and no product). A bounded number of queries.

    A reader that goes on from the last ``seq`` it has seen misses nothing and sees nothing twice: numbers are given
    out under the lock of the catalogue's counter, which is held until the commit, so no lower number appears later.
    """
    rows = (
        Change.objects.filter(catalogue=catalogue, seq__gt=after)
        .select_related("product", "facet", "tag", "decision", "decision__reviewer", "decision__model_version")
        .only(
            "seq", "state", "product__external_id", "facet__slug", "tag__slug", "decision__score_shown",
            "decision__source", "decision__decided_at", "decision__reviewer__username",
            "decision__model_version__tier", "decision__model_version__number",
        )
        .order_by("seq")[:limit]
    )  # fmt: skip
    told = sorted([*map(line, rows), *events(catalogue, after, limit)], key=lambda change: change["seq"])
    return told[:limit]


def all_changes(catalogue: Catalogue, after: int = 0) -> Iterator[dict[str, Any]]:
    """Every change above ``after`` that is committed when the reading begins, in bounded memory."""
    end = Catalogue.objects.values_list("seq", flat=True).get(pk=catalogue.pk)
    while part := changes(catalogue, after):
        for change in part:
            if change["seq"] > end:
                return
            yield change
        after = part[-1]["seq"]


def line(change: Change) -> dict[str, Any]:
    """A change as programs read it: ids of the shop, slugs, and who or what decided."""
    decision = change.decision
    return {
        "seq": change.seq,
        "product": change.product.external_id,
        "facet": change.facet.slug,
        "tag": change.tag.slug,
        "state": change.state,
        "score": decision.score_shown,
        "source": decision.source,
        "model_version": decision.model_version.name if decision.model_version else None,
        "decided_by": decision.reviewer.get_username(),
        "decided_at": decision.decided_at.isoformat(),
    }


def last_seq(catalogue: Catalogue) -> int:
    """The last number given out and committed: everything up to it can be read."""
    seq: int = Catalogue.objects.values_list("seq", flat=True).get(pk=catalogue.pk)
    return seq


def products_as_of(catalogue: Catalogue, as_of: int) -> int:
    """How many products ``rows_as_of`` gives at most: those that any change up to ``as_of`` is about."""
    return _changed(catalogue, as_of).count()


def rows_as_of(catalogue: Catalogue, as_of: int) -> Iterator[ExportRow]:
    """What stood when change ``as_of`` was committed, a row per product that had a standing tag, by external id.

    The changes up to a number never change, so the tags are the same whenever this is asked. Texts are the products'
    present ones (rows are not versioned), and a product that was archived since is still told of, so that the rows
    and the replayed feed agree. Memory holds PRODUCTS_AT_ONCE products; cost grows with the changes, not with
    their square.
    """
    after = ""
    while True:
        products = list(
            _changed(catalogue, as_of).filter(external_id__gt=after).order_by("external_id")[:PRODUCTS_AT_ONCE]
        )
        if not products:
            return
        standing = _standing(products, as_of, catalogue.language)
        for product in products:
            if tags := standing.get(product.pk):
                yield ExportRow(
                    product_id=product.external_id,
                    title=product.title,
                    description=product.description,
                    category=product.category,
                    language=product.language,
                    family=product.family,
                    tags=tags,
                    source=product.attributes,
                )
        after = products[-1].external_id


def _changed(catalogue: Catalogue, as_of: int) -> QuerySet[Product]:
    told = Change.objects.filter(product=OuterRef("pk"), seq__lte=as_of)
    return Product.objects.filter(Exists(told), catalogue=catalogue)


def _standing(products: Sequence[Product], as_of: int, language: str) -> dict[int, dict[str, list[ExportTag]]]:
    """Product id to facet slug to its tags, by the last change of each tag up to ``as_of``. One query."""
    last: dict[tuple[int, int], Change] = {}
    told = (
        Change.objects.filter(product__in=products, seq__lte=as_of)
        .select_related("facet", "tag", "decision__reviewer", "decision__model_version")
        .order_by("seq")
    )
    for change in told:
        last[change.product_id, change.tag_id] = change
    found: dict[int, dict[str, list[ExportTag]]] = {}
    for (product, _tag), change in sorted(last.items(), key=lambda pair: (pair[1].facet.slug, pair[1].tag.slug)):
        if change.state != Change.State.REMOVED:
            found.setdefault(product, {}).setdefault(change.facet.slug, []).append(_told(change, language))
    return found


def _told(change: Change, language: str) -> ExportTag:
    decision = change.decision
    return ExportTag(
        slug=change.tag.slug,
        label=in_language(change.tag.labels, change.tag.slug, language),
        state=change.state,
        score=decision.score_shown,
        source=decision.source,
        model_version=decision.model_version.name if decision.model_version else "",
        decided_by=decision.reviewer.get_username(),
        decided_at=decision.decided_at.isoformat(),
    )
