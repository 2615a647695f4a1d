"""What a change of the taxonomy touches, before it is made, and which changes there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotations.models import (
    Catalogue,
    Facet,
    ProductTag,
    QueueItem,
    SplitItem,
    Suggestion,
    Tag,
    TagRequest,
    TaxonomyRevision,
)
from annotations.queries import tag_words
from annotations.queries.tag_words import folded


@dataclass(frozen=True, slots=True)
class Touches:
    """Counts. ``approved``, ``rejected``: products that the tags stand for; ``both``: those of which the target of a
    merge stands already; ``waiting``: of these products, those in the queue; ``children``: tags below."""

    approved: int
    rejected: int
    both: int
    waiting: int
    suggestions: int
    children: int
    requests: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def touches(tags: Sequence[Tag], *, into: Tag | None = None) -> Touches:
    """Seven counts, each from an index."""
    stands = ProductTag.objects.filter(tag__in=tags)
    approved = stands.filter(state=ProductTag.State.APPROVED)
    both = 0
    if into is not None:
        there = ProductTag.objects.filter(product=OuterRef("product"), tag=into, state=ProductTag.State.APPROVED)
        both = approved.filter(Exists(there)).count()
    return Touches(
        approved=approved.values("product").distinct().count(),
        rejected=stands.filter(state=ProductTag.State.REJECTED).values("product").distinct().count(),
        both=both,
        waiting=QueueItem.objects.waiting().filter(product__in=approved.values("product")).count(),
        suggestions=Suggestion.objects.filter(tag__in=tags).count(),
        children=Tag.objects.live().filter(parent__in=tags).exclude(pk__in=[t.pk for t in tags]).count(),
        requests=TagRequest.objects.filter(tag__in=tags, resolved_at=None).count(),
    )


def touches_of_facet(facet: Facet) -> Touches:
    return touches(list(Tag.objects.live().filter(facet=facet)))


def revisions(catalogue: Catalogue, before: int | None = None, limit: int = 50) -> list[TaxonomyRevision]:
    """The latest changes, newest first, each with who made it and whether it was undone."""
    found = TaxonomyRevision.objects.filter(catalogue=catalogue).select_related("user", "undoes", "undone_by", "job")
    if before is not None:
        found = found.filter(number__lt=before)
    return list(found.order_by("-number")[:limit])


def revision_numbered(catalogue: Catalogue, number: int) -> TaxonomyRevision | None:
    found = TaxonomyRevision.objects.filter(catalogue=catalogue, number=number)
    return found.select_related("catalogue", "user", "undoes", "job").first()


def split_queue(revision: TaxonomyRevision) -> QuerySet[SplitItem]:
    """Products of a split that are still to be looked at, in their order."""
    stands = ProductTag.objects.filter(
        product=OuterRef("product"), tag=OuterRef("tag"), state=ProductTag.State.APPROVED
    )
    waiting = Q(product__archived_at=None, tag__retired_at__isnull=False) & Exists(stands)  # undone: it is back
    return SplitItem.objects.filter(waiting, revision=revision).order_by("position")


def splits_under_way(catalogue: Catalogue) -> list[tuple[TaxonomyRevision, int]]:
    """Splits that were not undone and have products left, with how many."""
    found = TaxonomyRevision.objects.filter(catalogue=catalogue, word="tag split").order_by("-number")
    counted = [(revision, split_queue(revision).count()) for revision in found[:20]]
    return [(revision, left) for revision, left in counted if left]


def events(catalogue: Catalogue, after: int, limit: int) -> list[dict[str, Any]]:
    """Changes of the taxonomy as lines of the feed, in commit order. Two queries."""
    found = TaxonomyRevision.objects.filter(catalogue=catalogue, seq__gt=after).select_related("user")
    told = list(found.order_by("seq")[:limit])
    named = {
        entry["now"][name] for revision in told for entry in revision.before for name in ("parent_id", "merged_into_id")
        if entry["now"].get(name)
    }  # fmt: skip
    slugs = dict(Tag.objects.filter(pk__in=named).values_list("pk", "slug")) if named else {}
    return [_event(revision, slugs) for revision in told]


PRIVATE = ("tag_id", "into_id", "parts", "revision_id")


def _event(revision: TaxonomyRevision, slugs: dict[int, str]) -> dict[str, Any]:
    """What happened, and in ``rows`` what each facet and tag that it touched is called, where it stands and where it
    went. The keys of a change of a product are there too, and empty."""
    data = {name: value for name, value in revision.data.items() if name not in PRIVATE}
    return {
        "seq": revision.seq,
        "product": None,
        "facet": data.pop("facet", None),
        "tag": data.pop("tag", None),
        "state": None,
        "score": None,
        "source": "",
        "model_version": None,
        "decided_by": revision.user.get_username() if revision.user else "",
        "decided_at": revision.created_at.isoformat(),
        "event": revision.word,
        "revision": revision.number,
        "into": data.pop("into", None),
        "rows": [_row(entry, slugs) for entry in revision.before],
        "more": data,
    }


def _row(entry: dict[str, Any], slugs: dict[int, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"facet": entry["facet"], "tag": entry["tag"]}
    for name, value in entry["now"].items():
        if name == "retired_at":
            told["retired"] = value is not None
        elif name in ("parent_id", "merged_into_id"):
            told[name.removesuffix("_id")] = slugs.get(value) if value else None
        elif name != "not_with":
            told[name] = value
    return told


def others(tag: Tag, text: str, limit: int = 30) -> list[Tag]:
    """Tags of its facet that it may be merged into: those that the text means, else the most used ones."""
    if text:
        return tag_words.find(tag.facet.catalogue, text, facet=tag.facet, limit=limit, without=[tag.pk])
    live = Tag.objects.live().filter(facet=tag.facet_id).exclude(pk=tag.pk)
    used = live.annotate(n=Count("standing", filter=Q(standing__state=ProductTag.State.APPROVED)))
    return list(used.order_by("-n", "position", "pk")[:limit])


PRODUCTS_READ = 400
WORDS_TOLD = 12


def words_beside(tag: Tag) -> list[str]:
    """Words that many of its products' titles have and some do not: where it might be split."""
    stands = ProductTag.objects.filter(tag=tag, state=ProductTag.State.APPROVED, product__archived_at=None)
    titles = [folded(title) for title in stands.values_list("product__title", flat=True)[:PRODUCTS_READ]]
    own = {word for name in tag.words for word in folded(name).split()}
    seen: Counter[str] = Counter()
    for title in titles:
        seen.update({w for w in title.split() if len(w) > 2 and not w.isdecimal()} - own)
    least, most = max(2, len(titles) // 20), max(2, len(titles) * 2 // 3)
    return [word for word, n in seen.most_common(200) if least <= n <= most][:WORDS_TOLD]
