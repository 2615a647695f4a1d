"""Merging and splitting tags, and undoing any change of the taxonomy: the verbs that also decide on products.

Nothing in the log is rewritten. A merge decides, per product, that the old tag goes and the new one stands (or is
rejected, where the old one was); a split asks to look again where a facet was complete. An undo puts back the fields
that the change remembered and undoes each of its decisions, so every projection folds to what it was
(docs/decisions/0070-changing-a-taxonomy.md). What touches many products is a job; each step is a transaction that
finds by itself what is left to do, so a job that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import jobs, tag_words
from annotations.actions.decide import Circumstances
from annotations.actions.errors import Conflict, Refused
from annotations.actions.facets import reopen, settle
from annotations.actions.naming import slug_of, texts, word_lists
from annotations.actions.reshape_work import left_to_do, work_off
from annotations.actions.revisions import Revising, revising, revision_of
from annotations.models import Facet, Job, Tag, TaxonomyRevision
from annotations.queries.taxonomy import Names
from annotations.queries.taxonomy_changes import LISTS, still_loading, tags_of_list
from annotations.queries.touches import touches

AT_ONCE = 300
"""Products that are decided on within the request; more of them are a job."""


@dataclass(frozen=True, slots=True)
class Reshaped:
    """The revision, how many products it decides on, and the job that does so (None: it is done)."""

    revision: TaxonomyRevision
    products: int
    job: Job | None = None


def merge_tags(*, tag: Tag, into: Tag, by: Circumstances) -> Reshaped:
    """``tag`` retires, its names and children go to ``into``, and so does what stands of it: approved where it was
    approved, rejected where it was rejected and nothing is said of ``into``."""
    if tag.id == into.id or tag.facet_id != into.facet_id or into.retired_at is not None or tag.merged_into_id:
        raise Refused(_("a tag can only be merged into another live tag of its facet"), "merge")
    _check_idle(tag, into)
    report = touches([tag], into=into).as_dict()
    data = {"facet": tag.facet.slug, "tag": tag.slug, "into": into.slug, "tag_id": tag.pk, "into_id": into.pk}
    with _deciding("tag merged", tag, data, by, report) as change:
        words = {lang: list(w) for lang, w in into.synonyms.items()}
        for language, label in tag.labels.items():
            words.setdefault(language, []).append(label)
        for language, listed in tag.synonyms.items():
            words.setdefault(language, []).extend(listed)
        own = {label.casefold() for label in into.labels.values()}
        joined = {lang: [w for w in listed if w.casefold() not in own] for lang, listed in words.items()}
        change.change(into, synonyms=word_lists(joined))
        for child in Tag.objects.filter(parent=tag):
            change.change(child, parent_id=into.pk if child.pk != into.pk else tag.parent_id)
        change.change(tag, merged_into_id=into.pk, retired_at=tag.retired_at or timezone.now())
        tag_words.index([tag, into])
    return _begin(change.revision, by, report["approved"] + report["rejected"])


def split_tag(*, tag: Tag, parts: Sequence[Mapping[str, str] | Tag], by: Circumstances) -> Reshaped:
    """``tag`` retires in favour of several, new ones (labels by language) or others of its facet; the products that it
    stands for wait to be looked at again, those of one part together. Until somebody has, it goes on standing."""
    if tag.retired_at is not None or tag.facet.kind == Facet.Kind.BOOLEAN:
        raise Refused(_("only a live tag can be split"), "split")
    _check_idle(tag)
    labels = [texts(part) for part in parts if not isinstance(part, Tag)]
    there = [part for part in parts if isinstance(part, Tag)]
    if len(labels) + len(there) < 2 or not all(labels):
        raise Refused(_("a tag is split into two others or more"), "split")
    if any(part.facet_id != tag.facet_id or part.retired_at or part.pk == tag.pk for part in there):
        raise Refused(_("a tag can only be split into live tags of its facet"), "split")
    names = Names.of(tag.facet.catalogue, tag.facet)
    for said in labels:
        for name in said.values():
            if (known := names.tag(tag.facet, name)) is not None and known.pk != tag.pk:
                there.append(known)
    report = touches([tag]).as_dict()
    data: dict[str, Any] = {"facet": tag.facet.slug, "tag": tag.slug, "tag_id": tag.pk}
    with _deciding("tag split", tag, data, by, report) as change:
        change.change(tag, retired_at=timezone.now())
        made = [m for said in labels if (m := _part(tag, said, there, change)) is not None]
        every = list({part.pk: part for part in (*there, *made)}.values())
        change.revision.data |= {"parts": [p.pk for p in every], "into": [p.slug for p in every]}
        tag_words.index([tag, *made])
    return _begin(change.revision, by, report["approved"])


def _part(tag: Tag, said: Mapping[str, str], there: Sequence[Tag], change: Revising) -> Tag | None:
    """A new tag beside the one that is split; None where a tag of such a name is there."""
    names = Names([tag.facet], list(there))
    if any(names.tag(tag.facet, name) for name in said.values()):
        return None
    taken = set(Tag.objects.filter(facet=tag.facet).values_list("slug", flat=True))
    made = Tag.objects.create(
        facet=tag.facet, slug=slug_of(next(iter(said.values())), taken), labels=dict(said), parent=tag.parent,
        position=tag.position, since=revision_of(tag.facet.catalogue_id),
    )  # fmt: skip
    change.made(made)
    return made


def undo_revision(*, revision: TaxonomyRevision, by: Circumstances) -> Reshaped:
    """Put back what a change of the taxonomy changed, and take back what it decided. Itself a change, told and undoable.

    Raises Refused when it cannot be: a list of thousands, one that was undone already, or a row that was changed since
    in the same place (the later change is undone first).
    """
    listed = revision.word in LISTS and not revision.data.get("not_undoable")
    if revision.undoes_id is None and not revision.before and not listed:
        raise Refused(_("this change can't be undone as a whole: undo it where it went wrong"), "not_undoable")
    if TaxonomyRevision.objects.filter(undoes=revision).exists():
        raise Conflict(_("this change was undone already"), "undone")
    if revision.pending or still_loading(revision):
        raise Conflict(_("this change is still at work: cancel its job or let it end"), "pending")
    rows = _rows_of(revision)
    moment = timezone.now()
    data: dict[str, Any] = {"undoes": revision.number, "what": revision.word, "revision_id": revision.pk}
    data["moment"] = moment.isoformat()
    data |= {name: revision.data[name] for name in ("facet", "tag", "into") if name in revision.data}
    with revising(catalogue=revision.catalogue, word="undone", data=data, user=by.reviewer, undoes=revision) as change:
        for entry in reversed(revision.before):
            _put_back(change, rows[entry["kind"], entry["id"]], entry, moment)
        tags = [row for row in rows.values() if isinstance(row, Tag)]
        tag_words.index(tags)
        facets = [row for row in rows.values() if isinstance(row, Facet) and row.retired_at is None]
        reopen(revision.catalogue, [f for f in facets if _asked_otherwise(f, revision)])
        if any(isinstance(row, Facet) for row in rows.values()):
            settle(revision.catalogue)
        change.revision.pending = True
        left = left_to_do(change.revision)
        report = touches(tags).as_dict()
        report["tags"] += tags_of_list(change.revision).count()
        change.revision.report = {**report, "decisions_before": left}
    return _begin(change.revision, by, left)


def go_on(*, revision: TaxonomyRevision, by: Circumstances) -> Reshaped:
    """Another job for a change whose own was stopped or failed half-way. Raises Conflict where nothing is left to do."""
    if not revision.pending or (revision.job and revision.job.live):
        raise Conflict(_("nothing of this change is left to do"), "not_pending")
    return _begin(revision, by, left_to_do(revision))


def _asked_otherwise(facet: Facet, revision: TaxonomyRevision) -> bool:
    mine = [e["was"] for e in revision.before if e["kind"] == "facet" and e["id"] == facet.pk]
    return any("retired_at" in was or "categories" in was for was in mine)


def _rows_of(revision: TaxonomyRevision) -> dict[tuple[str, int], Facet | Tag]:
    ids: dict[str, list[int]] = {"facet": [], "tag": []}
    for entry in revision.before:
        ids[entry["kind"]].append(entry["id"])
    rows: dict[tuple[str, int], Facet | Tag] = {}
    rows |= {("facet", f.pk): f for f in Facet.objects.filter(pk__in=ids["facet"])}
    rows |= {("tag", t.pk): t for t in Tag.objects.filter(pk__in=ids["tag"]).select_related("facet__catalogue")}
    return rows


def _put_back(change: Revising, row: Facet | Tag, entry: Mapping[str, Any], moment: datetime) -> None:
    """``moment``: when what was new is retired, so that it can be told from what somebody retired."""
    for name, was in entry["was"].items():
        now = entry["now"][name]
        if name == "not_with":
            assert isinstance(row, Tag)
            change.set_not_with(row, list(was))
        elif name == "retired_at":
            # retired or not is what counts; of two moments neither is wrong
            if (row.retired_at is None) != (now is None):
                raise _changed_since(row)
            if not was and isinstance(row, Tag) and row.shortcut and _taken(row):
                change.change(row, shortcut=None)
            change.change(row, retired_at=moment if was else None)
        elif name == "synonyms":
            change.change(row, synonyms=_without(getattr(row, name), now, was))
        elif getattr(row, name) != now:
            raise _changed_since(row)
        else:
            change.change(row, **{name: was})


def _taken(tag: Tag) -> bool:
    return Tag.objects.live().filter(facet=tag.facet_id, shortcut=tag.shortcut).exclude(pk=tag.pk).exists()


def _without(
    present: dict[str, list[str]], now: dict[str, list[str]], was: dict[str, list[str]]
) -> dict[str, list[str]]:
    """Take back what the change did to lists of words, and leave what came and went since."""
    found = {}
    for language in {**present, **was}:
        gone = set(now.get(language, ())) - set(was.get(language, ()))
        back = [
            w for w in was.get(language, ()) if w not in now.get(language, ()) and w not in present.get(language, ())
        ]
        found[language] = [w for w in present.get(language, ()) if w not in gone] + back
    return {language: words for language, words in found.items() if words}


def _changed_since(row: Facet | Tag) -> Conflict:
    return Conflict(_("“%(name)s” was changed since: undo that first") % {"name": row.label}, "changed_since")


def _check_idle(*tags: Tag) -> None:
    """One job at a time may decide on what stands of a tag."""
    ids = {tag.pk for tag in tags}
    for waiting in TaxonomyRevision.objects.filter(catalogue=tags[0].facet.catalogue, pending=True):
        if ids & {entry["id"] for entry in waiting.before if entry["kind"] == "tag"}:
            raise Conflict(
                _("another change of this tag is still at work: wait until it has ended"), "pending",
                revision=waiting.number,
            )  # fmt: skip


def _deciding(word: str, tag: Tag, data: dict[str, Any], by: Circumstances, report: dict[str, int]) -> Any:
    """A revision that is pending until its decisions are stored."""
    change = revising(catalogue=tag.facet.catalogue, word=word, data=data, user=by.reviewer)
    return _Pending(change, report)


class _Pending:
    def __init__(self, around: Any, report: dict[str, int]) -> None:
        self.around, self.report = around, report

    def __enter__(self) -> Revising:
        change: Revising = self.around.__enter__()
        change.revision.pending, change.revision.report = True, dict(self.report)
        return change

    def __exit__(self, *error: Any) -> Any:
        return self.around.__exit__(*error)


def _begin(revision: TaxonomyRevision, by: Circumstances, products: int) -> Reshaped:
    """At once where it is little, else as a job. A process that dies in between leaves the job to be found."""
    if products <= AT_ONCE:
        with transaction.atomic():
            work_off(revision=revision, role=by.role)
        return Reshaped(revision, products)
    with transaction.atomic():
        revision.job = jobs.enqueue(
            kind="taxonomy", queue="io", catalogue=revision.catalogue, user=by.reviewer,
            params={"revision": revision.pk, "role": by.role}, coalesce_key=f"taxonomy:{revision.pk}",
        )  # fmt: skip
        revision.save(update_fields=["job"])
    return Reshaped(revision, products, revision.job)
