"""Which changes of the taxonomy there were, what they left to do, and how the feed tells them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.dateparse import parse_datetime

from annotations.models import (
    Catalogue,
    ImportBatch,
    Job,
    ProductTag,
    SplitItem,
    Tag,
    TaxonomyRevision,
)
from annotations.queries import tag_words
from annotations.queries.tag_words import folded


def revisions(catalogue: Catalogue, before: int | None = None, limit: int = 50) -> list[TaxonomyRevision]:
    """The latest changes, newest first, each with who made it and whether it was undone."""
    found = TaxonomyRevision.objects.filter(catalogue=catalogue).select_related("user", "undoes", "undone_by", "job")
    if before is not None:
        found = found.filter(number__lt=before)
    return list(found.order_by("-number")[:limit])


def revision_numbered(catalogue: Catalogue, number: int) -> TaxonomyRevision | None:
    found = TaxonomyRevision.objects.filter(catalogue=catalogue, number=number)
    return found.select_related("catalogue", "user", "undoes", "job").first()


LISTS = ("tags imported", "tags from attributes", "starter taxonomy")
"""Changes that make many tags at once. These are known by their ``since`` and not row by row."""


def list_undone_by(revision: TaxonomyRevision) -> tuple[TaxonomyRevision, bool] | None:
    """The list that an undo takes back (True) or, as the undo of one, brings again (False); None for other changes."""
    first, times = revision, 0
    while first.undoes is not None:
        first, times = first.undoes, times + 1
    return (first, times % 2 == 1) if times and first.word in LISTS else None


def tags_of_list(revision: TaxonomyRevision) -> QuerySet[Tag]:
    """Tags that an undo of a list still has to retire, or to bring back."""
    found = list_undone_by(revision)
    if found is None or revision.undoes is None:
        return Tag.objects.none()
    first, away = found
    made: QuerySet[Tag] = Tag.objects.filter(facet__catalogue=revision.catalogue_id, since=first.number)
    return made.filter(retired_at=None if away else parse_datetime(revision.undoes.data["moment"]))


def still_loading(revision: TaxonomyRevision) -> bool:
    """Whether a job is at work on the list: what it adds next would be left over by an undo."""
    loads = ImportBatch.objects.filter(catalogue=revision.catalogue_id, report__revision=revision.number)
    return loads.filter(finished_at=None, job__state__in=Job.LIVE).exists()


def moments_of_undoing(catalogue: Catalogue) -> frozenset[datetime]:
    """When undoings retired what a change had made: such rows are nobody's decision and may come back."""
    undone = TaxonomyRevision.objects.filter(catalogue=catalogue, word="undone", data__has_key="moment")
    moments = (parse_datetime(moment) for moment in undone.values_list("data__moment", flat=True))
    return frozenset(moment for moment in moments if moment)


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


PRIVATE = ("tag_id", "into_id", "parts", "revision_id", "moment", "not_undoable")


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
