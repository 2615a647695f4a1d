"""A file or a push on its way into the catalogue: what a transaction writes and what the batch counts of it go together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import (
    assignment,
    audit,
    bulk,
    drift,
    import_problems,
    learning,
    new_values,
    partial_rows,
    row_tags,
)
from annotations.actions.decide import Circumstances
from annotations.actions.decide_lines import reviewer_named
from annotations.actions.errors import Refused
from annotations.actions.import_problems import own_problem, row_problem
from annotations.actions.import_report import Report
from annotations.actions.pictures import Album
from annotations.actions.seen import Seen
from annotations.actions.upsert import LIMITS, ROWS_PER_TRANSACTION, Incoming, classify, upsert
from annotations.formats.covers import Covers
from annotations.formats.rows import Problem, Row, Same
from annotations.models import Catalogue, Event, ImportBatch, Input, Membership, Product, User
from annotations.queries.safety import words_of
from annotations.queries.taxonomy import Names

if TYPE_CHECKING:
    from annotations.bridge.safety import WordList

ROWS_AT_ONCE = 5000
"""Rows of a transaction that has few of them to write."""
WRITING_SECONDS = 0.03
"""What a transaction should take where others wait for the one writer's place (SQLite): a save is felt from a tenth on."""
ATTEMPTS = 3
"""At a transaction in which somebody else creates the same product."""
COUNTS = ("position", "rows", "created", "updated", "unchanged", "archived", "set_aside", "problem_count")
NOBODY = "import"
"""The account that approves tags of a file which no signed-in person sent."""

Item = Row | Same | Problem
Progress = Callable[[int, int, str], object]
"""``progress(done, total, step)``; total 0 where nobody can say. What it raises ends the import between two steps."""


