"""Numbering a change of the taxonomy, and remembering what it changed, so that it can be told and undone exactly."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from annotations.actions import audit, learning
from annotations.models import Catalogue, Event, Facet, Tag, TaxonomyRevision, User
from annotations.queries.touches import touches, touches_of_facet


def revise(
    *,
    catalogue: Catalogue,
    word: str,
    data: Mapping[str, Any],
    user: User | None,
    undoes: TaxonomyRevision | None = None,
) -> TaxonomyRevision:
    """Number a change of the taxonomy, and give it its line in the feed. Called inside the transaction of the verb,
    before it writes anything else, so that the catalogue's row lock puts the changes of one taxonomy one after another.
    """
    Catalogue.objects.filter(pk=catalogue.pk).update(taxonomy_revision=F("taxonomy_revision") + 1, seq=F("seq") + 1)
    number, seq = Catalogue.objects.values_list("taxonomy_revision", "seq").get(pk=catalogue.pk)
    catalogue.taxonomy_revision, catalogue.seq = number, seq
    target = str(data.get("tag") or data.get("facet") or "")
    audit.record(
        word=Event.TAXONOMY_CHANGED, catalogue=catalogue, user=user, target=target, data={"what": word, **data}
    )
    learning.request_refit(catalogue=catalogue)
    return TaxonomyRevision.objects.create(
        catalogue=catalogue, number=number, seq=seq, word=word, data=dict(data), user=user, batch=uuid.uuid4(),
        undoes=undoes,
    )  # fmt: skip


def revision_of(catalogue: int) -> int:
    """The number of the taxonomy's revision as it is now: inside a verb, of the change under way."""
    return Catalogue.objects.values_list("taxonomy_revision", flat=True).get(pk=catalogue)


class Revising:
    """A change on its way: ``change`` sets fields of a facet or tag and remembers what they were, ``made`` that a row is
    new. What was remembered is stored with the revision at the end."""

    def __init__(self, revision: TaxonomyRevision) -> None:
        self.revision = revision
        self.entries: list[dict[str, Any]] = []

    def note(self, **counts: int) -> None:
        """What it did beside its rows, for its report."""
        self.revision.report |= counts

    def change(self, row: Facet | Tag, **fields: Any) -> None:
        before = {name: getattr(row, name) for name in fields}
        if before == fields:
            return
        type(row).objects.filter(pk=row.pk).update(**fields)
        for name, value in fields.items():
            setattr(row, name, value)
        self.entries.append(_entry(row, _plain(before), _plain(fields)))

    def set_not_with(self, tag: Tag, others: list[int]) -> None:
        before = sorted(tag.not_with.values_list("pk", flat=True))
        if before != sorted(others):
            tag.not_with.set(others)
            self.entries.append(_entry(tag, {"not_with": before}, {"not_with": sorted(others)}))

    def remember(self, row: Facet | Tag, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """A row that the caller stores itself."""
        told = {name: value for name, value in now.items() if was[name] != value}
        self.entries.append(_entry(row, _plain({name: was[name] for name in told}), _plain(told)))

    def made(self, row: Facet | Tag) -> None:
        """Undone, a new row is retired: its slug stays taken, so that what was said of it keeps its meaning."""
        now: dict[str, Any] = {"retired_at": None, "labels": row.labels, "position": row.position}
        if isinstance(row, Tag):
            now |= {"parent_id": row.parent_id, "synonyms": row.synonyms}
        else:
            now |= {"kind": row.kind}
        self.entries.append(_entry(row, {"retired_at": timezone.now().isoformat()}, now))


def _entry(row: Facet | Tag, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """``facet`` and ``tag`` are slugs, which never change, so that the event reads the same for ever."""
    names = {"facet": row.facet.slug, "tag": row.slug} if isinstance(row, Tag) else {"facet": row.slug, "tag": None}
    kind = "tag" if isinstance(row, Tag) else "facet"
    return {"kind": kind, "id": row.pk, **names, "was": before, "now": after}


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


@contextmanager
def revising(
    *,
    catalogue: Catalogue,
    word: str,
    data: Mapping[str, Any],
    user: User | None,
    undoes: TaxonomyRevision | None = None,
    about: Facet | Tag | None = None,
) -> Iterator[Revising]:
    """A transaction around one change of the taxonomy, as a revision that can be undone.

    Its report says how many facets and tags it wrote and how many lines the feed gets (``events``); ``about`` is what
    it is done to, counted before (``queries.touches``).
    """
    with transaction.atomic():
        revision = revise(catalogue=catalogue, word=word, data=data, user=user, undoes=undoes)
        change = Revising(revision)
        if about is not None:
            counted = touches_of_facet(about) if isinstance(about, Facet) else touches([about])
            revision.report = counted.as_dict()
        yield change
        revision.before = change.entries
        wrote = Counter(kind for kind, _pk in {(entry["kind"], entry["id"]) for entry in change.entries})
        revision.report = {"events": 1, **revision.report, "wrote_facets": wrote["facet"], "wrote_tags": wrote["tag"]}
        revision.save(update_fields=["before", "data", "report", "pending", "job"])
