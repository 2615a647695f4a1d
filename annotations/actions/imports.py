"""Products in: from a file that was sent, or row by row from a program that pushes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from annotations.actions import (
    assignment,
    audit,
    import_problems,
    learning,
    new_values,
    partial_rows,
    reading,
    row_tags,
)
from annotations.actions.decide import Circumstances
from annotations.actions.decide_lines import reviewer_named
from annotations.actions.errors import Refused
from annotations.actions.import_problems import own_problem, row_problem
from annotations.actions.import_report import Report
from annotations.actions.pictures import Album
from annotations.actions.seen import Seen
from annotations.actions.upsert import LIMITS, ROWS_PER_TRANSACTION, Incoming, classify, upsert, which_are_there
from annotations.formats import mapping as mappings
from annotations.formats.apply import Applier
from annotations.formats.confined import read_products_confined
from annotations.formats.covers import Covers
from annotations.formats.messages import SENTENCES, sentence
from annotations.formats.rows import FileRefused, Limits, Problem, Record, Row, Same
from annotations.models import Catalogue, Event, ImportBatch, ImportSource, Input, Membership, Product, User
from annotations.queries.cleaning import cleaning_of
from annotations.queries.taxonomy import Names
from annotations.retelling import retell_all

ROWS_AT_ONCE = 5000
"""Rows of a transaction that has few of them to write."""
ATTEMPTS = 3
"""At a transaction in which somebody else creates the same product."""
COUNTS = ("position", "rows", "created", "updated", "unchanged", "archived", "set_aside", "problem_count")
PUSHED_AT_ONCE = 1000
NOBODY = "import"
"""The account that approves tags of a file which no signed-in person sent."""

Item = Row | Same | Problem
Progress = Callable[[int, int, str], object]
"""``progress(done, total, step)``; total 0 where nobody can say. What it raises ends the import between two steps."""


def house_limits() -> Limits:
    """What this installation takes in at most."""
    return Limits(file_bytes=settings.UPLOAD_MAX_BYTES)


def import_products(
    *,
    catalogue: Catalogue,
    path: str | Path,
    file_name: str = "",
    user: User | None = None,
    mapping: Mapping[str, Any] | None = None,
    attributes_as: str = "source",
    pictures: str | Path | None = None,
    archive_missing: bool = False,
    dry_run: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
    batch: ImportBatch | None = None,
    total: int = 0,
    fence: Callable[[], object] | None = None,
    source: ImportSource | None = None,
) -> ImportBatch:
    """Create and update products from a file, 500 rows a transaction; bad rows become problems of the batch.

    mapping:       what the columns mean; without, that of the source whose columns these are, else what is proposed
    source:        whose file it is, where that is known
    attributes_as: ``source`` (facts beside the product), ``suggestions``, or ``approved`` (decided by ``user``: the
                   tags fit, and the facets that a row names have no others). Always kept with the product as well.
    pictures:      a zip or folder that holds the pictures the rows name; None leaves pictures as they are
    dry_run:       count and note problems, and change no product, tag or picture
    batch:         one that was begun (an upload, or an import that was killed): goes on where it stopped; what was
                   counted stays counted, and nothing is doubled
    fence:         called first in each transaction; what it raises rolls it back (a job that is somebody else's now)

    Raises Refused before anything is written when the file or the pictures can't be used at all.
    """
    given = limits or house_limits()
    file_name = file_name or Path(path).name
    try:
        columns = mappings.Mapping.from_json(mapping) if mapping else None
        if columns is None:
            columns, source = reading.recognised(catalogue, path, name=file_name, limits=given)
        told: dict[str, Any] = {}
        album = Album(pictures, given, store=not dry_run) if pictures else None
        try:
            # Rows that are there already need not be read further, unless more than the product is made of them.
            plain = not pictures and (batch.attributes_as if batch else attributes_as) == "source"
            items = read_products_confined(
                path, columns, name=file_name, limits=given, raw=False, cleaning=cleaning_of(catalogue),
                known=which_are_there(catalogue) if plain else None, opened=told.update,
            )  # fmt: skip
            if told["mends"] and (batch.archive_missing if batch else archive_missing):
                raise Refused(
                    _("These are rows of a file and not all of it: what they lack is not missing."), "archive_missing"
                )
        except BaseException:
            if album:
                album.close()
            raise
    except FileRefused as refusal:
        raise refused(refusal) from refusal
    if batch is None:
        batch = ImportBatch.objects.create(
            catalogue=catalogue, user=user, file_name=file_name[:255], mapping=mapping or {},
            sha256=reading.sha256_of(path),
            attributes_as=attributes_as, archive_missing=archive_missing, dry_run=dry_run,
        )  # fmt: skip
    batch.catalogue = catalogue
    covers = reading.note_reading(batch, told, source)
    with ExitStack() as open_things:
        open_things.push(closing(items))  # type: ignore[type-var]
        if album:
            open_things.push(closing(album))
        work = _Import(batch, open_things.enter_context(closing(Seen())), album, fence or (lambda: None), covers)
        try:
            work.run(items, progress or (lambda done, total, step: None), total or told["about"])
        except FileRefused as refusal:  # the reader ran out of time or memory: what went in before stays
            raise refused(refusal) from refusal
    return batch


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """``status``: created, updated, unchanged, or refused with the problems that say why."""

    id: str
    status: str
    problems: list[dict[str, Any]]


def upsert_products(
    *, catalogue: Catalogue, rows: Sequence[Mapping[str, Any]], user: User | None, attributes_as: str = "source"
) -> list[RowAnswer]:
    """Products in our JSONL shape, as a program pushes them: the same rules as for a file, and an answer per row."""
    if len(rows) > PUSHED_AT_ONCE:
        raise Refused(_("at most %(n)s products at a time") % {"n": PUSHED_AT_ONCE}, "too_many", limit=PUSHED_AT_ONCE)
    cleaning = cleaning_of(catalogue)
    applier = Applier(mappings.Mapping(()), file="", limits=house_limits(), table=False, cleaning=cleaning)
    items: list[Item] = []
    for number, cells in enumerate(rows, start=1):
        row, problems = applier.apply(Record(number, dict(cells)))
        items += [*problems, *([row] if row else [])]
    batch = ImportBatch.objects.create(catalogue=catalogue, user=user, file_name="API", attributes_as=attributes_as)
    with closing(Seen()) as seen:
        work = _Import(batch, seen, None, lambda: None)
        work.run(iter(items), lambda done, total, step: None, len(rows))
    answers = []
    for number, cells in enumerate(rows, start=1):
        said = [
            {"code": p.code, "message": p.message, "column": p.column, "value": p.value, "severity": p.severity}
            for p in work.problems
            if p.line == number
        ]
        answers.append(RowAnswer(str(cells.get("id", "")), work.statuses.get(number, "refused"), said))
    return answers


def refused(refusal: FileRefused) -> Refused:
    """A file that can't be used, in the reader's language."""
    message = sentence(_(SENTENCES[f"file-{refusal.code}"]), retell_all(refusal.params))
    return Refused(message, f"file-{refusal.code}", file=refusal.file)


@dataclass(slots=True)
class _Import:
    """One file on its way in. What a transaction writes and what the batch counts of it are committed together."""

    batch: ImportBatch
    seen: Seen
    album: Album | None
    fence: Callable[[], object]
    covers: Covers | None = None
    report: Report | None = None  # of a dry run
    names: Names | None = None
    by: Circumstances | None = None
    tagged: int = 0
    statuses: dict[int, str] = field(default_factory=dict)  # of a push, by line; of a file nothing is kept
    problems: list[Problem] = field(default_factory=list)  # likewise

    def run(self, items: Iterator[Item], progress: Progress, total: int) -> None:
        batch = self.batch
        if batch.attributes_as != "source":
            self.names = Names.of(batch.catalogue)
            self.by = _decider(batch.catalogue, batch.user) if batch.attributes_as == "approved" else None
        if batch.dry_run:  # one that was stopped begins anew: what it had found out is gone, and it wrote nothing else
            forget_counts(batch)
            self.report = Report(batch.catalogue)
        start, at = batch.position, 0
        progress(batch.rows, total, "")
        while chunk := _chunk(items):
            settled = chunk[: max(0, start - at)]
            at += len(chunk)
            if settled:
                self._pass(settled, last=at >= start)
            if fresh := chunk[len(settled) :]:
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
            self.tagged += row_tags.suggest(found=found)

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


def forget_counts(batch: ImportBatch) -> None:
    """As if nothing had been read of the file yet. The caller saves."""
    batch.problems.all().delete()  # type: ignore[attr-defined]
    for name in COUNTS:
        setattr(batch, name, 0)
    batch.finished_at, batch.report = None, {}


def _chunk(items: Iterator[Item]) -> list[Item]:
    """What one transaction settles: little enough to write that nobody else waits long for it."""
    chunk: list[Item] = []
    writing = 0
    for item in items:
        chunk.append(item)
        writing += not isinstance(item, Same)
        if writing >= ROWS_PER_TRANSACTION or len(chunk) >= ROWS_AT_ONCE:
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