@dataclass(slots=True)
class ImportWork:
    """One file, or one push, on its way in.

    album: the pictures that its rows name; fence: called first in each transaction; covers: what its columns speak of
    """

    batch: ImportBatch
    seen: Seen
    album: Album | None
    fence: Callable[[], object]
    covers: Covers | None = None
    report: Report | None = None  # of a dry run
    names: Names | None = None
    by: Circumstances | None = None
    words: WordList | None = None  # what is blocked
    tagged: int = 0
    statuses: dict[int, str] = field(default_factory=dict)  # of a push, by line; of a file nothing is kept
    problems: list[Problem] = field(default_factory=list)  # likewise

    def run(self, items: Iterator[Item], progress: Progress, total: int) -> None:
        batch = self.batch
        self.words = words_of(batch.catalogue)
        if batch.attributes_as != "source":
            self.names = Names.of(batch.catalogue)
            self.by = _decider(batch.catalogue, batch.user) if batch.attributes_as == "approved" else None
        if batch.dry_run:  # one that was stopped begins anew: what it had found out is gone, and it wrote nothing else
            forget_counts(batch)
            self.report = Report(batch.catalogue)
        start, at = batch.position, 0
        progress(batch.rows, total, "")
        pace = bulk.Pace(most=ROWS_PER_TRANSACTION, seconds=WRITING_SECONDS)
        while chunk := _chunk(items, pace.rows):
            settled = chunk[: max(0, start - at)]
            at += len(chunk)
            if settled:  # rows that have tags come whole, so that a transaction held no more of them than this
                self._pass(settled, last=at + ROWS_PER_TRANSACTION >= start)
            if fresh := chunk[len(settled) :]:
                with pace.keeping():
                    self._take(fresh)
            progress(batch.rows, max(total, batch.rows) if total else 0, "")  # it may be an estimate
        if batch.archive_missing:
            self._archive()
        self._finish()

    def _pass(self, items: Sequence[Item], *, last: bool) -> None:
        """What an earlier attempt has written. Its last transaction may lack the tags that follow it."""
        read = [item for item in items if not isinstance(item, Problem)]
        firsts = [item for item in read if self.seen.first_line(item.id, item.line) is None]
        rows = [item for item in firsts if isinstance(item, Row)]
        if last and self.names and not self.batch.dry_run:
            known = Product.objects.filter(catalogue=self.batch.catalogue, external_id__in=[row.id for row in rows])
            ids = dict(known.values_list("external_id", "pk"))
            self._learn(rows)
            resolved = [row_tags.resolve(row, self.names, lambda *a, **k: None) for row in rows]
            self._tag([(ids[tags.row.id], tags) for tags in resolved if tags.row.id in ids])

    def _take(self, items: Sequence[Item]) -> None:
        problems = [item for item in items if isinstance(item, Problem)]
        incoming: list[Incoming] = []
        resolved: list[row_tags.RowTags] = []
        say = partial(self._say, problems)
        read = [item for item in items if not isinstance(item, Problem)]
        same = 0
        strangers = partial_rows.strangers(self.batch.catalogue, read, self.covers)
        for row in read:
            first = self.seen.first_line(row.id, row.line)
            if first is not None:
                say("duplicate-id", row, "id", row.id, severity="error", detail=first)
                continue
            if isinstance(row, Same):
                same += 1
                continue
            if row.id in strangers:
                say("unknown-product", row, "id", row.id, severity="error")
                continue
            for name, most in LIMITS.items():
                if most and len(getattr(row, name)) > most:
                    say("long-field", row, name, getattr(row, name), limit=most)
            for column, value, word in import_problems.blocked_words(row, self.words):
                say("blocked-word", row, column, value, detail=word)
            incoming.append(Incoming(row, covers=self.covers))
        if self.names:
            self._learn([one.row for one in incoming])
            dry = self.batch.dry_run
            resolved = [row_tags.resolve(one.row, self.names, say, dry_run=dry) for one in incoming]
        if self.report:
            self.report.take(one.row for one in incoming)
        if self.album:
            shown, missed = self.album.take(
                [one.row for one in incoming], catalogue=self.batch.catalogue, file=self.batch.file_name
            )
            problems += missed
            for one in incoming:
                one.pictures = shown.get(one.row.line)
        self._write(incoming, problems, same=same, rows=len(read), items=len(items))
        if self.names and not self.batch.dry_run:
            self._tag([(one.product, tags) for one, tags in zip(incoming, resolved, strict=True)])

    def _learn(self, rows: Sequence[Row]) -> None:
        """Values of open facets and quantities become tags before the rows that bring them are written."""
        said = row_tags.new_values(rows, self.names) if self.names and not self.batch.dry_run else []
        if said:
            with transaction.atomic():
                self.fence()
                new_values.take_values(
                    catalogue=self.batch.catalogue, values=said, user=self.batch.user, names=self.names
                )

    def _say(
        self, problems: list[Problem], code: str, row: Row | Same, column: str, value: object, **params: Any
    ) -> None:
        problems.append(row_problem(code, row, column, value, file=self.batch.file_name, **params))

    def _write(
        self, incoming: Sequence[Incoming], problems: Sequence[Problem], *, same: int, rows: int, items: int
    ) -> None:
        batch = self.batch
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with transaction.atomic():
                    self.fence()
                    if self.report:
                        found = classify(catalogue=batch.catalogue, incoming=incoming)
                        self.report.settle([row for _one, row in found.new], [row for _one, row in found.changed])
                    else:
                        pks = self.names is not None
                        upsert(catalogue=batch.catalogue, incoming=incoming, batch=batch, user=batch.user, pks=pks)
                    import_problems.store(batch, problems)
                    batch.position += items
                    batch.rows += rows
                    batch.unchanged += same
                    for status in ("created", "updated", "unchanged"):
                        count = sum(one.status == status for one in incoming)
                        setattr(batch, status, getattr(batch, status) + count)
                    batch.set_aside += sum(bool(one.row.junk) and one.status == "created" for one in incoming)
                    batch.save(update_fields=COUNTS)
                break
            except IntegrityError:
                if attempt == ATTEMPTS:
                    raise
        if batch.file_name == "API":
            self.statuses |= {one.row.line: one.status for one in incoming}
            self.problems += problems

    def _tag(self, found: Sequence[tuple[int, row_tags.RowTags]]) -> None:
        if self.by:
            self.tagged += row_tags.approve(catalogue=self.batch.catalogue, found=found, by=self.by)
        else:
            self.tagged += row_tags.suggest(catalogue=self.batch.catalogue, found=found)

    def _archive(self) -> None:
        """Archive what the file did not have; nothing at all when rows could not be read, since they may be it."""
        batch = self.batch
        lost = batch.problems.filter(severity="error").exclude(code="duplicate-id").count()  # type: ignore[attr-defined]
        if lost:
            unsure = own_problem("not-archived", file=batch.file_name, line=0, detail=lost)
            with transaction.atomic():
                import_problems.store(batch, [unsure])
                batch.save(update_fields=COUNTS)
            return
        last = 0
        live = Product.objects.filter(catalogue=batch.catalogue, archived_at=None).order_by("pk")
        while some := dict(live.filter(pk__gt=last).values_list("external_id", "pk")[:ROWS_PER_TRANSACTION]):
            last = max(some.values())
            gone = [some[name] for name in self.seen.missing(list(some))]
            if not gone:
                continue
            with transaction.atomic():
                self.fence()
                if not batch.dry_run:
                    now = timezone.now()
                    fields = {"archived_at": now, "updated_at": now, "revision": F("revision") + 1}
                    Product.objects.filter(pk__in=gone).update(**fields)
                batch.archived += len(gone)
                batch.save(update_fields=COUNTS)

    def _finish(self) -> None:
        batch = self.batch
        with transaction.atomic():
            self.fence()
            batch.finished_at = timezone.now()
            batch.report = self.report.to_json() if self.report else {}
            batch.save(update_fields=["finished_at", "report"])
            if batch.dry_run:
                return
            counts = {name: getattr(batch, name) for name in COUNTS if name != "position"}
            audit.record(
                word=Event.PRODUCTS_IMPORTED, catalogue=batch.catalogue, user=batch.user, target=batch.file_name,
                data={"batch": batch.pk, "attributes_as": batch.attributes_as, **counts},
            )  # fmt: skip
            if batch.created or batch.updated or batch.archived or self.tagged:
                learning.request_refit(catalogue=batch.catalogue)
                assignment.request(catalogue=batch.catalogue)
            if batch.created:
                drift.request_look(catalogue=batch.catalogue)


def forget_counts(batch: ImportBatch) -> None:
    """As if nothing had been read of the file yet. The caller saves."""
    batch.problems.all().delete()  # type: ignore[attr-defined]
    for name in COUNTS:
        setattr(batch, name, 0)
    batch.finished_at, batch.report = None, {}


def _chunk(items: Iterator[Item], most: int) -> list[Item]:
    """What one transaction settles: little enough to write (``most`` rows) that nobody else waits long for it."""
    chunk: list[Item] = []
    writing = 0
    for item in items:
        chunk.append(item)
        writing += not isinstance(item, Same)
        if writing >= most or len(chunk) >= ROWS_AT_ONCE:
            break
    return chunk


def _decider(catalogue: Catalogue, user: User | None) -> Circumstances:
    """Who approves the tags of an import: the person who sent it, or an account of its own that nobody signs in to."""
    if user is None:
        return reviewer_named(catalogue=catalogue, name=NOBODY)
    membership = Membership.objects.filter(catalogue=catalogue, user=user).first()
    if membership is None:
        raise Refused(_("“%(name)s” is no member of this catalogue.") % {"name": user.get_username()}, "no-member")
    return Circumstances(user, membership.role, Input.BULK)
